"""Checks of an annotation file: its shape, and whether what it says makes sense."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from egmt_ros.entities.release import problems as kinds
from egmt_ros.entities.release.annotation_file import (
    FEWEST,
    MOST,
    AnnotationFile,
    PairAnnotation,
)
from egmt_ros.entities.release.json_source import read_json
from egmt_ros.entities.release.parsing import Parsed, parse_annotations
from egmt_ros.entities.release.problems import Problem, summarise
from egmt_ros.errors import DataError


def check_file(path: Path) -> Parsed:
    """Read an annotation file and check all that can be told without the images."""
    try:
        found = read_json(path)
    except DataError as error:
        return Parsed(None, [Problem(kinds.JSON, str(error))])
    file, problems = parse_annotations(found)
    if file is not None:
        problems = [*problems, *check_meaning(file)]
    return Parsed(file, problems)


def read_annotations(path: Path) -> AnnotationFile:
    """Read an annotation file that has no errors.

    Raises:
        DataError: It cannot be read or has errors; the message has the first and their number.
    """
    file, problems = check_file(path)
    errors = [problem for problem in problems if not problem.warning]
    if file is None or errors:
        raise DataError(
            f"{path}: {errors[0]} ({summarise(errors).partition(', 0 warnings')[0]}); "
            "`egmt annotate check` lists all"
        )
    return file


def check_meaning(file: AnnotationFile) -> Iterator[Problem]:
    """What is wrong in a file of the right shape."""
    for name in file.vocabulary:
        if name != name.strip().lower():
            yield Problem(
                kinds.NAME,
                f"vocabulary holds {name!r:.60}; expected names in lower case without spaces "
                "around them",
            )
    vocabulary = frozenset(file.vocabulary)
    for name, pair in file.pairs.items():
        for kind, message in _names_unknown(pair, vocabulary):
            yield Problem(kind, message, name)
        for problem in _chosen(pair):
            yield problem._replace(pair=name)
        for side, image in pair.images:
            if image.extracted is not None and file.extractor is None:
                yield Problem(
                    kinds.SHAPE,
                    f"{side}.extracted is there, but the file names no extractor; add extractor "
                    "with name and version",
                    name,
                )
            if image.caption is not None and image.extracted == ():
                yield Problem(
                    kinds.SILENT,
                    f"{side}.caption, {image.caption!r:.60}, names no entity of the vocabulary; is "
                    "it in English?",
                    name,
                    warning=True,
                )


def _names_unknown(pair: PairAnnotation, vocabulary: frozenset[str]) -> Iterator[tuple[str, str]]:
    lists = {"entities": pair.entities, "unsure": pair.unsure}
    for side, image in pair.images:
        lists |= {f"{side}.entities": image.entities, f"{side}.extracted": image.extracted}
    for where, names in lists.items():
        for name in names or ():
            if name not in vocabulary:
                yield (
                    kinds.NAME,
                    f"{where} holds {name!r:.60}, which vocabulary lacks; correct the name, or "
                    "add it to vocabulary if it was looked for in every pair",
                )


def _chosen(pair: PairAnnotation) -> Iterator[Problem]:
    """What is wrong with the entities that were chosen for a pair."""
    if pair.entities is None:
        return
    chosen, unsure = set(pair.entities), set(pair.unsure)
    for name in sorted(chosen & unsure):
        yield Problem(
            kinds.DOUBT,
            f"{name!r:.60} stands in entities and in unsure; remove it from one of the two",
        )
    held = {
        name
        for _, image in pair.images
        for names in (image.entities, image.extracted)
        for name in names or ()
    }
    for name in sorted(chosen - held):
        yield Problem(
            kinds.ORIGIN,
            f"entities holds {name!r:.60}, which is in no list of infrared and visible; add it to "
            "the image that shows it, or remove it",
        )
    known = len(held - unsure)
    if len(chosen) < min(FEWEST, known):
        yield Problem(
            kinds.COUNT,
            f"entities holds {len(chosen)} of {known} known names; expected {FEWEST} to {MOST}",
        )
    elif len(chosen) < FEWEST:
        yield Problem(
            kinds.FEW,
            f"entities holds {len(chosen)} names, as the images show no more; {FEWEST} to {MOST} "
            "speak for a pair",
            warning=True,
        )
