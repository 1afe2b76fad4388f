"""`egmt annotate release`: captions -> the annotation file of a data set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from egmt_ros.errors import ConfigError, DataError

if TYPE_CHECKING:
    from egmt_ros.entities.captions.caption_file import PairCaptions


DESCRIPTION = """\
Write the annotation file of a data set, <split>/{ir,vi}/<name>.png with a caption file: the caption
of each image, the entities that it names, those that an annotator listed (where the caption file
has lists), 2 to 8 entities that speak for the pair, and what is in doubt. Training takes its labels
from this file alone; where an image has a list, the list counts, else what its caption names.

The file's vocabulary is that of the table of entities: what the table has and an image does not
show counts as absent, so add nothing to the table that an annotator did not look for.
"""

EPILOG = """\
Pairs that cannot be annotated (no caption, a caption that is not English, no images) and names that
the table lacks are named on stderr and counted; the rest is written. The same captions give the
same file. Exit status: 1 if `egmt annotate check` would find errors in it.

examples:
  egmt annotate release --data data/M3FD
  egmt annotate release --data data/TNO --captions tno_by_blip.json --out tno.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate release`."""
    from egmt_ros.entities.extraction.noun_phrases import add_extractor_arguments

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="one data set, with <split>/ir"
    )
    parser.add_argument(
        "--captions", type=Path, metavar="FILE", help="captions (default: DIR/captions.json)"
    )
    add_extractor_arguments(parser)
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="table of entities (default: entities.yaml)"
    )
    parser.add_argument(
        "--annotated-by",
        metavar="TEXT",
        help="who wrote the captions and listed entities (default: what the captions say)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="annotation file (default: DIR/annotations.json, where training looks for it)",
    )


def run(args: argparse.Namespace) -> int:
    """Write the file, and say what was left out; return 1 if the file has errors.

    Raises:
        DataError: There are no pairs or no captions, or nothing can be annotated.
        ConfigError: Nobody says who annotated, or the table or extractor cannot be used.
        MissingDependencyError: The extractor is not installed.
    """
    from tqdm import tqdm

    from egmt_ros.entities.captions.caption_file import read_caption_file
    from egmt_ros.entities.extraction.extract import extract_pairs
    from egmt_ros.entities.extraction.noun_phrases import open_extractor
    from egmt_ros.entities.extraction.table import load_entity_table
    from egmt_ros.entities.release.annotation_file import (
        FILE_NAME,
        AnnotationFile,
        Extractor,
        write_annotations,
    )
    from egmt_ros.entities.release.building import build_pairs
    from egmt_ros.entities.release.checks import check_meaning
    from egmt_ros.entities.release.data_checks import check_against, list_frames
    from egmt_ros.entities.release.problems import summarise

    folder = args.data.resolve()
    frames = list_frames(folder)
    if not frames:
        raise DataError(f"no pairs in {folder}; expected <split>/ir and <split>/vi")
    captions, unread = read_caption_file(args.captions or folder / "captions.json")
    annotated_by = args.annotated_by or _captioned_by(captions.values())
    table = load_entity_table(args.table)
    extractor = open_extractor(args.extractor, args)
    with tqdm(total=2 * len(captions), unit="caption", disable=None) as bar:
        extracted = extract_pairs(captions, extractor, table, bar.update)
    built = build_pairs(captions, extracted.pairs, table, frames)
    left_out = [*unread, *built.problems]
    for line in left_out:
        print(line, file=sys.stderr)
    if not built.pairs:
        raise DataError(
            f"no pair of {folder} can be annotated; see the {len(left_out)} lines above"
        )
    file = AnnotationFile(
        folder.name,
        annotated_by,
        Extractor(extractor.name, extractor.version),
        table.names,
        built.pairs,
    )
    problems = [*check_meaning(file), *check_against(file, frames)]
    for problem in problems:
        print(problem, file=sys.stderr)
    path = args.out or folder / FILE_NAME
    write_annotations(path, file)
    print(
        f"{path}: {len(file.pairs)} of {len(frames)} pairs; {len(left_out)} things left out; "
        f"{summarise(problems)}"
    )
    return int(any(not problem.warning for problem in problems))


def _captioned_by(captions: Iterable[PairCaptions]) -> str:
    names = sorted({caption.captioned_by for caption in captions} - {""})
    if not names:
        raise ConfigError(
            "the captions do not say who wrote them; give --annotated-by, such as the name of a "
            "model or of a person"
        )
    return "; ".join(names)
