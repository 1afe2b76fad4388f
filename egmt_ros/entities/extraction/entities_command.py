"""`egmt annotate entities`: the entities that captions name."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from egmt_ros.entities.extraction.caption_sources import (
    CaptionSource,
    add_source_arguments,
    read_sources,
)
from egmt_ros.entities.extraction.extract import Extraction, extract_pairs
from egmt_ros.entities.extraction.noun_phrases import add_extractor_arguments, open_extractor
from egmt_ros.entities.extraction.phrases import NounPhraseExtractor
from egmt_ros.entities.extraction.problem_list import tell_problems
from egmt_ros.entities.extraction.table import EntityTable, load_entity_table
from egmt_ros.errors import DataError

FORMAT = "egmt-entities"
VERSION = 1

DESCRIPTION = """\
Find the entities that captions name: noun phrases by spaCy or by a sequence-to-sequence model that
is asked for a list, folded to the names of a table of synonyms (config/entities.yaml). Of each pair
2 to 8 entities are chosen to speak for it, by the rule in the table.

The JSON file says, for each data set and pair: split, entities of the infrared and of the visible
caption in order of mention, and those chosen for the pair. `egmt annotate release` makes annotation
files for training of the same.
"""

EPILOG = """\
Captions that are empty or not English name nothing; they, and pairs with fewer than 2 entities, are
named on stderr and in the file, and counted.

examples:
  egmt annotate entities --data data --out entities.json
  egmt annotate entities --captions data/TNO/captions.json --extractor seq2seq \\
      --model google/flan-t5-base --out tno.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate entities`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    add_source_arguments(parser)
    add_extractor_arguments(parser)
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="table of entities (default: entities.yaml)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="JSON to write")


def run(args: argparse.Namespace) -> int:
    """Extract, write and print; return the exit status.

    Raises:
        ConfigError: An argument or the table cannot be used.
        DataError: There are no captions, or none of them names an entity.
        CheckpointError: The model cannot be loaded, or fails.
        DeviceError: The device is not there.
        MissingDependencyError: spaCy, its pipeline or transformers is not installed.
    """
    from tqdm import tqdm

    table = load_entity_table(args.table)
    sources = read_sources(args)
    extractor = open_extractor(args.extractor, args)
    captions = sum(bool(c.infrared) + bool(c.visible) for s in sources for c in s.captions.values())
    with tqdm(total=captions, unit="caption", disable=None) as bar:
        found = [extract_pairs(s.captions, extractor, table, bar.update) for s in sources]
    problems = [
        problem
        for source, extraction in zip(sources, found, strict=True)
        for problem in (*source.problems, *(f"{source.name}: {p}" for p in extraction.problems))
    ]
    tell_problems(problems)
    pairs = [entities for extraction in found for entities in extraction.pairs.values()]
    named = sum(bool(entities.pair) for entities in pairs)
    if not named:
        raise DataError(
            f"no caption of {len(pairs)} pairs names an entity of the table; see the captions, or "
            "add what they name to the table (`egmt annotate vocabulary` lists it)"
        )
    _write(args.out, _content(sources, found, extractor, table, problems))
    entities = {name for pair in pairs for name in (*pair.infrared, *pair.visible)}
    print(
        f"{args.out}: {named} of {len(pairs)} pairs name {len(entities)} of {len(table.names)} "
        f"entities ({extractor.name} {extractor.version}); "
        f"{sum(f.not_english for f in found)} captions not English, "
        f"{sum(f.too_few for f in found)} pairs with fewer than {table.least} entities"
    )
    return 0


def _content(
    sources: list[CaptionSource],
    found: list[Extraction],
    extractor: NounPhraseExtractor,
    table: EntityTable,
    problems: list[str],
) -> dict[str, Any]:
    datasets = {
        source.name: {
            pair: {
                "split": source.captions[pair].split,
                "infrared": entities.infrared,
                "visible": entities.visible,
                "pair": entities.pair,
            }
            for pair, entities in extraction.pairs.items()
        }
        for source, extraction in zip(sources, found, strict=True)
    }
    return {
        "format": FORMAT,
        "version": VERSION,
        "extractor": {"name": extractor.name, "version": extractor.version},
        "vocabulary": table.names,
        "datasets": datasets,
        "problems": problems,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)
