"""`egmt train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt train`."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data sets")
    parser.add_argument("--config", type=Path, metavar="FILE", help="training YAML")
    parser.add_argument(
        "--run", type=Path, default=Path("runs/egmt"), metavar="DIR", help="resumed if it exists"
    )
    parser.add_argument(
        "--ablation",
        default="full",
        metavar="NAME",
        help="what to cut from the network: full (nothing), no-guidance, control, no-labels, "
        "no-inter-visual, sentences, learned-embeddings; several with commas, or all",
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="checkpoint to start from, .safetensors of the same network (default: none)",
    )
    seed = parser.add_mutually_exclusive_group()
    seed.add_argument("--seed", type=_SEED, metavar="N", help="in place of the YAML's")
    seed.add_argument(
        "--seeds",
        type=_seeds,
        metavar="N,N,...",
        help="train each ablation with each seed, below DIR/NAME/seedN; finished ones are skipped",
    )
    parser.add_argument(
        "--folds",
        type=_whole(2, 2**31),
        metavar="N",
        help="train N networks, each without the scenes of one fold of train and val",
    )
    parser.add_argument(
        "--steps", type=_whole(1, 2**31), metavar="N", help="in place of the YAML's"
    )


def run(args: argparse.Namespace) -> int:
    """Train, or resume the run in `args.run`; return the exit status."""
    from egmt_ros.errors import ConfigError
    from egmt_ros.resources import config_path
    from egmt_ros.training.ablation import ABLATIONS, FULL
    from egmt_ros.training.config import load_training_config
    from egmt_ros.training.loop import Trainer

    config = load_training_config(args.config or config_path("training.yaml"))
    if args.steps is not None:
        config = replace(config, steps=args.steps)
    if args.seed is not None:
        config = replace(config, seed=args.seed)
    names = tuple(ABLATIONS) if args.ablation == "all" else tuple(args.ablation.split(","))
    several = args.folds is not None or args.seeds is not None or len(names) > 1
    if several and args.start is not None:
        raise ConfigError(
            "--start is for one run; leave it out with --folds, --seeds and several ablations"
        )
    if args.folds is not None:
        if args.ablation != FULL or args.seeds is not None:
            raise ConfigError(
                "--folds trains the whole network with one seed; give no --ablation and no --seeds"
            )
        from egmt_ros.training.folds import train_folds

        for folder in train_folds(config, args.data, args.run, args.folds):
            print(folder)
        return 0
    if args.seeds is not None or len(names) > 1:
        from egmt_ros.training.ablation_runs import run_ablations

        seeds = args.seeds or [config.seed]
        for folder in run_ablations(config, args.data, args.run, names, seeds):
            print(folder)
        return 0
    info = Trainer(config, args.data, args.run, ablation=names[0], start=args.start).run()
    if info is None:
        print(f"{names[0]}: {args.run / 'validation.json'}")
    else:
        print(f"{info.model_id}: {args.run / 'egmt.safetensors'}")
    return 0


def _whole(least: int, limit: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = limit
        if not least <= value < limit:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {least} to {limit - 1}"
            )
        return value

    return whole


_SEED = _whole(0, 2**32)


def _seeds(text: str) -> list[int]:
    seeds = [_SEED(part) for part in text.split(",")]
    if len(set(seeds)) < len(seeds):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return seeds
