"""How well extracted entities agree with those that an annotator listed beside the captions."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from egmt_ros.entities.captions.caption_file import IMAGES, PairCaptions
from egmt_ros.entities.extraction.extract import PairEntities
from egmt_ros.entities.extraction.folding import spans
from egmt_ros.entities.extraction.table import EntityTable
from egmt_ros.entities.extraction.words import words_of


class Agreement(NamedTuple):
    """Counts over images or pairs, of one entity or of all.

    Attributes:
        both: Times an entity was extracted and listed.
        extracted_only: Times it was extracted and not listed.
        listed_only: Times it was listed and not extracted.
        named: Times it was listed, and the caption holds its name or a synonym.
        named_found: Of these, times it was extracted.
    """

    both: int = 0
    extracted_only: int = 0
    listed_only: int = 0
    named: int = 0
    named_found: int = 0

    def __add__(self, other: Agreement) -> Agreement:  # type: ignore[override]
        return Agreement(*(a + b for a, b in zip(self, other, strict=True)))

    @property
    def precision(self) -> float | None:
        """Share of what was extracted that was listed; None if nothing was extracted."""
        return _share(self.both, self.both + self.extracted_only)

    @property
    def recall(self) -> float | None:
        """Share of what was listed that was extracted; None if nothing was listed."""
        return _share(self.both, self.both + self.listed_only)

    @property
    def recall_named(self) -> float | None:
        """Share of what was listed and named in words that was extracted; None if nothing was."""
        return _share(self.named_found, self.named)


class Quality(NamedTuple):
    """Agreement over the pairs of one split, or of several.

    Attributes:
        images: Entity -> agreement over single images.
        pairs: Entity -> agreement over pairs: what either image's caption or list has.
        image_count: Images that were compared.
        pair_count: Pairs that were compared.
    """

    images: dict[str, Agreement]
    pairs: dict[str, Agreement]
    image_count: int
    pair_count: int


class Lists(NamedTuple):
    """What the annotator's lists use.

    Attributes:
        vocabulary: Entities of the table that a list has, or names as unsure; in table order.
        unknown: Name that the table lacks -> times it stands in a list.
    """

    vocabulary: tuple[str, ...]
    unknown: dict[str, int]


def read_lists(captions: Iterable[PairCaptions], table: EntityTable) -> Lists:
    """Find out which entities an annotator listed; only these can be compared.

    Args:
        captions: Of every pair that the annotator looked at, also of splits that are not compared.
        table: Its names and synonyms.
    """
    used: set[str] = set()
    unknown: Counter[str] = Counter()
    for pair in captions:
        for name in (*(pair.listed_infrared or ()), *(pair.listed_visible or ()), *pair.unsure):
            entity = table.resolve(name)
            if entity is None:
                unknown[name] += 1
            else:
                used.add(entity)
    vocabulary = tuple(name for name in table.names if name in used)
    return Lists(vocabulary, dict(sorted(unknown.items())))


def compare(
    captions: Mapping[str, PairCaptions],
    extracted: Mapping[str, PairEntities],
    vocabulary: Iterable[str],
    table: EntityTable,
) -> Quality:
    """Compare extracted entities with listed ones.

    Entities that the annotator was unsure of in a pair are left out of it; images without a
    caption or without a list are left out, and with them their pair.

    Args:
        captions: Name of a pair -> captions and lists.
        extracted: Name of a pair -> extracted entities.
        vocabulary: Entities to compare, see read_lists.
        table: What tells which entities a caption names.
    """
    looked_for = tuple(vocabulary)
    plain = _names_and_synonyms(table)
    images = dict.fromkeys(looked_for, Agreement())
    pairs = dict.fromkeys(looked_for, Agreement())
    image_count = pair_count = 0
    for name, pair in captions.items():
        counted = set(looked_for) - _entities(pair.unsure, table)
        of_pair = _Sides()
        for image in IMAGES:
            text, listed = getattr(pair, image), getattr(pair, f"listed_{image}")
            if not text or listed is None:
                continue
            side = _Sides(
                set(getattr(extracted[name], image)),
                _entities(listed, table),
                {n for span in spans(words_of(text), plain) for n in span.names or ()},
            )
            side.count(counted, images)
            of_pair.join(side)
            image_count += 1
        if of_pair.images == len(IMAGES):
            of_pair.count(counted, pairs)
            pair_count += 1
    return Quality(images, pairs, image_count, pair_count)


def total(agreements: Mapping[str, Agreement]) -> Agreement:
    """The counts of all entities together (micro average)."""
    return sum(agreements.values(), Agreement())


@dataclasses.dataclass
class _Sides:
    """Entities of an image, or of the images of a pair together."""

    extracted: set[str] = dataclasses.field(default_factory=set)
    listed: set[str] = dataclasses.field(default_factory=set)
    named: set[str] = dataclasses.field(default_factory=set)
    images: int = 0

    def join(self, other: _Sides) -> None:
        self.extracted |= other.extracted
        self.listed |= other.listed
        self.named |= other.named
        self.images += 1

    def count(self, counted: set[str], agreements: dict[str, Agreement]) -> None:
        for entity in counted & (self.extracted | self.listed):
            extracted, listed = entity in self.extracted, entity in self.listed
            named = listed and entity in self.named
            agreements[entity] += Agreement(
                extracted and listed,
                extracted and not listed,
                listed and not extracted,
                named,
                named and extracted,
            )


def _entities(names: Iterable[str], table: EntityTable) -> set[str]:
    return {entity for entity in map(table.resolve, names) if entity is not None}


def _names_and_synonyms(table: EntityTable) -> EntityTable:
    """The table without what implies, and without phrases that mean something else."""
    meanings = {
        tuple(words_of(phrase)): (entity.name,)
        for entity in table.entities
        for phrase in (entity.name, *entity.synonyms)
    }
    return dataclasses.replace(table, meanings=meanings)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
