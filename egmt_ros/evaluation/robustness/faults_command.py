"""`egmt evaluate faults`: a picture of the made-up street under faults of the cameras."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate faults`."""
    parser.add_argument(
        "--time-of-day", choices=("dusk", "night"), default="night", help="default: night"
    )
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="picture, .png or .jpg"
    )


def run(args: argparse.Namespace) -> int:
    """Write the picture; return the exit status.

    Raises:
        ConfigError: `--out` cannot be written.
    """
    from egmt_ros.evaluation.report.drawing import check_picture_path, write_picture
    from egmt_ros.evaluation.robustness.fault_sheet import fault_sheet
    from egmt_ros.pipeline.engine import FusionEngine

    check_picture_path(args.out)
    engine = FusionEngine.load(args.weights, args.device)
    write_picture(args.out, fault_sheet(engine, args.time_of_day))
    return 0
