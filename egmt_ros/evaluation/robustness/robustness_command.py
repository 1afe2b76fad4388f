"""`egmt evaluate robustness`: fusion and labels under faults of the cameras."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

DESCRIPTION = """\
Score fused images and labels on registered pairs DIR/<dataset>/<split>/{ir,vi}/<name>.<extension>
(or DIR/<split>/..., one data set) under faults of the cameras at fixed strengths: noise, blur, low
light, over-exposure, misregistration of 2, 4 and 8 pixels, thermal inversion, constant thermal and
either camera black; and the flicker under noise of a still scene. A pixelwise maximum is scored
beside it under the same conditions.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt evaluate robustness`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument("--split", default="test", help="folder of each data set (default: test)")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument(
        "--datasets", default="", metavar="NAMES", help="with commas between (default: all)"
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="pairs of each data set, evenly spaced (default: all)",
    )
    parser.add_argument(
        "--flicker-pairs",
        type=int,
        default=2,
        metavar="N",
        help="of these, pairs of each data set whose flicker is measured (default: 2)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    parser.add_argument("--out", type=Path, metavar="JSON", help="every figure, by data set too")


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the tables as Markdown and write the JSON; return the exit status.

    Raises:
        ConfigError: An argument cannot be used.
        DataError: The data cannot be used.
        CheckpointError, DeviceError: The engine cannot be loaded.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.robustness.robustness import evaluate_robustness
    from egmt_ros.evaluation.robustness.robustness_report import as_json, markdown
    from egmt_ros.pipeline.engine import FusionEngine

    names = [name.strip() for name in args.datasets.split(",")] if args.datasets else []
    if "" in names:
        raise ConfigError(f"--datasets is {args.datasets!r}; expected names with commas between")
    if args.out and (args.out.is_dir() or not args.out.parent.is_dir()):
        raise ConfigError(
            f"--out is {args.out}; expected a file in a folder that exists: make the folder"
        )
    robustness = evaluate_robustness(
        FusionEngine.load(args.weights, args.device, runtime="torch"),  # many image sizes
        args.data,
        args.split,
        datasets=names,
        limit=args.limit,
        flicker_pairs=args.flicker_pairs,
        seed=args.seed,
    )
    if args.out:
        text = json.dumps(as_json(robustness), indent=1)
        args.out.write_text(text + "\n", encoding="utf-8")
    print(markdown(robustness))
    return 0
