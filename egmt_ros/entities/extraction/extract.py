"""Captions of pairs -> entities of each image and of the pair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from egmt_ros.entities.captions.caption_file import IMAGES, PairCaptions
from egmt_ros.entities.extraction.folding import fold
from egmt_ros.entities.extraction.language import is_english
from egmt_ros.entities.extraction.phrases import NounPhraseExtractor
from egmt_ros.entities.extraction.table import EntityTable

BATCH = 64
"""Captions that an extractor is given at a time."""


class PairEntities(NamedTuple):
    """The entities that the captions of a pair name.

    Attributes:
        infrared: Those of the infrared caption, in order of mention.
        visible: Those of the visible caption, in order of mention.
        pair: Those chosen to speak for the pair, see `choose`.
    """

    infrared: tuple[str, ...]
    visible: tuple[str, ...]
    pair: tuple[str, ...]


class Extraction(NamedTuple):
    """Entities of many pairs.

    Attributes:
        pairs: Name of a pair -> its entities, in the order given.
        problems: A line each: captions in other languages, pairs with too few entities.
        not_english: How many captions were not read because of their language.
        too_few: How many pairs have fewer entities than the table wants.
    """

    pairs: dict[str, PairEntities]
    problems: tuple[str, ...]
    not_english: int
    too_few: int


def extract_pair(
    captions: PairCaptions, extractor: NounPhraseExtractor, table: EntityTable
) -> PairEntities:
    """Return the entities of one pair; an empty caption or one that is not English names none."""
    return extract_pairs({captions.pair: captions}, extractor, table).pairs[captions.pair]


def extract_pairs(
    captions: Mapping[str, PairCaptions],
    extractor: NounPhraseExtractor,
    table: EntityTable,
    progress: Callable[[int], object] | None = None,
) -> Extraction:
    """Return the entities of many pairs.

    Args:
        captions: Name of a pair -> its captions.
        extractor: Finds their noun phrases.
        table: Folds these to entities.
        progress: Called with the number of captions that were read since the last call.
    """
    texts = {
        (pair, image): text
        for pair, found in captions.items()
        for image, text in zip(IMAGES, (found.infrared, found.visible), strict=True)
        if text.strip()
    }
    foreign = {key for key, text in texts.items() if not is_english(text, table)}
    problems = [
        f"pair {pair!r}: the {image} caption is not English, so it names no entity: "
        f"{texts[pair, image]!r:.60}"
        for pair, image in texts
        if (pair, image) in foreign
    ]
    named = _named({k: t for k, t in texts.items() if k not in foreign}, extractor, table, progress)
    pairs = {}
    too_few = 0
    for pair in captions:
        infrared, visible = (named.get((pair, image), ()) for image in IMAGES)
        chosen = choose(infrared, visible, table)
        pairs[pair] = PairEntities(infrared, visible, chosen)
        if len(chosen) < table.least:
            too_few += 1
            found = ", ".join(chosen) or "none"
            problems.append(
                f"pair {pair!r} has {len(chosen)} entities ({found}); expected {table.least} or "
                "more: see its captions, or add what they name to the table"
            )
    return Extraction(pairs, tuple(problems), len(foreign), too_few)


def choose(
    infrared: tuple[str, ...], visible: tuple[str, ...], table: EntityTable
) -> tuple[str, ...]:
    """Choose the entities that speak for a pair, at most as many as the table says.

    First come entities of the table's preferred groups, in their order; within a group, and among
    the rest, what both images show before what one shows; then the order of mention, the infrared
    caption before the visible one.

    Args:
        infrared: Entities of the infrared image, in order of mention.
        visible: The same of the visible image.
        table: Its groups and numbers.
    """
    mentioned = list(dict.fromkeys((*infrared, *visible)))
    both = set(infrared) & set(visible)
    ranks = {group: rank for rank, group in enumerate(table.preferred)}
    ranked = sorted(
        mentioned,  # sorted() keeps their order where the key is equal
        key=lambda name: (ranks.get(table.group_of(name), len(ranks)), name not in both),
    )
    return tuple(ranked[: table.most])


def _named(
    texts: Mapping[tuple[str, str], str],
    extractor: NounPhraseExtractor,
    table: EntityTable,
    progress: Callable[[int], object] | None,
) -> dict[tuple[str, str], tuple[str, ...]]:
    keys = list(texts)
    named = {}
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        for key, phrases in zip(batch, extractor.phrases([texts[k] for k in batch]), strict=True):
            named[key] = tuple(fold(phrases, table))
        if progress is not None:
            progress(len(batch))
    return named
