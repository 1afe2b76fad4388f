"""Words of a text, and their singular forms."""

from __future__ import annotations

import re
import unicodedata

# Letters and digits; hyphens and underscores part words, an apostrophe ends one ("man's").
_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"(?<=\w)['’](s|re|ve|ll|d|m)?(?!\w)", re.IGNORECASE)
_NOT = re.compile(r"n['’]t\b", re.IGNORECASE)
# "no-entry sign" denies nothing, and "car-free" names nothing.
_DENIED = re.compile(r"\b(?:no|non)(?:-\w+)+|\b\w+(?:-\w+)*-(?:free|less)\b", re.IGNORECASE)

_IRREGULAR = {
    "buses": "bus",
    "children": "child",
    "feet": "foot",
    "geese": "goose",
    "halves": "half",
    "knives": "knife",
    "leaves": "leaf",
    "loaves": "loaf",
    "mice": "mouse",
    "minibuses": "minibus",
    "movies": "movie",
    "shelves": "shelf",
    "teeth": "tooth",
    "ties": "tie",
    "wharves": "wharf",
    "wolves": "wolf",
}
_NO_PLURAL = ("ss", "us", "is")
_ADDS_ES = ("ches", "shes", "sses", "xes", "zes", "oes")
_SHORTEST_PLURAL = 4


def words_of(text: str) -> list[str]:
    """Split a text into lower-case words, without punctuation.

    Hyphens and underscores part words; "'s" falls away; "n't" becomes "not"; a compound with a
    denying part ("no-entry", "car-free") falls away as a whole.

    Args:
        text: Any text.

    Returns:
        Words of letters and digits, lower case, in order.
    """
    text = unicodedata.normalize("NFKC", text)
    text = _NOT.sub(" not", _DENIED.sub(" ", text))
    return [word.lower() for word in _WORD.findall(_POSSESSIVE.sub(" ", text))]


def singular(word: str) -> str:
    """Return the singular of an English noun, or the word itself if it looks like none.

    By spelling alone: a word in "s" that is no plural ("canvas") comes back wrong, which is why a
    table is asked for the word as it stands first.

    Args:
        word: One lower-case word.
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("men"):
        return word[:-2] + "an"
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(_ADDS_ES):
        return word[:-2]
    return word[:-1]
