"""`egmt annotate`: from images to captions, entities and annotation files."""

from __future__ import annotations

import argparse
import importlib

_WHAT = {
    "captions": (
        "egmt_ros.entities.captions.captions_command",
        "caption both images of every pair with an image-to-text model",
    ),
    "entities": (
        "egmt_ros.entities.extraction.entities_command",
        "extract the entities that captions name",
    ),
    "vocabulary": (
        "egmt_ros.entities.extraction.vocabulary_command",
        "count what captions name and write a vocabulary to edit",
    ),
    "quality": (
        "egmt_ros.entities.extraction.quality_command",
        "compare extracted entities with those that an annotator listed",
    ),
    "release": (
        "egmt_ros.entities.release.release_command",
        "write the annotation file of a data set",
    ),
    "check": ("egmt_ros.entities.release.check_command", "check annotation files"),
    "embed": ("egmt_ros.entities.text.embed_command", "embed entity names with a text encoder"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `egmt annotate`."""
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    for name, (module, summary) in _WHAT.items():
        command = commands.add_parser(name, help=summary, description=summary)
        importlib.import_module(module).add_arguments(command)


def run(args: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    return importlib.import_module(_WHAT[args.what][0]).run(args)
