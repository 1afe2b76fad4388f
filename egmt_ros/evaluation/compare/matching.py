"""The frames that two evaluations share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.tables import Table

SOURCES = ("stamp", "thermal_stamp", "visible_stamp")
REFERENCE = ("stamp",)


@dataclass(frozen=True)
class Pair:
    """Two evaluations, and what they share.

    Attributes:
        whole_a, whole_b: As they were read.
        a, b: Their tables cut down to the frames that both have, row by row the same frame: equal
            reference stamp and equal stamps of both cameras.
        only_a, only_b: Fused frames that the other one lacks.
        partners: Of those, frames of B whose reference stamp A has too, with another partner.
    """

    whole_a: Result
    whole_b: Result
    a: Result
    b: Result
    only_a: int
    only_b: int
    partners: int

    def __len__(self) -> int:
        return len(self.a.frames)

    @property
    def entities(self) -> tuple[str, ...]:
        """Those in both vocabularies, in A's order."""
        return tuple(n for n in self.a.run.entities if n in self.b.run.entities)

    @property
    def lone_entities(self) -> dict[str, str]:
        """Those in one vocabulary only -> "A" or "B"."""
        sides = {"A": self.a.run.entities, "B": self.b.run.entities}
        return {n: side for side, names in sides.items() for n in names if n not in self.entities}


def match(a: Result, b: Result) -> Pair:
    """Match the frames of two evaluations.

    Raises:
        DataError: They share no frame, or the tables of one do not belong together.
    """
    whole_a, whole_b = _even(a), _even(b)
    rows_a, rows_b = matched_rows(whole_a.frames, whole_b.frames, SOURCES)
    if not len(rows_a):
        raise DataError(
            f"{a.folder} and {b.folder} share no frame: {_span(whole_a)}, {_span(whole_b)};"
            " expected evaluations of one bag, or of bags with equal stamps"
        )
    references = len(matched_rows(whole_a.frames, whole_b.frames, REFERENCE)[0])
    return Pair(
        whole_a,
        whole_b,
        _take(whole_a, rows_a),
        _take(whole_b, rows_b),
        len(whole_a.frames) - len(rows_a),
        len(whole_b.frames) - len(rows_b),
        references - len(rows_a),
    )


def matched_rows(
    a: Table, b: Table, columns: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both, (M,) each in A's order, that agree in `columns`.

    What comes more than once, as in a bag that was looped, is matched in order.
    """
    places = {key: row for row, key in enumerate(_keys(b, columns))}
    found = [
        (row, places[key]) for row, key in enumerate(_keys(a, columns)) if key in places
    ]
    rows = np.array(found, np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _keys(table: Table, columns: tuple[str, ...]) -> list[tuple[int, ...]]:
    """Of each row: its stamps, and how often they came before."""
    seen: dict[tuple[int, ...], count[int]] = {}
    stamps = zip(*(table.keys[name].tolist() for name in columns), strict=True)
    return [(*key, next(seen.setdefault(key, count()))) for key in stamps]


def _even(result: Result) -> Result:
    """Cut the tables of an interrupted evaluation to the frames that all of them have."""
    given = (result.frames, result.scores, result.timing, result.truth)
    tables = [table for table in given if table is not None]
    rows = min(len(table) for table in tables)
    missing = [name for name in SOURCES if name not in result.frames.keys]
    if missing or any(
        (t.keys["stamp"][:rows] != result.frames.keys["stamp"][:rows]).any() for t in tables
    ):
        raise DataError(
            f"the tables of {result.folder} do not belong together"
            f" ({', '.join(missing) or 'stamp'} differs or is missing); evaluate the bag again"
        )
    return _take(result, np.arange(rows))


def _take(result: Result, rows: np.ndarray) -> Result:
    def cut(table: Table) -> Table:
        return Table(
            {name: column[rows] for name, column in table.keys.items()},
            {name: column[rows] for name, column in table.values.items()},
        )

    return replace(
        result,
        frames=cut(result.frames),
        scores=cut(result.scores),
        timing=cut(result.timing),
        truth=None if result.truth is None else cut(result.truth),
    )


def _span(result: Result) -> str:
    stamps = result.frames.keys["stamp"]
    if not len(stamps):
        return f"{result.folder.name} has no fused frame"
    return f"{result.folder.name} has {stamps.min() / 1e9:.3f} s to {stamps.max() / 1e9:.3f} s"
