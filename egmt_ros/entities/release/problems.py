"""What is wrong in an annotation file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

FORMAT = "unknown format"
JSON = "not readable"
SHAPE = "wrong shape"
REPEATED_PAIR = "pair annotated twice"
REPEATED_KEY = "key twice"
REPEATED_NAME = "name twice"
NAME = "name not in the vocabulary"
DOUBT = "both present and unsure"
COUNT = "not 2 to 8 entities"
ORIGIN = "entity of neither image"
CAPTION = "empty caption"
NO_DATASET = "no such data set"
NO_PAIR = "no such pair"
SPLIT = "another split"
AMBIGUOUS = "name in two splits"

UNANNOTATED = "pair without annotation"
FEW = "fewer than 2 entities"
SILENT = "caption names nothing"


class Problem(NamedTuple):
    """One problem.

    Attributes:
        kind: One of the kinds above, for counting.
        message: What was found, what was expected, and the remedy.
        pair: The pair it is about; None for the file.
        warning: The file can be used as it is.
    """

    kind: str
    message: str
    pair: str | None = None
    warning: bool = False

    def __str__(self) -> str:
        where = "" if self.pair is None else f"pair {self.pair!r}: "
        return f"{'warning' if self.warning else 'error'}: {where}{self.message}"


def summarise(problems: Iterable[Problem]) -> str:
    """Count problems by kind, as "2 errors (1 key twice, 1 no such pair), 0 warnings"."""
    problems = list(problems)
    texts = []
    for word, warning in (("error", False), ("warning", True)):
        kinds = Counter(p.kind for p in problems if p.warning == warning)
        total = sum(kinds.values())
        text = f"{total} {word}{'' if total == 1 else 's'}"
        if kinds:
            text += f" ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())})"
        texts.append(text)
    return ", ".join(texts)
