"""`egmt evaluate`: the figures that this project states."""

from __future__ import annotations

import argparse
import importlib

_WHAT = {
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
    "ablations": ("egmt_ros.evaluation.ablations_command", "what each idea of the network adds"),
    "folds": (
        "egmt_ros.evaluation.labels.folds_command",
        "entity labels of pairs whose scenes were held out of training",
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `egmt evaluate`."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, (module, summary) in _WHAT.items():
        command = commands.add_parser(name, help=summary, description=summary)
        importlib.import_module(module).add_arguments(command)


def run(args: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    return importlib.import_module(_WHAT[args.what][0]).run(args)
