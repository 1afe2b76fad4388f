"""What live nodes took of the machine, and how fast they could be fed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from egmt_ros.evaluation.compare.figures import (
    Draws,
    Figure,
    Measured,
    of_one_value,
    unmeasured,
)
from egmt_ros.evaluation.compare.fusion_figures import doubt
from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.replay.intervals import Interval, mean_interval


def live_figures(pair: Pair) -> list[Figure]:
    """Processor, memory, rates; measured where both replays were live."""
    lives = [result.run.live for result in (pair.whole_a, pair.whole_b)]
    return [
        _series(lives, "cpu_cores", "processor of the node, cores", 1),
        _series(lives, "memory_mib", "private memory of the node, MiB", 2),
        _single(lives, "memory_slope", "growth of its memory, MiB/min", -1,
                ("process", "slope_mib_per_min")),
        _single(lives, "highest_rate_hz", "highest rate without drops, Hz", 1,
                ("highest_rate_hz",)),
        _single(lives, "fused_hz", "fused images received, Hz", 1, ("rates_hz", "fused")),
    ]  # fmt: skip


def independent(a: np.ndarray, b: np.ndarray, draws: Draws) -> Measured:
    """Means of two series that have no rows in common, and the difference.

    Args:
        a, b: (N,) and (M,), in the order of time, finite.
        draws: Of the bootstrap.

    The interval puts those of the two means together: Zou and Donner, "Construction of confidence
    limits about effect measures", Statistics in Medicine 27, 2008.
    """
    before, after = (
        mean_interval(side, resamples=draws.resamples, seed=draws.seed) for side in (a, b)
    )
    change = after.mean - before.mean
    low = change - math.hypot(after.mean - after.low, before.high - before.mean)
    high = change + math.hypot(after.high - after.mean, before.mean - before.low)
    found = Interval(change, low, high, min(len(a), len(b)), max(before.block, after.block))
    return Measured(before.mean, after.mean, found, reason=doubt(found))


def _series(lives: Sequence[Any], name: str, title: str, column: int) -> Figure:
    """Mean of a column of the process's readings over time."""
    readings = [_value(live, ("process", "over_time")) for live in lives]
    if not all(readings):
        return Figure(name, title, -1, unmeasured(_why(lives)))
    a, b = (np.array(rows, np.float64)[:, column] for rows in readings)
    return Figure(name, title, -1, lambda draws: independent(a, b, draws))


def _single(
    lives: Sequence[Any], name: str, title: str, direction: int, path: tuple[str, ...]
) -> Figure:
    a, b = (_value(live, path) for live in lives)
    if a is None or b is None:
        return Figure(name, title, direction, unmeasured(_why(lives)))
    return Figure(name, title, direction, lambda draws: of_one_value(a, b))


def _value(live: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        live = live.get(name) if isinstance(live, dict) else None
    return live


def _why(lives: Sequence[Any]) -> str:
    offline = [label for label, live in zip("AB", lives, strict=True) if live is None]
    if offline:
        return f"only live replays measure it: {' and '.join(offline)} offline"
    return "one of the live replays did not measure it"
