"""The captions that a command is told to read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from egmt_ros.entities.captions.caption_file import PairCaptions, read_caption_file
from egmt_ros.errors import DataError

CAPTIONS_FILE = "captions.json"
"""Name of the caption file of a data set folder."""


class CaptionSource(NamedTuple):
    """The captions of one data set.

    Attributes:
        name: Name of its folder.
        path: The caption file.
        captions: Name of a pair -> its captions.
        problems: What the file has that could not be used, a line each.
    """

    name: str
    path: Path
    captions: dict[str, PairCaptions]
    problems: tuple[str, ...]


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --data, --captions and --split."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="data set folder with captions.json, or folder of such",
    )
    source.add_argument(
        "--captions", type=Path, metavar="FILE", help="one caption file, JSON or JSON lines"
    )
    parser.add_argument(
        "--split", default="", metavar="NAMES", help="splits, with commas (default: all)"
    )


def read_sources(args: argparse.Namespace) -> list[CaptionSource]:
    """Read the caption files that the arguments name, and keep the pairs of the splits.

    Raises:
        DataError: There is no caption file, one cannot be read, or no pair is of the splits.
    """
    paths = [args.captions] if args.captions is not None else _caption_files(args.data)
    splits = [name.strip() for name in args.split.split(",") if name.strip()]
    sources = []
    there: set[str] = set()
    for path in paths:
        found = read_caption_file(path)
        there.update(pair.split for pair in found.captions.values())
        kept = {n: c for n, c in found.captions.items() if not splits or c.split in splits}
        name = path.resolve().parent.name
        sources.append(CaptionSource(name, path, kept, found.problems))
    missing = [split for split in splits if split not in there]
    if missing or not any(source.captions for source in sources):
        what = f"of split {missing[0]!r}" if missing else "with captions"
        raise DataError(
            f"no pair {what} in {', '.join(map(str, paths))}; splits there: "
            f"{', '.join(sorted(map(repr, there))) or 'none'}"
        )
    return sources


def _caption_files(data: Path) -> list[Path]:
    if (data / CAPTIONS_FILE).is_file():
        return [data / CAPTIONS_FILE]
    found = sorted(data.glob(f"*/{CAPTIONS_FILE}"))
    if not found:
        raise DataError(
            f"there is no {CAPTIONS_FILE} in {data} nor in a folder of it; write captions with "
            "`egmt annotate captions`, or name a file with --captions"
        )
    return found
