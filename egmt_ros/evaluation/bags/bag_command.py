"""`egmt bag synth | from-pairs | cut | info | export`: make bags and look at them."""

from __future__ import annotations

import argparse

from egmt_ros.subcommands import add_subcommands, run_subcommand

_WHAT = {
    "synth": ("egmt_ros.evaluation.bags.synthetic_bag", "render the made-up street into a bag"),
    "from-pairs": ("egmt_ros.evaluation.bags.pairs_bag", "turn a folder of image pairs into a bag"),
    "cut": ("egmt_ros.evaluation.bags.cut_bag", "make a bag of a part of one"),
    "info": ("egmt_ros.evaluation.bags.info_command", "say what is in a bag"),
    "export": (
        "egmt_ros.evaluation.bags.export_pairs",
        "write the pairs of a bag as images to annotate",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `egmt bag`."""
    add_subcommands(parser, _WHAT)


def run(args: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    return run_subcommand(args, _WHAT)
