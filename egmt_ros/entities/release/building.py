"""Captions and what was read out of them -> the annotations of a data set."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from egmt_ros.entities.captions.caption_file import PairCaptions
from egmt_ros.entities.extraction.extract import PairEntities, choose
from egmt_ros.entities.extraction.language import is_english
from egmt_ros.entities.extraction.table import EntityTable
from egmt_ros.entities.release.annotation_file import ImageAnnotation, PairAnnotation
from egmt_ros.entities.release.data_checks import Frame


class Built(NamedTuple):
    """Annotations of the pairs that could be annotated.

    Attributes:
        pairs: Name -> annotation.
        problems: What was left out, a line each.
    """

    pairs: dict[str, PairAnnotation]
    problems: list[str]


def build_pairs(
    captions: Mapping[str, PairCaptions],
    extracted: Mapping[str, PairEntities],
    table: EntityTable,
    frames: Mapping[str, Frame],
) -> Built:
    """Join captions and entities.

    Left out, and named, are pairs that the data set lacks; pairs of which an image has no list of
    entities and no caption that can be read; and listed names that the table lacks.

    Args:
        captions: Name of a pair -> its captions, and the lists of its annotator.
        extracted: Name of a pair -> entities that the captions name.
        table: Names that were looked for, and how they are chosen.
        frames: The pairs on disk, see list_frames.
    """
    pairs, problems = {}, []
    for name, caption in sorted(captions.items()):
        if name not in frames:
            problems.append(f"pair {name!r} is captioned, but the data set has no such pair")
            continue
        frame, found = frames[name], extracted[name]
        builder = _Builder(table)
        images = {
            "infrared": builder.image(
                "infrared", caption.infrared, caption.listed_infrared, found.infrared
            )
        }
        if frame.visible:
            images["visible"] = builder.image(
                "visible", caption.visible, caption.listed_visible, found.visible
            )
        unsure = builder.names("unsure", caption.unsure)
        problems += [f"pair {name!r}: {problem}" for problem in builder.problems]
        if builder.usable:
            pairs[name] = PairAnnotation(
                caption.split or frame.splits[0],
                images["infrared"],
                images.get("visible"),
                choose_known(images, unsure, table),
                unsure,
            )
    return Built(pairs, problems)


def choose_known(
    images: Mapping[str, ImageAnnotation], unsure: Collection[str], table: EntityTable
) -> tuple[str, ...]:
    """Choose the entities that speak for a pair, among those that its images show.

    What is in doubt is left out. The rule is that of `choose`, with what the captions name before
    what was only listed.
    """
    known = {"infrared": (), "visible": ()}
    for side, image in images.items():
        named = [name for name in image.extracted or () if name in image.seen]
        ordered = dict.fromkeys((*named, *image.seen))
        known[side] = tuple(name for name in ordered if name not in unsure)
    return choose(known["infrared"], known["visible"], table)


class _Builder:
    """Makes the annotations of one pair.

    Attributes:
        problems: What was left out.
        usable: Both images are annotated.
    """

    def __init__(self, table: EntityTable) -> None:
        self.problems: list[str] = []
        self.usable = True
        self._table = table

    def image(
        self, side: str, caption: str, listed: tuple[str, ...] | None, named: tuple[str, ...]
    ) -> ImageAnnotation:
        readable = bool(caption) and is_english(caption, self._table)
        if listed is None and not readable:
            what = f"caption {caption!r:.60}, which is not English," if caption else "no caption"
            self.problems.append(f"left out: {side} has {what} and no list of entities")
            self.usable = False
        return ImageAnnotation(
            caption or None,
            None if listed is None else self.names(side, listed),
            named if readable else None,
        )

    def names(self, where: str, listed: tuple[str, ...]) -> tuple[str, ...]:
        """The entities that are meant by listed names, each once, sorted."""
        meant = {name: self._table.resolve(name) for name in listed}
        self.problems += [
            f"{where} lists {name!r:.60}, which the table of entities lacks; add it to the table"
            for name, entity in meant.items()
            if entity is None
        ]
        return tuple(sorted({entity for entity in meant.values() if entity is not None}))
