"""`egmt bench model | node`: what the network costs, and what the node makes of it."""

from __future__ import annotations

import argparse

from egmt_ros.subcommands import add_subcommands, run_subcommand

_BENCHES = {
    "model": (
        "egmt_ros.evaluation.bench.model_command",
        "time of FusionEngine.fuse beside a matrix product, operations and memory",
    ),
    "node": (
        "egmt_ros.evaluation.bench.node_command",
        "the node under load over DDS, every frame accounted for",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bench`."""
    add_subcommands(parser, _BENCHES)


def run(args: argparse.Namespace) -> int:
    """Run one of the two."""
    return run_subcommand(args, _BENCHES)
