"""`egmt evaluate labels`: quality of the entity labels on a split of registered pairs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate labels`."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument("--split", default="test", help="folder of each data set (default: test)")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument(
        "--probe",
        default="none",
        help="linear probes to compare with, of: none, pixels, backbone; several with commas",
    )
    parser.add_argument(
        "--counted",
        default="MSRS,RoadScene",
        help="data sets of the macro AP over entities with 10 positives and 10 negatives",
    )
    parser.add_argument(
        "--draw",
        choices=["scenes", "frames"],
        default="scenes",
        help="what the bootstrap draws (default: whole scenes)",
    )
    parser.add_argument("--resamples", type=int, default=2000, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="every figure as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the tables of label_evaluation as Markdown."""
    from egmt_ros.evaluation.labels.label_evaluation import as_json, as_markdown, evaluate_labels

    probes = [name for name in args.probe.split(",") if name != "none"]
    evaluation = evaluate_labels(
        args.data,
        args.split,
        weights=args.weights,
        device=args.device,
        probes=probes,
        counted=args.counted.split(","),
        draw_scenes=args.draw == "scenes",
        resamples=args.resamples,
        seed=args.seed,
    )
    print(as_markdown(evaluation))
    if args.out:
        args.out.write_text(json.dumps(as_json(evaluation), indent=1) + "\n")
    return 0
