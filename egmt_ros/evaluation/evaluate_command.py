"""`egmt evaluate pairs`: fusion metrics and label quality on a split of registered pairs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate`."""
    parser.add_argument("what", choices=["pairs"], help="registered pairs of images")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument("--split", default="test", help="folder of each data set (default: test)")
    parser.add_argument(
        "--methods", default="ours,max,mean,laplacian", help="of: ours, max, mean, laplacian, ..."
    )
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="summary as JSON")


def run(args: argparse.Namespace) -> int:
    """Print one Markdown table a data set, and the labels' average precision."""
    from egmt_ros.evaluation.fusion.pairs import evaluate_pairs, markdown_labels, markdown_table

    result = evaluate_pairs(
        args.data, args.split, args.methods.split(","), args.weights, args.device
    )
    for dataset, table in result["fusion"].items():
        print(f"\n{dataset} {args.split} ({result['pairs'][dataset]} pairs)\n")
        print(markdown_table(table))
    if result["labels"]:
        print(f"\nLabels, all data sets, {result['model_id']}\n")
        print(markdown_labels(result["labels"]))
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")
    return 0
