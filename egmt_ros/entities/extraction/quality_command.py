"""`egmt annotate quality`: extracted entities against those that an annotator listed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from egmt_ros.entities.extraction.caption_sources import (
    CaptionSource,
    add_source_arguments,
    read_sources,
)
from egmt_ros.entities.extraction.extract import extract_pairs
from egmt_ros.entities.extraction.noun_phrases import add_extractor_arguments, open_extractor
from egmt_ros.entities.extraction.phrases import NounPhraseExtractor
from egmt_ros.entities.extraction.problem_list import tell_problems
from egmt_ros.entities.extraction.quality import Lists, Quality, compare, read_lists
from egmt_ros.entities.extraction.quality_report import as_json, markdown
from egmt_ros.entities.extraction.table import EntityTable, load_entity_table
from egmt_ros.errors import DataError

DESCRIPTION = """\
Compare the entities that are read out of captions with the lists `entities` in captions.json, of an
annotator who looked at the images. Captions do not name everything that an image shows, so besides
precision and recall the recall over those listed entities is told whose name or synonym stands in
the caption.

Compared are the entities of the table that some list of the data uses; what a pair's annotator was
unsure of is left out. Names in lists that the table lacks are named and counted.
"""

EPILOG = """\
examples:
  egmt annotate quality --data data
  egmt annotate quality --data data --split val --extractor spacy seq2seq \\
      --model google/flan-t5-base --out quality.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate quality`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    add_source_arguments(parser)
    add_extractor_arguments(parser, several=True)
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="table of entities (default: entities.yaml)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="every figure as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the tables as Markdown; return the exit status.

    Raises:
        ConfigError: An argument or the table cannot be used.
        DataError: There are no captions, or none with a list of entities.
        CheckpointError: The model cannot be loaded, or fails.
        DeviceError: The device is not there.
        MissingDependencyError: spaCy, its pipeline or transformers is not installed.
    """
    table = load_entity_table(args.table)
    sources = read_sources(args)
    # Which entities can be compared does not depend on the splits that are.
    everything = read_sources(argparse.Namespace(**{**vars(args), "split": ""}))
    lists = read_lists((c for s in everything for c in s.captions.values()), table)
    if not lists.vocabulary:
        raise DataError(
            f"no list in {', '.join(str(s.path) for s in sources)} has an entity of the table; "
            'expected "entities": {"infrared": [names], "visible": [names]} of each pair'
        )
    problems = [problem for source in sources for problem in source.problems]
    problems += [
        f"the table lacks {name!r}, which stands in {count} lists"
        for name, count in lists.unknown.items()
    ]
    tell_problems(problems)
    print(f"{len(lists.vocabulary)} entities compared: {', '.join(lists.vocabulary)}\n")
    written = {}
    for name in dict.fromkeys(args.extractor):
        extractor = open_extractor(name, args)
        qualities = _measure(sources, extractor, table, lists)
        print(markdown(f"{extractor.name} {extractor.version}", qualities) + "\n")
        written[name] = {"version": extractor.version, "splits": as_json(qualities)}
    if args.out:
        content = {
            "compared": lists.vocabulary,
            "lacking": lists.unknown,
            "problems": problems,
            "extractors": written,
        }
        args.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def _measure(
    sources: list[CaptionSource],
    extractor: NounPhraseExtractor,
    table: EntityTable,
    lists: Lists,
) -> dict[str, Quality]:
    """Split, in the order of the files -> quality over all data sets."""
    # Names of pairs may occur in several data sets.
    captions = {(s.name, pair): found for s in sources for pair, found in s.captions.items()}
    extracted = {
        (source.name, pair): entities
        for source in sources
        for pair, entities in extract_pairs(source.captions, extractor, table).pairs.items()
    }
    splits = dict.fromkeys(found.split for found in captions.values())
    return {
        split or "(none)": compare(
            {key: found for key, found in captions.items() if found.split == split},
            extracted,
            lists.vocabulary,
            table,
        )
        for split in splits
    }
