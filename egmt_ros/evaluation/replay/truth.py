"""What is really there, and which frame of a replay it belongs to: truth.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.replay.tables import TRUTH, Table, share_column, write_table

UNKNOWN = -1
STAMPS = ("stamp", "visible_stamp", "thermal_stamp")
"""Columns of frames.csv that the truth's stamps may be those of, the likelier first."""


@dataclass(frozen=True)
class Truth:
    """What is known of a scene at M times.

    Attributes:
        source: Where it is from, for messages.
        entities: The E entities of the vocabulary that it speaks of.
        keys: (M,) int64, rising: stamps in ns, or numbers of output frames.
        by_number: Whether the keys are numbers of frames.
        present: (M, E) int8: 1 there, 0 not, UNKNOWN.
        shares: (M, E) thermal_share of what is there: 1 only the thermal image shows it, 0 only
            the visible one, between both; NaN unknown.
        notes: What a reader should know.
    """

    source: str
    entities: tuple[str, ...]
    keys: np.ndarray
    by_number: bool
    present: np.ndarray
    shares: np.ndarray
    notes: tuple[str, ...] = ()


def write_truth(folder: Path, truth: Truth, frames: Table) -> tuple[str, ...]:
    """Write truth.csv for the frames of frames.csv.

    Returns:
        What a reader should know: the notes of the truth, and how it was matched.

    Raises:
        DataError: There are frames, but the truth is of none of them; or the file cannot be
            written.
    """
    if truth.by_number:
        row, how = _equal(frames.keys["frame"], truth.keys), "by frame number"
    else:
        row, how = _by_stamp(truth.keys, frames)
    matched = int((row >= 0).sum())
    if len(frames) and not matched:
        raise DataError(_nothing_matches(truth, frames))
    columns = ["frame", "stamp"]
    for name in truth.entities:
        columns += [name, share_column(name)]
    rows = (
        [int(number), int(stamp), *_cells(truth, int(at))]
        for number, stamp, at in zip(frames.keys["frame"], frames.keys["stamp"], row, strict=True)
    )
    try:
        write_table(folder / TRUTH, columns, rows)
    except OSError as error:
        raise DataError(
            f"{folder / TRUTH} cannot be written ({error.strerror}); see whether the disk is full"
        ) from error
    said = f"Ground truth: {truth.source}, of {matched} of {len(frames)} fused frames, {how}."
    return (said, *truth.notes)


def nearest(stamps: np.ndarray, keys: np.ndarray, tolerance: int) -> np.ndarray:
    """Row of `keys` that is nearest to each stamp, ties to the earlier: (N,), -1 for none.

    Args:
        stamps: (N,) ns, in any order.
        keys: (M,) ns, rising.
        tolerance: Largest distance, ns.
    """
    if not len(keys):
        return np.full(len(stamps), -1)
    after = np.searchsorted(keys, stamps).clip(0, len(keys) - 1)
    before = (after - 1).clip(0)
    row = np.where(np.abs(stamps - keys[before]) <= np.abs(keys[after] - stamps), before, after)
    return np.where(np.abs(stamps - keys[row]) <= tolerance, row, -1)


def half_period(stamps: np.ndarray) -> int | None:
    """Half of the median step forward, ns; None where there is no such step.

    Args:
        stamps: (N,) ns, in the order of the frames.
    """
    forward = np.diff(stamps)
    forward = forward[forward > 0]
    return int(np.median(forward)) // 2 if len(forward) else None


def _by_stamp(keys: np.ndarray, frames: Table) -> tuple[np.ndarray, str]:
    """Row of the truth for each frame, -1 for none, and how it was found.

    The truth's stamps are taken as those of the column of which they match the most frames, then
    the nearest: a truth that was drawn on visible images holds their stamps, and the output may
    carry those of the other camera.
    """
    tolerance = half_period(frames.keys["stamp"])
    if tolerance is None:
        tolerance = half_period(keys) or 0
    tried = []
    for column in STAMPS:
        stamps = frames.keys[column]
        row = nearest(stamps, keys, tolerance)
        found = row >= 0
        distance = int(np.abs(stamps[found] - keys[row[found]]).sum())
        tried.append((-int(found.sum()), distance, STAMPS.index(column), column, row))
    *_, column, row = min(tried, key=lambda entry: entry[:3])
    what = "stamp" if column == "stamp" else f"{column.replace('_', ' ')}"
    return row, f"by the nearest {what} within {tolerance / 1e6:.4g} ms, half a period"


def _equal(numbers: np.ndarray, keys: np.ndarray) -> np.ndarray:
    return nearest(numbers, keys, 0)


def _cells(truth: Truth, at: int) -> list[int | float | None]:
    cells: list[int | float | None] = []
    for index in range(len(truth.entities)):
        state = UNKNOWN if at < 0 else int(truth.present[at, index])
        known = None if state == UNKNOWN else state
        cells += [known, float(truth.shares[at, index]) if state == 1 else None]
    return cells


def _nothing_matches(truth: Truth, frames: Table) -> str:
    if not len(truth.keys):
        return f"{truth.source} holds nothing of any frame; give another one, or none"
    column = "frame" if truth.by_number else "stamp"
    kind = "frame numbers" if truth.by_number else "stamps in ns"
    ours = frames.keys[column]
    return (
        f"{truth.source} is of no fused frame: its {kind} go from {truth.keys[0]} to"
        f" {truth.keys[-1]}, those of the frames from {ours.min()} to {ours.max()}; give the truth"
        " of this bag, keyed by stamp in ns, stamp in seconds, or number of the fused frame"
    )
