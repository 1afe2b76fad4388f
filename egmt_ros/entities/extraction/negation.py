"""What a text denies: "no cars", "without people", "not a car in sight"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

_DENYING = frozenset({"no", "neither", "zero"})
"""Determiners that deny their noun."""
_NOT = frozenset({"not", "n't", "n’t", "never"})
AFFIRMING = frozenset({"fewer", "just", "less", "merely", "only"})
"""Words after a denial that turn it round: "not only cars", "no fewer than three"."""
_WITHOUT = frozenset({"without", "sans", "minus", "lacking"})
"""Prepositions that deny what they govern."""
_LACKING = frozenset({"lack", "miss"})
"""Verbs whose object is not there."""
_EMPTY = frozenset({"devoid", "free", "empty", "clear", "bare", "void"})
"""Adjectives that deny what their "of" governs."""
_ABSENCE = frozenset({"absence", "lack"})
"""Nouns that deny what their "of" governs."""
_SEEING = frozenset(
    "appear be contain depict detect discern display exist feature find have include make notice "
    "observe recognise recognize remain see show spot".split()
)
"""Verbs that say that something is there, so that denying them denies it."""
_HAVING = frozenset({"bear", "carry", "hold", "wear"})
"""Verbs whose object goes with a denial of them, but not their subject."""
_SEEN = frozenset({"visible", "there", "present", "seen", "noticeable", "discernible", "sight"})
"""Complements of "be" that say that its subject is there."""
_UNSEEN = frozenset({"invisible", "absent", "missing", "gone"})
"""Complements of "be" that say that its subject is not there."""
_SUBJECTS = frozenset({"nsubj", "nsubjpass"})
_OBJECTS = frozenset({"attr", "dobj", "obj", "oprd"})
_ARTICLES = frozenset("a an just many one only several some the three two".split())
"""Words before a noun that start anew after a denial ("no cars and a tree")."""
_REACH = 4
"""Words before a denied one among which the denial is looked for in a text without a parse."""
_DENYING_WORDS = _DENYING | _WITHOUT | {"not", "nor", "never"}
_TAKING_ARTICLES = _WITHOUT | {"not", "never"}


def denied(doc: Doc) -> frozenset[int]:
    """Return the positions of the nouns that a parsed text says are not there.

    Args:
        doc: Parsed by spaCy, with dependencies.
    """
    found: set[int] = set()
    for token in doc:
        if token.pos_ in {"NOUN", "PROPN", "PRON", "NUM"} and _denies(token):
            _spread(token, found)
    return frozenset(found)


def denied_words(words: Sequence[str]) -> frozenset[str]:
    """Return the words that a text, word by word and without a parse, denies wherever they stand.

    Args:
        words: Of the text, in lower case and order.
    """
    positive = {word for at, word in enumerate(words) if not _denied_at(words, at)}
    return frozenset(words) - positive


def _denies(noun: Token) -> bool:
    """Whether the sentence denies this noun itself."""
    if any(_is_denying(child) for child in noun.children):
        return True
    above = noun.head
    if noun.dep_ == "pobj":
        if above.lower_ in _WITHOUT:
            return True
        if above.lower_ == "of":
            whose = above.head
            return whose.lower_ in _EMPTY or whose.lemma_.lower() in _ABSENCE
    if noun.dep_ in _OBJECTS:
        if above.lemma_.lower() in _LACKING or above.lower_ in _WITHOUT:
            return True
        return above.lemma_.lower() in _SEEING | _HAVING and _is_negative(above)
    if noun.dep_ in _SUBJECTS:
        complements = {t.lower_ for t in above.children if t.dep_ in {"acomp", "advmod", "attr"}}
        if above.lemma_ == "be" and complements & _UNSEEN:
            return not _is_negative(above)
        if not _is_negative(above):
            return False
        if above.lemma_ == "be":
            expletive = any(child.dep_ == "expl" for child in above.children)
            return expletive or _seen_in(above)
        seeing = above.lemma_.lower() in _SEEING
        return seeing and (noun.dep_ == "nsubjpass" or above.lemma_ == "appear")
    return False


def _spread(noun: Token, found: set[int]) -> None:
    """Deny a noun, the nouns joined to it, and what its "of" governs ("no sign of people")."""
    if noun.i in found:
        return
    found.add(noun.i)
    contrast = any(child.lower_ == "but" for child in noun.children)
    for child in noun.children:
        if child.dep_ in {"conj", "appos"} and not contrast and not _starts_anew(child):
            _spread(child, found)
        elif child.lower_ == "of":
            for governed in child.children:
                if governed.dep_ == "pobj" and noun.lower_ not in {"none", "all"}:
                    _spread(governed, found)


def _is_denying(child: Token) -> bool:
    if child.dep_ not in {"cc", "det", "neg", "nummod", "preconj"}:
        return False
    return _denies_alone(child)


def _is_negative(verb: Token) -> bool:
    return any(child.dep_ == "neg" and _denies_alone(child) for child in verb.children)


def _denies_alone(token: Token) -> bool:
    """Whether "not" or "no" is a denial, and not the start of "not only" or of "no-entry"."""
    after = token.nbor().lower_ if token.i + 1 < len(token.doc) else ""
    return token.lower_ in _DENYING | _NOT and after != "-" and after not in AFFIRMING


def _seen_in(verb: Token) -> bool:
    below = [t.lower_ for child in verb.children for t in (child, *child.children)]
    return not _SEEN.isdisjoint(below)


def _starts_anew(noun: Token) -> bool:
    return any(child.lower_ in _ARTICLES and child.i < noun.i for child in noun.children)


def _denied_at(words: Sequence[str], at: int) -> bool:
    for before in range(at - 1, max(-1, at - 1 - _REACH), -1):
        word = words[before]
        if word in _DENYING_WORDS:
            return True
        if word in _ARTICLES:
            return before > 0 and words[before - 1] in _TAKING_ARTICLES
    return False
