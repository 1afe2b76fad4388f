"""`egmt evaluate`: the figures that this project states."""

from __future__ import annotations

import argparse

from egmt_ros.subcommands import add_subcommands, run_subcommand

_WHAT = {
    "bag": ("egmt_ros.evaluation.replay.bag_command", "fused images and labels of a bag"),
    "pairs": ("egmt_ros.evaluation.fusion.pairs_command", "fused images of registered pairs"),
    "labels": ("egmt_ros.evaluation.labels.labels_command", "entity labels of registered pairs"),
    "robustness": (
        "egmt_ros.evaluation.robustness.robustness_command",
        "images and labels under faults of the cameras",
    ),
    "faults": (
        "egmt_ros.evaluation.robustness.faults_command",
        "draw the made-up street under faults of the cameras",
    ),
    "emphasis": (
        "egmt_ros.evaluation.emphasis.emphasis_command",
        "what emphasising an entity does to the fused images",
    ),
    "registration": (
        "egmt_ros.evaluation.registration.registration_command",
        "known warps found again, shifted mounts noticed",
    ),
    "compare": (
        "egmt_ros.evaluation.compare.compare_command",
        "two evaluations of a bag: what is better, worse, or cannot be told",
    ),
    "ablations": ("egmt_ros.evaluation.ablations_command", "what each idea of the network adds"),
    "folds": (
        "egmt_ros.evaluation.labels.folds_command",
        "entity labels of pairs whose scenes were held out of training",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `egmt evaluate`."""
    add_subcommands(parser, _WHAT)


def run(args: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    return run_subcommand(args, _WHAT)
