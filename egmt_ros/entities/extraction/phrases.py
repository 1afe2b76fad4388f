"""What every extractor of noun phrases gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Phrase(NamedTuple):
    """A noun phrase of a caption, in the caption's own words.

    Attributes:
        text: The phrase, such as "two street lamps".
        negated: The caption says that it is not there ("without people").
        clause: No noun phrase of its own but how two others stand to each other ("man riding a
            bike"), which only relations read.
    """

    text: str
    negated: bool = False
    clause: bool = False


class NounPhraseExtractor(Protocol):
    """Finds the noun phrases of captions.

    Attributes:
        name: What it is, as annotation files name it.
        version: Version of its model.
    """

    name: str
    version: str

    def phrases(self, captions: Sequence[str]) -> list[list[Phrase]]:
        """Return the phrases of each caption, in order of mention."""
        ...
