"""Agreement of an annotation file with labels that people made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from egmt_ros.entities.annotations import (
    UNKNOWN,
    HumanLabels,
    read_boxed,
    resolved,
    seen_by_annotator,
)
from egmt_ros.entities.release.annotation_file import AnnotationFile
from egmt_ros.entities.vocabulary import Vocabulary


class Confusion(NamedTuple):
    """How often annotator and people named an entity.

    Attributes:
        both: Images in which both have it.
        annotator: In which the annotator alone has it.
        people: In which people alone have it.
        neither: In which neither has it.
    """

    both: int
    annotator: int
    people: int
    neither: int

    @property
    def precision(self) -> float | None:
        """Share of the annotator's that people have as well; None if it named none."""
        return _share(self.both, self.annotator)

    @property
    def recall(self) -> float | None:
        """Share of the people's that the annotator has as well; None if they have none."""
        return _share(self.both, self.people)


class Agreement(NamedTuple):
    """How far an annotator and people agree on an entity, over the images that people labelled.

    Attributes:
        entity: Name in the annotation file.
        sure: Over the images in which the annotator was not in doubt.
        doubted: Over the others: whether it listed the entity nevertheless.
    """

    entity: str
    sure: Confusion
    doubted: Confusion

    @property
    def all(self) -> Confusion:
        """Over all images, with what was listed in doubt as present."""
        return Confusion(*map(sum, zip(self.sure, self.doubted, strict=True)))


def pair_agreement(
    file: AnnotationFile, folder: Path, aliases: Mapping[str, str]
) -> list[Agreement]:
    """Compare with labels.json, pair by pair.

    Args:
        file: Annotations.
        folder: Its data set folder.
        aliases: Class name in labels.json -> entity, where the two differ.

    Returns:
        A row for each class that people looked for and that the file's vocabulary has, in the
        vocabulary's order; none where labels.json is missing.

    Raises:
        DataError: A label file cannot be used.
    """
    vocabulary = _vocabulary(file, aliases)
    human, seen = HumanLabels(folder, vocabulary), seen_by_annotator(file, vocabulary)

    def answers() -> Iterator[_Answer]:
        for name in human.pairs:
            if name in seen:
                pair = seen[name]
                listed = pair.infrared | pair.visible
                for entity, truth in zip(vocabulary.names, human.target(name), strict=True):
                    if truth != UNKNOWN:
                        yield _Answer(entity, truth == 1, entity in listed, entity in pair.unknown)

    return _count(answers(), vocabulary)


def image_agreement(
    file: AnnotationFile, folder: Path, aliases: Mapping[str, str]
) -> dict[str, list[Agreement]]:
    """Compare with labels_by_modality.json: "thermal", "visible" -> rows as pair_agreement gives.

    The classes are those that anybody boxed in the data set.

    Raises:
        DataError: The file cannot be used.
    """
    vocabulary = _vocabulary(file, aliases)
    seen, boxed = seen_by_annotator(file, vocabulary), read_boxed(folder)
    drawn = (names for images in boxed.values() for names in images.values())
    classes = resolved((name for names in drawn for name in names), vocabulary)

    def answers(modality: str) -> Iterator[_Answer]:
        for name in sorted(boxed.keys() & seen.keys()):
            pair = seen[name]
            listed = pair.infrared if modality == "thermal" else pair.visible
            present = resolved(boxed[name][modality], vocabulary)
            for entity in classes:
                yield _Answer(entity, entity in present, entity in listed, entity in pair.unknown)

    return {modality: _count(answers(modality), vocabulary) for modality in ("thermal", "visible")}


class _Answer(NamedTuple):
    """One entity in one image: whether people have it, the annotator lists it, and doubts it."""

    entity: str
    labelled: bool
    listed: bool
    doubted: bool


def _vocabulary(file: AnnotationFile, aliases: Mapping[str, str]) -> Vocabulary:
    return Vocabulary(file.vocabulary, "", aliases=dict(aliases))


def _count(answers: Iterable[_Answer], vocabulary: Vocabulary) -> list[Agreement]:
    """A row for each entity that there are answers about, in the vocabulary's order."""
    counts = Counter(answers)

    def confusion(name: str, doubted: bool) -> Confusion:
        ways = ((True, True), (False, True), (True, False), (False, False))
        return Confusion(*(counts[_Answer(name, *way, doubted)] for way in ways))

    asked = {answer.entity for answer in counts}
    return [
        Agreement(name, confusion(name, False), confusion(name, True))
        for name in vocabulary.names
        if name in asked
    ]


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
