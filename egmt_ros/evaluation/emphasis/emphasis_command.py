"""`egmt evaluate emphasis`: what emphasising an entity does to the fused images."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

DESCRIPTION = """\
Emphasise people and cars at 0, 0.5, 1, 2 and 4 in every registered pair that has class masks, and
measure the contrast of the drawn objects, what happens to the rest of the image, and what
emphasising an absent entity changes. With --picture: the made-up street at these doses.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate emphasis`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("--data", type=Path, metavar="DIR", help="data sets")
    parser.add_argument("--split", default="test", help="folder of each data set (default: test)")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument("--out", type=Path, metavar="JSON", help="every figure")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="picture, .png or .jpg")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the tables as Markdown, write what was asked for; return the exit status.

    Raises:
        ConfigError: Neither --data nor --picture is given, or a file cannot be written.
        DataError: The data cannot be used.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.emphasis.emphasis import evaluate_emphasis
    from egmt_ros.evaluation.emphasis.emphasis_report import as_json, markdown
    from egmt_ros.evaluation.emphasis.emphasis_sheet import emphasis_sheet
    from egmt_ros.evaluation.report.drawing import check_picture_path, write_picture
    from egmt_ros.pipeline.engine import FusionEngine
    from egmt_ros.resources import config_path
    from egmt_ros.training.config import load_training_config

    if not (args.data or args.picture):
        raise ConfigError("give --data to measure, --picture to draw, or both")
    if args.out and not args.out.parent.is_dir():
        raise ConfigError(f"--out is {args.out}; expected a file in a folder that exists")
    if args.picture:
        check_picture_path(args.picture)
    engine = FusionEngine.load(args.weights, args.device)
    if args.picture:
        write_picture(args.picture, emphasis_sheet(engine))
    if args.data:
        masks = load_training_config(config_path("training.yaml")).masks
        found = evaluate_emphasis(engine, args.data, args.split, masks)
        if args.out:
            args.out.write_text(json.dumps(as_json(found), indent=1) + "\n", encoding="utf-8")
        print(markdown(found))
    return 0
