"""Whether a caption is English, so that what the extractors cannot read is told, not guessed."""

from __future__ import annotations

from egmt_ros.entities.extraction.folding import spans
from egmt_ros.entities.extraction.table import EntityTable
from egmt_ros.entities.extraction.words import words_of

FEWEST_WORDS = 5
"""Words from which a caption without any English function word is taken for another language."""

FUNCTION_WORDS = frozenset(
    "a about above across after against ahead all along also among an and another any are around "
    "as at away be been before behind being below beneath beside between both but by can could "
    "down each either every few for from further had has have he her him his how in inside into "
    "is it its just many more most near next nor not of off on one only onto or other others out "
    "outside over past several she so some still than that the their them then there these they "
    "this those three through to toward towards two under up very was we were what where which "
    "while who whose will with within without you".split()
)
"""English words that are no things."""

_FOREIGN = frozenset(
    # German, Dutch, Swedish, Danish and Norwegian
    "auf auch aus bei das dem den der des die ein eine einem einen einer eines für hinter im ist "
    "mit neben nicht oder sind steht stehen und unter von vor zu zwei zwischen "
    "een en het met naar naast niet of op over rijdt staat te twee voor "
    "av bredvid det ett framför går ved på och som står til är er og på "
    # French, Spanish, Italian, Portuguese and Romanian
    "au aux avec dans de des deux devant du est et la le les par près sont sous sur un une "
    "al con del dos el ella en está están hay junto la las lo los por que se su una unas unos y "
    "che da dal dei della delle di due e gli i il nel nella per sono su sul tra "
    "à ao aos as com da das dos duas em entre está na nas no nos o os ou para pela pelo um uma "
    "cu din este și pe în "
    # Polish, Czech, Hungarian, Turkish, Finnish, Indonesian
    "jest na obok się w z za są i je před v az egy és bir ile ve on ja di yang dan".split()
)
"""Frequent function words of other languages; those that English has as well count for neither."""


def is_english(caption: str, table: EntityTable) -> bool:
    """Whether a caption can be read as English.

    It is taken for another language if less than half of its letters are those of English, if it
    has function words of other languages and not more English ones, or if it has five words or
    more and neither an English function word nor a phrase of the table among them.

    Args:
        caption: With at least one letter, or the answer is no.
        table: Its phrases count as English.
    """
    letters = [c for c in caption if c.isalpha()]
    if 2 * sum(c.isascii() for c in letters) <= len(letters):
        return False
    words = words_of(caption)
    english = sum(word in FUNCTION_WORDS - _FOREIGN for word in words)
    foreign = sum(word in _FOREIGN - FUNCTION_WORDS for word in words)
    if foreign and foreign >= english:
        return False
    if english or len(words) < FEWEST_WORDS:
        return True
    return any(span.names is not None for span in spans(words, table))
