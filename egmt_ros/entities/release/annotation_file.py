"""Annotation files: what they hold, and how they are written.

annotations.schema.json beside this module describes the format to other tools.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = "egmt-annotations"
VERSION = 1
FILE_NAME = "annotations.json"
"""Name of the annotation file of a data set folder."""

FEWEST, MOST = 2, 8
"""How many entities are chosen for a pair, as in EGMT."""


class Extractor(NamedTuple):
    """What read the entities out of the captions."""

    name: str
    version: str


class ImageAnnotation(NamedTuple):
    """What is known of one image.

    Attributes:
        caption: Its caption; None if it has none.
        entities: Entities that an annotator who looked at the image listed; None if nobody did.
        extracted: Entities that the caption names, in order of mention; None if none were looked
            for in it.
    """

    caption: str | None
    entities: tuple[str, ...] | None
    extracted: tuple[str, ...] | None

    @property
    def seen(self) -> tuple[str, ...]:
        """What the image is taken to show: the listed entities, else the extracted ones."""
        return self.entities if self.entities is not None else self.extracted or ()


class PairAnnotation(NamedTuple):
    """What is known of one pair.

    Attributes:
        split: "train", "val", "test", or another folder of the data set.
        infrared: Of its infrared image.
        visible: Of its visible image; None for a thermal frame without one.
        entities: The 2 to 8 entities chosen to speak for the pair, the most important first; None
            if none were chosen.
        unsure: Entities that were listed, or left out, with real doubt.
    """

    split: str
    infrared: ImageAnnotation
    visible: ImageAnnotation | None
    entities: tuple[str, ...] | None
    unsure: tuple[str, ...]

    @property
    def images(self) -> Iterator[tuple[str, ImageAnnotation]]:
        """Name ("infrared", "visible") and annotation of each image that is there."""
        yield "infrared", self.infrared
        if self.visible is not None:
            yield "visible", self.visible

    @property
    def seen(self) -> frozenset[str]:
        """Entities that either image shows and that are not in doubt."""
        both = {name for _, image in self.images for name in image.seen}
        return frozenset(both - set(self.unsure))


@dataclass(frozen=True)
class AnnotationFile:
    """The annotations of one data set.

    Attributes:
        dataset: Name of the data set, which is that of its folder.
        annotated_by: Who wrote the captions and listed the entities.
        extractor: What made the lists `extracted`; None if there are none.
        vocabulary: The names that were looked for; a name outside it is unknown, not absent.
        pairs: Name of a pair (its file stem) -> what is known of it.
    """

    dataset: str
    annotated_by: str
    extractor: Extractor | None
    vocabulary: tuple[str, ...]
    pairs: Mapping[str, PairAnnotation]


def write_annotations(path: Path, content: AnnotationFile) -> None:
    """Write an annotation file; the same content always gives the same bytes.

    Pairs are sorted by name; lists keep their order.

    Raises:
        OSError: The file cannot be written; what was there before is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    # A lone surrogate, which UTF-8 cannot hold, becomes the escape that JSON has for it.
    part.write_bytes(_text(_as_json(content)).encode("utf-8", "backslashreplace") + b"\n")
    os.replace(part, path)


def _as_json(content: AnnotationFile) -> dict[str, Any]:
    head: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "dataset": content.dataset,
        "annotated_by": content.annotated_by,
    }
    if content.extractor is not None:
        head["extractor"] = content.extractor._asdict()
    pairs = {}
    for name, pair in sorted(content.pairs.items()):
        entry: dict[str, Any] = {"split": pair.split}
        for side, image in pair.images:
            entry[side] = {
                "caption": image.caption,
                "entities": image.entities,
                "extracted": image.extracted,
            }
            entry[side] = {key: value for key, value in entry[side].items() if value is not None}
        if pair.entities is not None:
            entry["entities"] = pair.entities
        pairs[name] = {**entry, "unsure": pair.unsure}
    return {**head, "vocabulary": content.vocabulary, "pairs": pairs}


def _text(value: Any, depth: int = 0) -> str:
    """JSON with a line for each key, and lists of names in one line, so that diffs are read."""
    if not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    lines = (
        " " * (depth + 1) + f"{json.dumps(key, ensure_ascii=False)}: {_text(entry, depth + 1)}"
        for key, entry in value.items()
    )
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
