"""`egmt annotate check`: are annotation files what they should be?"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from egmt_ros.errors import DataError

if TYPE_CHECKING:
    from egmt_ros.entities.release.agreement import Agreement
    from egmt_ros.entities.release.annotation_file import AnnotationFile
    from egmt_ros.entities.release.problems import Problem


DESCRIPTION = """\
Check annotation files: their shape (annotations.schema.json), names that their vocabulary lacks,
pairs annotated twice, entities both present and unsure, more than 8 or fewer than 2 entities that
speak for a pair, empty captions; and against a data set: annotations of pairs that are not there,
pairs without annotation, other splits. Each problem is named with its pair, and all are counted.
"""

EPILOG = """\
Errors keep a file from being trained on; warnings do not. Exit status: 1 if there are errors.

examples:
  egmt annotate check data/M3FD
  egmt annotate check annotations --data data --counts --agreement
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt annotate check`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="FILE_OR_DIR",
        help="annotation files, folders of them, data sets with an annotations.json, or folders "
        "of such data sets",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of data sets, or one data set, whose pairs are to be annotated (default: the "
        "file's own folder, if it has <split>/ir)",
    )
    parser.add_argument("--counts", action="store_true", help="tables of pairs and entities")
    parser.add_argument(
        "--agreement",
        action="store_true",
        help="compare with labels.json and labels_by_modality.json of the data set",
    )


def run(args: argparse.Namespace) -> int:
    """Print every problem, then a line a file; return 1 if there are errors."""
    from egmt_ros.entities.release.checks import check_file
    from egmt_ros.entities.release.problems import summarise
    from egmt_ros.entities.release.tables import agreement_table, counts_tables

    if args.data is not None and not args.data.is_dir():
        raise DataError(f"--data {args.data} is not a folder; give a folder of data sets")
    summaries, good, failed = [], [], False
    for path in _annotation_files(args.paths):
        file, problems = check_file(path)
        folder = None
        if file is not None:
            folder, found = _compare(path, file, args.data)
            problems = [*problems, *found]
        for problem in problems:
            print(f"{path}: {problem}")
        failed |= any(not problem.warning for problem in problems)
        what = f"{file.dataset}, {len(file.pairs)} pairs" if file else "not read"
        summaries.append(f"{path}: {what}: {summarise(problems)}")
        if file is not None:
            good.append((file, folder))
    print("\n".join(summaries))
    if args.counts:
        print(f"\n{counts_tables([file for file, _ in good])}")
    if args.agreement:
        print(f"\n{agreement_table(_agreement(good))}")
    return int(failed)


def _annotation_files(paths: Iterable[Path]) -> Iterator[Path]:
    from egmt_ros.entities.release.annotation_file import FILE_NAME

    for path in paths:
        if not path.is_dir():
            yield path
            continue
        if (path / FILE_NAME).exists():
            found = [path / FILE_NAME]
        else:
            found = sorted(path.glob(f"*/{FILE_NAME}")) or sorted(path.glob("*.json"))
        if not found:
            raise DataError(
                f"there is no annotation file in {path}; make one with `egmt annotate release`"
            )
        yield from found


def _compare(
    path: Path, file: AnnotationFile, data: Path | None
) -> tuple[Path | None, list[Problem]]:
    """The data set folder of an annotation file, and where the two differ."""
    from egmt_ros.entities.release import problems as kinds
    from egmt_ros.entities.release.data_checks import (
        check_against,
        dataset_folder,
        holds_splits,
        list_frames,
    )
    from egmt_ros.entities.release.problems import Problem

    if data is None:
        if not holds_splits(path.parent):
            return None, []
        folder = path.parent
    else:
        try:
            folder = dataset_folder(data, file.dataset)
        except DataError as error:
            return None, [Problem(kinds.NO_DATASET, str(error))]
    return folder, list(check_against(file, list_frames(folder)))


def _agreement(
    files: Iterable[tuple[AnnotationFile, Path | None]],
) -> Iterator[tuple[str, str, Agreement]]:
    """Rows of agreement_table for every file whose data set has labels."""
    from egmt_ros.entities.release.agreement import image_agreement, pair_agreement
    from egmt_ros.entities.vocabulary import load_vocabulary
    from egmt_ros.resources import config_path

    aliases = load_vocabulary(config_path("vocabulary.yaml")).aliases or {}
    for file, folder in files:
        if folder is None:
            raise DataError(
                f"--agreement needs the labels of {file.dataset}; give its folder with --data"
            )
        for row in pair_agreement(file, folder, aliases):
            yield file.dataset, "pair", row
        for modality, rows in image_agreement(file, folder, aliases).items():
            for row in rows:
                yield file.dataset, modality, row
