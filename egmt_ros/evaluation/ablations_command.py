"""`egmt evaluate ablations`: the table of an ablation study."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate ablations`."""
    parser.add_argument(
        "runs", type=Path, metavar="RUNS_DIR", help="folder of egmt train --ablation all"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="table as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table as Markdown; return the exit status."""
    from egmt_ros.training.ablation_table import compare, markdown
    from egmt_ros.training.run_record import read_records

    table = compare(read_records(args.runs))
    print(markdown(table))
    if args.out:
        args.out.write_text(json.dumps(table.to_dict(), indent=1) + "\n")
    return 0
