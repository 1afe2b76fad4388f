"""Subcommands of a subcommand of `egmt`: each a module with `add_arguments` and `run`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from typing import Any

Modules = Mapping[str, tuple[str, str]]
"""Name -> module and a line of help."""


def add_subcommands(parser: argparse.ArgumentParser, modules: Modules) -> Any:
    """Add a subparser for each module; the name chosen is in `args.what`.

    Returns:
        What argparse adds further subparsers to.
    """
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, (module, summary) in modules.items():
        command = commands.add_parser(name, help=summary, description=summary)
        importlib.import_module(module).add_arguments(command)
    return commands


def run_subcommand(args: argparse.Namespace, modules: Modules) -> int:
    """Run the one that was chosen; return the exit status."""
    return importlib.import_module(modules[args.what][0]).run(args)
