"""`egmt annotate`: from images to captions, entities and annotation files."""

from __future__ import annotations

import argparse

from egmt_ros.subcommands import add_subcommands, run_subcommand

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
    add_subcommands(parser, _WHAT)


def run(args: argparse.Namespace) -> int:
    """Run one of the subcommands."""
    return run_subcommand(args, _WHAT)
