"""`egmt bench`: what the network costs, and what the node makes of it."""

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
        choices=("model", "node"),
        default="model",
        help="model: time of FusionEngine.fuse beside a matrix product, operations and memory"
        " (default); node: the node under load over DDS, every frame accounted for",
    )
    parser.add_argument(
        "--runtime",
        default="auto",
        help="auto, torch, openvino or cuda-graphs; model: or all of this machine (default: auto)",
    )
    parser.add_argument(
        "--precision",
        default="float32",
        help="float32, bfloat16 or float16; model: or all of the device (default: float32)",
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="CPU threads; node: 0 for all (default: 2)"
    )
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda:N (default: cpu)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the figures as JSON; node: and as .md beside it"
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--sizes",
        nargs="+",
        metavar="WIDTHxHEIGHT",
        default=["320x240", "640x480", "1280x720", "1920x1080"],
        help="sizes of the images (default: 320x240 640x480 1280x720 1920x1080)",
    )
    model.add_argument("--rounds", type=int, default=30, help="timed rounds (default: 30)")
    model.add_argument("--no-memory", action="store_true", help="do not measure memory")
    node = parser.add_argument_group("node")
    node.add_argument(
        "--rate", type=float, default=30.0, metavar="HZ", help="of both cameras (default: 30)"
    )
    node.add_argument(
        "--duration", type=float, default=60.0, metavar="S", help="seconds (default: 60)"
    )
    node.add_argument(
        "--size", default="640x480", metavar="WIDTHxHEIGHT", help="default: 640x480"
    )
    node.add_argument(
        "--sweep",
        type=float,
        nargs="*",
        metavar="HZ",
        help="also these rates, to find where it begins to drop (default: 5 to 120)",
    )
    node.add_argument(
        "--sweep-duration", type=float, default=10.0, metavar="S", help="of each (default: 10)"
    )
    node.add_argument(
        "--cores", type=int, default=2, help="for all processes together; 0: all (default: 2)"
    )


def run(args: argparse.Namespace) -> int:
    """Measure, and print a Markdown report; 1 where `bench node` could not account for a frame."""
    return _run_node(args) if args.what == "node" else _run_model(args)


def _run_model(args: argparse.Namespace) -> int:
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
    report = bench_model.measure(options, _tell)
    print(bench_model.markdown(report), end="")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 0


def _run_node(args: argparse.Namespace) -> int:
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
    report = bench_node.measure(options, _tell)
    text = node_report.markdown(report)
    print(text, end="")
    if args.out:
        args.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        args.out.with_suffix(".md").write_text(text, encoding="utf-8")
    unaccounted = sum(stretch["unaccounted"] for stretch in report["stretches"])
    if unaccounted:
        print(f"egmt bench: {unaccounted} frames are unaccounted for", file=sys.stderr)
    return 1 if unaccounted else 0


def _tell(line: str) -> None:
    print(f"{line} ...", file=sys.stderr)


def parse_size(text: str, option: str = "--sizes") -> tuple[int, int]:
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
            f"{option} has {text!r}; expected WIDTHxHEIGHT, each at least {MINIMUM_SIDE} pixels"
        )
    return numbers[0], numbers[1]
