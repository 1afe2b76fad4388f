"""`egmt train`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt train`."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument("--config", type=Path, metavar="FILE", help="training YAML")
    parser.add_argument(
        "--run", type=Path, default=Path("runs/egmt"), metavar="DIR", help="resumed if it exists"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or resume the run in `args.run`; return the exit status."""
    from egmt_ros.resources import config_path
    from egmt_ros.training.config import load_training_config
    from egmt_ros.training.loop import Trainer

    config = load_training_config(args.config or config_path("training.yaml"))
    info = Trainer(config, args.data, args.run).run()
    print(f"{info.model_id}: {args.run / 'egmt.safetensors'}")
    return 0
