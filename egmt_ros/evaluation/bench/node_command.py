"""`egmt bench node`: the node under load over DDS."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from egmt_ros.evaluation.bench.options import (
    SIZE,
    add_engine_arguments,
    check_out,
    parse_size,
    tell,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bench node`."""
    parser.add_argument(
        "--rate", type=float, default=30.0, metavar="HZ", help="of both cameras (default: 30)"
    )
    parser.add_argument(
        "--duration", type=float, default=60.0, metavar="S", help="seconds (default: 60)"
    )
    parser.add_argument("--size", default="640x480", metavar=SIZE, help="default: 640x480")
    parser.add_argument(
        "--sweep",
        type=float,
        nargs="*",
        metavar="HZ",
        help="also these rates, to find where it begins to drop (default: 5 to 120)",
    )
    parser.add_argument(
        "--sweep-duration", type=float, default=10.0, metavar="S", help="of each (default: 10)"
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        help="auto, torch, openvino or cuda-graphs (default: auto)",
    )
    parser.add_argument(
        "--precision", default="float32", help="float32, bfloat16 or float16 (default: float32)"
    )
    add_engine_arguments(parser)
    parser.add_argument(
        "--threads", type=int, default=2, help="CPU threads of the node; 0: all (default: 2)"
    )
    parser.add_argument(
        "--cores", type=int, default=2, help="for all processes together; 0: all (default: 2)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the figures as JSON, and as .md beside it"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, and print a Markdown report; 1 where a frame is unaccounted for.

    Raises:
        ConfigError: An option has a senseless value.
        EgmtError: The engine or the node cannot be started.
    """
    from egmt_ros.errors import ConfigError
    from egmt_ros.evaluation.bench import bench_node, node_report

    for name in ("duration", "rate", "sweep_duration"):
        if not 0 < getattr(args, name) < float("inf"):
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is {getattr(args, name):g}; expected more than 0")
    for name in ("threads", "cores"):
        if getattr(args, name) < 0:
            raise ConfigError(f"--{name} is {getattr(args, name)}; expected 0 or more")
    sweep = args.sweep if args.sweep is None or args.sweep else bench_node.SWEEP
    if not all(0 < rate < float("inf") for rate in sweep or ()):
        raise ConfigError("--sweep has a rate that is not above 0 Hz")
    check_out(args.out)
    options = bench_node.NodeOptions(
        rate=args.rate,
        duration=args.duration,
        size=parse_size(args.size, "--size"),
        sweep=tuple(sorted(sweep or ())),
        sweep_duration=args.sweep_duration,
        cores=args.cores,
        threads=args.threads,
        device=args.device,
        runtime=args.runtime,
        precision=args.precision,
        weights=args.weights,
    )
    report = bench_node.measure(options, tell)
    text = node_report.markdown(report)
    print(text, end="")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        args.out.with_suffix(".md").write_text(text, encoding="utf-8")
    unaccounted = sum(stretch["unaccounted"] for stretch in report["stretches"])
    if unaccounted:
        print(f"egmt bench: {unaccounted} frames are unaccounted for", file=sys.stderr)
    return 1 if unaccounted else 0
