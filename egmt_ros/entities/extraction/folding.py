"""Noun phrases -> entities of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from egmt_ros.entities.extraction.negation import AFFIRMING
from egmt_ros.entities.extraction.phrases import Phrase
from egmt_ros.entities.extraction.table import EntityTable, Names, Relation, Words
from egmt_ros.entities.extraction.words import singular, words_of

REACH = 3
"""Words without meaning that may stand between the parts of a relation ("riding a small red")."""


class Span(NamedTuple):
    """Some words of a text and what they mean.

    Attributes:
        words: One word, or the words of a phrase of the table.
        names: Entities that they name; empty for phrases that name none; None for a word that
            the table lacks.
    """

    words: Words
    names: Names | None


def fold(phrases: Iterable[Phrase], table: EntityTable) -> list[str]:
    """Return the entities that phrases name.

    From left to right the longest phrase of the table wins, so "traffic light" is no light and
    "car park" no car; words between are skipped; what a negation in the phrase precedes, and every
    negated phrase, names nothing; what an entity implies follows it.

    Args:
        phrases: In order of mention.
        table: The table.

    Returns:
        Names, each once, in order of mention.
    """
    found: dict[str, None] = {}
    for phrase in phrases:
        if not phrase.negated:
            found.update(dict.fromkeys(_names(phrase, table)))
    return list(found)


def spans(words: Sequence[str], table: EntityTable) -> Iterator[Span]:
    """Cut words into phrases of the table, the longest first, and words that it lacks.

    Args:
        words: As words_of gives them.
        table: The table.

    Yields:
        Spans that together hold every word once, in order.
    """
    at = 0
    while at < len(words):
        for length in range(min(table.longest, len(words) - at), 0, -1):
            taken = tuple(words[at : at + length])
            names = table.meaning(taken)
            if names is not None or length == 1:
                yield Span(taken, names)
                at += length
                break


def denies(cut: Sequence[Span], at: int, table: EntityTable) -> bool:
    """Whether a word denies what follows it: a negation, but not "not only" or "no fewer than"."""
    if cut[at].names is not None or cut[at].words[0] not in table.negations:
        return False
    return at + 1 == len(cut) or cut[at + 1].words[0] not in AFFIRMING


def _names(phrase: Phrase, table: EntityTable) -> Iterator[str]:
    cut = list(spans(words_of(phrase.text), table))
    for index, span in enumerate(cut):
        if denies(cut, index, table):
            return
        if not phrase.clause:
            yield from span.names or ()
        for relation in table.relations:
            if relation.subject in (span.names or ()) and _holds(relation, cut[index + 1 :], table):
                yield from relation.means


def _holds(relation: Relation, after: Sequence[Span], table: EntityTable) -> bool:
    """Whether a link of the relation, and then its object, follow the subject."""
    linked = False
    skipped = 0
    for index, span in enumerate(after):
        if span.names is not None:
            return linked and relation.object in span.names
        word = span.words[0]
        if denies(after, index, table):
            return False
        if not linked and (word in relation.links or singular(word) in relation.links):
            if not relation.object:
                return True
            linked, skipped = True, 0
            continue
        skipped += 1
        if skipped > REACH:
            return False
    return False
