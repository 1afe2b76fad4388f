"""`egmt bench model`: what the network costs at some image sizes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from egmt_ros.evaluation.bench.options import (
    SIZE,
    add_engine_arguments,
    check_out,
    parse_size,
    tell,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bench model`."""
    parser.add_argument(
        "--sizes",
        nargs="+",
        metavar=SIZE,
        default=["320x240", "640x480", "1280x720", "1920x1080"],
        help="sizes of the images (default: 320x240 640x480 1280x720 1920x1080)",
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        help="auto, torch, openvino, cuda-graphs, or all of this machine (default: auto)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="float32, bfloat16, float16, or all of the device (default: float32)",
    )
    add_engine_arguments(parser)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--rounds", type=int, default=30, help="timed rounds (default: 30)")
    parser.add_argument("--no-memory", action="store_true", help="do not measure memory")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Measure, and print a Markdown report; return the exit status.

    Raises:
        ConfigError: An option has a senseless value.
        EgmtError: The engine cannot be loaded, or a process that measures memory failed.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.bench import bench_model

    for name in ("rounds", "threads"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} is {getattr(args, name)}; expected at least 1")
    check_out(args.out)
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
    report = bench_model.measure(options, tell)
    print(bench_model.markdown(report), end="")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0
