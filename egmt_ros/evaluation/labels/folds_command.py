"""`egmt evaluate folds`: label quality by cross-validation."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate folds`."""
    parser.add_argument("runs", type=Path, metavar="RUNS_DIR", help="folder of egmt train --folds")
    parser.add_argument("--out", type=Path, metavar="FILE", help="figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Print a table for each data set; return the exit status."""
    from egmt_ros.evaluation.labels.label_report import entity_table, macro_table
    from egmt_ros.training.folds import score_folds

    found = score_folds(args.runs)
    print(
        f"{found.folds} networks of {found.steps} steps, each judged on the scenes that it did "
        "not see. Brackets: 95 % bootstrap interval, whole scenes drawn. Thresholds 0.5."
    )
    print("\n" + macro_table({name: (s, s.counted) for name, s in found.by_dataset.items()}))
    for name, scores in found.by_dataset.items():
        rows = [entity for entity in scores.entities if entity.ap.value is not None]
        print(f"\n## {name} ({scores.frames} pairs, {scores.groups} scenes)\n")
        print(entity_table(rows))
    if args.out:
        args.out.write_text(json.dumps(asdict(found), indent=1) + "\n")
    return 0
