"""`egmt bench`: what the network costs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bench`."""
    parser.add_argument(
        "what",
        nargs="?",
        choices=("model",),
        default="model",
        help="model: time of FusionEngine.fuse beside a matrix product, operations and memory"
        " (default)",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        metavar="WIDTHxHEIGHT",
        default=["320x240", "640x480", "1280x720", "1920x1080"],
        help="sizes of the images (default: 320x240 640x480 1280x720 1920x1080)",
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        help="auto, torch, openvino, cuda-graphs or all: those of this machine (default: auto)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="float32, bfloat16, float16 or all: those of the device (default: float32)",
    )
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--rounds", type=int, default=30, help="timed rounds (default: 30)")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda:N (default: cpu)")
    parser.add_argument("--no-memory", action="store_true", help="do not measure memory")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, and print a Markdown table."""
    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.bench import bench_model

    for name in ("rounds", "threads"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} is {getattr(args, name)}; expected at least 1")
    sizes = tuple(parse_size(text) for text in args.sizes)
    runtimes, precisions = bench_model.expand(args.runtime, args.precision, args.device)
    options = bench_model.Options(
        sizes=sizes,
        runtimes=runtimes,
        precisions=precisions,
        device=args.device,
        threads=args.threads,
        rounds=args.rounds,
        weights=args.weights,
        memory=not args.no_memory,
    )
    report = bench_model.measure(options, lambda line: print(f"{line} ...", file=sys.stderr))
    print(bench_model.markdown(report), end="")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of "WIDTHxHEIGHT".

    Raises:
        ConfigError: It is something else, or a side is too small for the network.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.model.network import MINIMUM_SIDE

    width, _, height = text.partition("x")
    numbers = [int(part) if part.isascii() and part.isdigit() else 0 for part in (width, height)]
    if min(numbers) < MINIMUM_SIDE:
        raise ConfigError(
            f"--sizes has {text!r}; expected WIDTHxHEIGHT, each at least {MINIMUM_SIDE} pixels"
        )
    return numbers[0], numbers[1]
