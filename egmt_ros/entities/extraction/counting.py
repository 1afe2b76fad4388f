"""How often captions name each entity, by which phrases, and what they name besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from egmt_ros.entities.captions.caption_file import PairCaptions
from egmt_ros.entities.extraction.extract import extract_pairs
from egmt_ros.entities.extraction.folding import spans
from egmt_ros.entities.extraction.language import FUNCTION_WORDS
from egmt_ros.entities.extraction.phrases import NounPhraseExtractor, Phrase
from egmt_ros.entities.extraction.table import EntityTable
from egmt_ros.entities.extraction.words import singular, words_of


class Counts(NamedTuple):
    """What the captions of a number of pairs name. Every count is one of pairs.

    Attributes:
        pairs: Pairs that were read.
        entities: Entity -> pairs whose captions name it, of every entity of the table.
        phrases: Entity -> phrase of the table -> pairs that have it, the most frequent first.
        unknown: Noun that the table lacks, in the singular -> pairs that have it, the most
            frequent first.
    """

    pairs: int
    entities: dict[str, int]
    phrases: dict[str, dict[str, int]]
    unknown: dict[str, int]


def count(
    data_sets: Sequence[Mapping[str, PairCaptions]],
    extractor: NounPhraseExtractor,
    table: EntityTable,
    progress: Callable[[int], object] | None = None,
) -> Counts:
    """Count what captions name.

    Args:
        data_sets: Name of a pair -> its captions, of each data set.
        extractor: Finds their noun phrases.
        table: Folds these to entities.
        progress: As extract_pairs has it.
    """
    entities: Counter[str] = Counter()
    phrases: dict[str, Counter[str]] = {name: Counter() for name in table.names}
    unknown: Counter[str] = Counter()
    for captions in data_sets:
        noted = _Noting(extractor)
        found = extract_pairs(captions, noted, table, progress)
        for pair, named in found.pairs.items():
            entities.update({*named.infrared, *named.visible})
            told = [p for text in captions[pair][2:4] for p in noted.told.get(text, ())]
            told = [p for p in told if not p.negated and not p.clause]
            for entity, phrase in {use for p in told for use in _uses(p, table)}:
                phrases[entity][phrase] += 1
            unknown.update({noun for p in told if (noun := _unknown_noun(p, table))})
    return Counts(
        sum(map(len, data_sets)),
        {name: entities[name] for name in table.names},
        {name: _by_count(uses) for name, uses in phrases.items()},
        _by_count(unknown),
    )


class _Noting:
    """An extractor that remembers what it told."""

    def __init__(self, extractor: NounPhraseExtractor) -> None:
        self.name, self.version = extractor.name, extractor.version
        self.told: dict[str, list[Phrase]] = {}
        self._extractor = extractor

    def phrases(self, captions: Sequence[str]) -> list[list[Phrase]]:
        found = self._extractor.phrases(captions)
        self.told.update(zip(captions, found, strict=True))
        return found


def _uses(phrase: Phrase, table: EntityTable) -> set[tuple[str, str]]:
    """Entity and phrase of each place where the phrase names an entity, in table spelling."""
    uses = set()
    for span in spans(words_of(phrase.text), table):
        for name in (span.names or ())[:1]:  # what follows is implied
            words = span.words
            if words not in table.meanings:
                words = (*words[:-1], singular(words[-1]))
            uses.add((name, " ".join(words)))
    return uses


def _unknown_noun(phrase: Phrase, table: EntityTable) -> str | None:
    """The last word of a phrase, which its noun is, if the table lacks it."""
    cut = list(spans(words_of(phrase.text), table))
    if not cut or cut[-1].names is not None:
        return None
    word = cut[-1].words[0]
    if word in FUNCTION_WORDS or word in table.negations or word.isdigit():
        return None
    return singular(word)


def _by_count(counter: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda entry: (-entry[1], entry[0])))
