"""Times of two evaluations, and what a live node took of the machine."""

from __future__ import annotations

import numpy as np

from egmt_ros.evaluation.compare.figures import Draws, Figure, Measured, unmeasured
from egmt_ros.evaluation.compare.fusion_figures import doubt
from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.replay.intervals import quantiles, statistic_interval

OWN = ("read_ms", "metrics_ms", "write_ms")
"""Times of the evaluation itself, which no node spends."""
POINTS = {"p50": 0.5, "p95": 0.95}


def speed_figures(pair: Pair) -> list[Figure]:
    """Median and 95th percentile of each time that either one has."""
    columns = dict.fromkeys((*pair.a.timing.values, *pair.b.timing.values))
    return [
        _time(pair, column, point) for column in (columns or {"fuse_ms": None}) for point in POINTS
    ]


def _time(pair: Pair, column: str, point: str) -> Figure:
    name = f"{column}.{point}"
    title = f"{column.removesuffix('_ms').replace('_', ' ')}, ms, {point}"
    aliases = (name, f"timing.{column}", column) if point == "p50" else (name,)
    kinds = pair.a.run.kind, pair.b.run.kind
    lacking = [
        label
        for label, side in (("A", pair.a), ("B", pair.b))
        if column not in side.timing.values
    ]
    if kinds[0] != kinds[1]:
        measure = unmeasured(f"A was replayed {kinds[0]}, B {kinds[1]}")
    elif lacking:
        measure = unmeasured(f"{' and '.join(lacking)} did not measure it")
    else:
        a, b = pair.a.timing.values[column], pair.b.timing.values[column]

        def measure(draws: Draws) -> Measured:
            return _quantile(a, b, POINTS[point], draws)

    direction = 0 if column in OWN else -1
    return Figure(f"timing.{name}", title, direction, measure, aliases)


def _quantile(a: np.ndarray, b: np.ndarray, share: float, draws: Draws) -> Measured:
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    if not len(a):
        return Measured(None, None, None, reason="no matched frame was timed in both")

    def change(counts: np.ndarray) -> np.ndarray:
        return quantiles(b, counts, share) - quantiles(a, counts, share)

    before, after = (float(np.quantile(side, share)) for side in (a, b))
    # What a frame moves a quantile by: Bahadur, Annals of Mathematical Statistics 37, 1966.
    moves = (b > after).astype(float) - (a > before)
    found = statistic_interval(change, moves, resamples=draws.resamples, seed=draws.seed)
    return Measured(before, after, found, reason=doubt(found))
