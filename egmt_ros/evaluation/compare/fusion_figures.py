"""Metrics of the fused images of two evaluations."""

from __future__ import annotations

import numpy as np

from egmt_ros.evaluation.compare.figures import Draws, Figure, Measured, unmeasured
from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS, COMPARED
from egmt_ros.evaluation.replay.intervals import Interval, difference_interval
from egmt_ros.evaluation.replay.tables import metric_column

OURS = "ours"


def fusion_figures(pair: Pair) -> list[Figure]:
    """One for each metric; what noise and gain lift has no direction."""
    return [_metric(pair, name) for name in COLUMNS]


def paired(a: np.ndarray, b: np.ndarray, draws: Draws, lacking: str) -> Measured:
    """Means of two columns over the rows that have both, and the difference.

    Args:
        a, b: (N,), NaN where there is nothing.
        draws: Of the bootstrap.
        lacking: Reason where no row has both.
    """
    both = np.isfinite(a) & np.isfinite(b)
    if not both.any():
        return Measured(None, None, None, reason=lacking)
    found = difference_interval(a, b, resamples=draws.resamples, seed=draws.seed)
    if (a[both] == b[both]).all():  # also where there are too few for an interval
        found = Interval(0.0, 0.0, 0.0, found.count)
    return Measured(float(a[both].mean()), float(b[both].mean()), found, reason=doubt(found))


def doubt(interval: Interval) -> str:
    """Why an interval has no bounds; empty where it has."""
    return "" if np.isfinite(interval.low) else f"too few frames for an interval: {interval.count}"


def _metric(pair: Pair, metric: str) -> Figure:
    column = metric_column(OURS, metric)
    title = "clipped share" if metric == "clipped" else COLUMNS[metric].title
    direction = 1 if metric in COMPARED else -1 if metric == "clipped" else 0
    lacking = [
        label
        for label, side in (("A", pair.a), ("B", pair.b))
        if column not in side.frames.values
    ]
    if lacking:
        measure = unmeasured(f"{' and '.join(lacking)} evaluated without metrics")
    else:
        a, b = pair.a.frames.values[column], pair.b.frames.values[column]

        def measure(draws: Draws) -> Measured:
            return paired(a, b, draws, "no matched frame was scored in both")

    return Figure(f"metric.{metric}", title, direction, measure, (metric,))
