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
    import cv2

    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.robustness.fault_sheet import fault_sheet
    from egmt_ros.pipeline.engine import FusionEngine

    sheet = fault_sheet(FusionEngine.load(args.weights, args.device), args.time_of_day)
    try:
        written = cv2.imwrite(str(args.out), sheet, [cv2.IMWRITE_JPEG_QUALITY, 80])
    except cv2.error:
        written = False
    if not written:
        raise ConfigError(
            f"--out is {args.out}, which cannot be written; give a .png or .jpg in a folder that "
            "exists"
        )
    return 0
