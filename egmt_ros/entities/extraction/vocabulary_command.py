"""`egmt annotate vocabulary`: count what captions name, in the table that a person edits."""

from __future__ import annotations

import argparse
from pathlib import Path

from egmt_ros.entities.extraction.caption_sources import add_source_arguments, read_sources
from egmt_ros.entities.extraction.counting import Counts, count
from egmt_ros.entities.extraction.noun_phrases import add_extractor_arguments, open_extractor
from egmt_ros.entities.extraction.problem_list import tell_problems
from egmt_ros.entities.extraction.table import TABLE_FILE, EntityTable, parse_entity_table
from egmt_ros.entities.extraction.table_file import with_counts, write_whole, written_part
from egmt_ros.entities.extraction.training_vocabulary import write_training_vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path

DESCRIPTION = """\
Count what captions name: each entity of a table, by which phrases, and the nouns that the table
lacks. The table is one YAML file to read and edit (config/entities.yaml): entities, groups,
synonyms, scene words. What a person wrote in it is kept as it is, comments and all; only what
stands below its last line of dashes is written anew, the same for the same captions.

A new FILE starts as a copy of config/entities.yaml, or of the table named with --start. Then: look
at `unknown`, add what you want as synonyms or entities, and run the command again.
"""

EPILOG = """\
--training writes the entities with the minimum support as a vocabulary for `egmt train` (of the
kind of config/vocabulary.yaml, which holds those that the default weights know). It never
overwrites one, because the order of the names is that of a network's outputs.

examples:
  egmt annotate vocabulary --data data --out my_entities.yaml
  egmt annotate vocabulary --data data --split train --minimum-support 30 --out my_entities.yaml \\
      --training my_vocabulary.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate vocabulary`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    add_source_arguments(parser)
    add_extractor_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="table to count in, or to write"
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help=f"table that a new one starts from (default: {TABLE_FILE})",
    )
    parser.add_argument(
        "--minimum-support",
        type=int,
        default=10,
        metavar="N",
        help="pairs from which an entity or an unknown noun is frequent (default: 10)",
    )
    parser.add_argument(
        "--training", type=Path, metavar="FILE", help="vocabulary for egmt train to write"
    )


def run(args: argparse.Namespace) -> int:
    """Count, write and print; return the exit status.

    Raises:
        ConfigError: An argument or the table cannot be used, or the file of --training is there.
        DataError: There are no captions.
        CheckpointError: The model cannot be loaded, or fails.
        DeviceError: The device is not there.
        MissingDependencyError: spaCy, its pipeline or transformers is not installed.
    """
    from tqdm import tqdm

    written, table = _table(args)
    if args.minimum_support < 1:
        raise ConfigError(f"--minimum-support is {args.minimum_support}; expected 1 or more")
    if args.training is not None and args.training.exists():
        raise ConfigError(
            f"{args.training} exists; its order of names is that of a network's outputs: remove "
            "it, or give another name"
        )
    sources = read_sources(args)
    tell_problems([problem for source in sources for problem in source.problems])
    extractor = open_extractor(args.extractor, args)
    captions = [source.captions for source in sources]
    number = sum(bool(c.infrared) + bool(c.visible) for found in captions for c in found.values())
    with tqdm(total=number, unit="caption", disable=None) as bar:
        counts = count(captions, extractor, table, bar.update)
    names = ", ".join(source.name for source in sources)
    split = f", split {args.split}" if args.split else ""
    text = with_counts(
        written,
        counts,
        f"{number} captions of {names}{split}",
        f"{extractor.name} {extractor.version}",
        args.minimum_support,
    )
    parse_entity_table(text, str(args.out))
    write_whole(args.out, text)
    if args.training is not None:
        write_training_vocabulary(args.training, counts, table, args.minimum_support)
    print(_summary(args, counts))
    return 0


def _table(args: argparse.Namespace) -> tuple[str, EntityTable]:
    """What a person wrote in the table, and the table."""
    if args.out.exists() and args.start is not None:
        raise ConfigError(
            f"{args.out} exists, so it is not started from {args.start}; leave out --start, or "
            "remove the file"
        )
    path = args.out if args.out.exists() else args.start or config_path(TABLE_FILE)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read()
    except FileNotFoundError as error:
        raise ConfigError(f"table {path} does not exist; give the path of one") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"table {path} is not UTF-8 ({error}); save it as such") from error
    written = written_part(text, str(path))
    return written, parse_entity_table(written, str(path))


def _summary(args: argparse.Namespace, counts: Counts) -> str:
    support = args.minimum_support
    frequent = [name for name, number in counts.entities.items() if number >= support]
    unknown = {noun: number for noun, number in counts.unknown.items() if number >= support}
    nouns = ", ".join(f"{noun} {number}" for noun, number in unknown.items())
    text = (
        f"{args.out}: {len(frequent)} of {len(counts.entities)} entities are named by {support} "
        f"or more of {counts.pairs} pairs"
    )
    if unknown:
        text += f"; {len(unknown)} frequent nouns are unknown: {nouns}"
    if args.training is not None:
        text += f"\n{args.training}: {len(frequent)} entities for egmt train"
    return text
