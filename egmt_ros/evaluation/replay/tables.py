"""The tables of an evaluation's folder: CSV, one row a frame, in the order of the output.

The columns `frame` (from 0) and those that end in `stamp` (ns) hold integers, the others numbers
or nothing, which stands for "not measured".
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from egmt_ros.errors import DataError

FRAMES = "frames.csv"
"""`KEYS`, `FRAME_VALUES`, then "<method>.<metric>" (`metric_column`); the same in every run."""

SCORES = "scores.csv"
"""`frame`, `stamp`, then the score of each entity, 0..1; the same in every run."""

TRUTH = "truth.csv"
"""`frame`, `stamp`, then for each entity that is known about: 1 present, 0 absent, empty unknown,
and beside it "<entity>.thermal_share" (`share_column`): 0 only the visible image shows it, 1 only
the thermal one, empty unknown. Only where there is ground truth."""

UNUSED = "unused.csv"
"""`UNUSED_COLUMNS`: the frames of the cameras that are in no fused image, in bag order."""

TIMING = "timing.csv"
"""`frame`, `stamp`, then times in ms; differs from run to run."""

KEYS = ("frame", "stamp", "thermal_stamp", "visible_stamp")
FRAME_VALUES = (
    "gap_ms",  # thermal minus visible stamp, corrected by their offsets
    "width",
    "height",
    "thermal_low",  # value shown black, and
    "thermal_high",  # white, in the camera's units
    "thermal_min_celsius",
    "thermal_max_celsius",
)
UNUSED_COLUMNS = ("side", "stamp", "outcome", "reason")


def metric_column(method: str, metric: str) -> str:
    """Name of the column of FRAMES that holds a metric of a method."""
    return f"{method}.{metric}"


def share_column(entity: str) -> str:
    """Name of the column of TRUTH that says how much of an entity the thermal image shows."""
    return f"{entity}.thermal_share"


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes:
        keys: Column -> (N,) int64.
        values: Column -> (N,) float64, NaN where the cell is empty.
    """

    keys: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.keys.values()), ()))

    def first(self, rows: int) -> Table:
        """The first rows alone."""
        keys = {name: column[:rows] for name, column in self.keys.items()}
        return Table(keys, {name: column[:rows] for name, column in self.values.items()})


def cell(value: float | int | str | None) -> str:
    """What is written for a value: numbers to 9 significant digits, nothing for None and NaN.

    As many tell each 32-bit float from the next: a score reaches its threshold here too.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def is_key(column: str) -> bool:
    """Whether a column holds integers."""
    return column == "frame" or column.endswith("stamp")


def read_table(path: Path) -> Table:
    """Read a table whole; a last line that was cut short is left out.

    Raises:
        DataError: It cannot be read, or a cell is no number.
    """
    columns, rows = _read(path)
    table = Table()
    for i, name in enumerate(columns):
        try:
            if is_key(name):
                table.keys[name] = np.array([int(row[i]) for row in rows], np.int64)
            else:
                cells = [float(row[i]) if row[i] else math.nan for row in rows]
                table.values[name] = np.array(cells, np.float64)
        except ValueError as error:
            raise DataError(
                f"{path}: column {name!r} holds what is no number ({error}); expected the file as"
                " `egmt evaluate bag` wrote it: evaluate the bag again"
            ) from error
    return table


def read_unused(path: Path) -> list[dict[str, str]]:
    """Read UNUSED: a dictionary of UNUSED_COLUMNS for each row.

    Raises:
        DataError: It cannot be read.
    """
    columns, rows = _read(path)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table whole; see `cell`."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([cell(value) for value in row] for row in rows)


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.reader(stream))
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); evaluate the bag again") from error
    if not rows:
        raise DataError(f"{path} is empty; evaluate the bag again")
    columns = rows[0]
    return columns, [row for row in rows[1:] if len(row) == len(columns)]
