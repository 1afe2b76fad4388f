"""How good the fused images of a replay are, beside both cameras and the classical methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS, COMPARED
from egmt_ros.evaluation.replay.intervals import affordable, mean_interval
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.tables import Table, metric_column

OURS = "ours"
CAMERAS = ("thermal", "visible")

TELLING = ("vif_min", "q_min", "ssim_min", "cc_min")
"""How well the camera is shown that is shown worse: a copy of one camera fails on them."""
SUMS = tuple(name for name in COMPARED if name not in TELLING)
"""Sums over both cameras: a copy of one camera fully earns its half."""

BETTER, WORSE, UNKNOWN = "better", "worse", "cannot be told"

PICKS = 6
RULE = (
    "Mean over VIFmin, Qmin, SSIMmin and CCmin of the frame's rank among the scored frames,"
    " 0 lowest, 1 highest; picks lie apart in time."
)


@dataclass(frozen=True)
class MetricMean:
    """Mean of a metric over the scored frames, and its interval of 95 %.

    Attributes:
        mean: None without a frame.
        low, high: Bounds; None where there are too few frames for an interval.
        count: Frames.
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Difference:
    """Ours minus another method in one metric, paired by frame, with its interval of 95 %.

    Attributes:
        mean, low, high, count: As of `MetricMean`.
        verdict: BETTER, WORSE or UNKNOWN: ours against the other; UNKNOWN where the interval
            holds 0 or is missing. None for a metric that noise and gain lift, so that more of it
            is not better.
    """

    mean: float | None
    low: float | None
    high: float | None
    count: int
    verdict: str | None


@dataclass(frozen=True)
class Answer:
    """Whether the fused image is better than either camera, by one group of metrics.

    Attributes:
        metrics: The group.
        tells: Whether the group can tell: a copy of one camera cannot top it.
        better_than: Camera -> "yes" (better in a metric, worse in none), "no" (worse in a metric,
            better in none), "in part" (both), or UNKNOWN.
        sentence: The same in words.
    """

    metrics: tuple[str, ...]
    tells: bool
    better_than: dict[str, str]
    sentence: str


@dataclass(frozen=True)
class FramePick:
    """A frame to look at: its number, stamp (ns), place by `RULE`, 0..1, and metrics of ours."""

    frame: int
    stamp: int
    place: float
    values: dict[str, float]


def fusion_means(result: Result) -> dict[str, dict[str, MetricMean]]:
    """Method -> metric -> mean, of the metrics that were measured at all."""
    return {
        method: {
            metric: _mean(values)
            for metric in COLUMNS
            if (values := _column(result.frames, method, metric)) is not None
        }
        for method in result.run.methods
    }


def fusion_differences(result: Result) -> dict[str, dict[str, Difference]]:
    """Other method -> metric -> ours minus that; empty where ours was not scored."""
    table: dict[str, dict[str, Difference]] = {}
    for method in result.run.methods:
        if method == OURS:
            continue
        table[method] = {}
        for metric in COLUMNS:
            ours = _column(result.frames, OURS, metric)
            other = _column(result.frames, method, metric)
            if ours is not None and other is not None:
                found = _mean(ours - other)
                table[method][metric] = Difference(
                    found.mean, found.low, found.high, found.count, verdict(metric, found)
                )
    return {method: row for method, row in table.items() if row}


def verdict(metric: str, gap: MetricMean) -> str | None:
    """What a difference says; see `Difference`. Of `clipped`, less is better."""
    if metric not in (*COMPARED, "clipped"):
        return None
    if gap.low is None or gap.high is None or gap.low <= 0.0 <= gap.high:
        return UNKNOWN
    return BETTER if (gap.low > 0.0) == (metric != "clipped") else WORSE


def answers(differences: dict[str, dict[str, Difference]]) -> tuple[Answer, ...]:
    """Is the fused image better than either camera? The group that tells comes first."""
    found = []
    for metrics, tells in ((TELLING, True), (SUMS, False)):
        against = {
            camera: {m: d.verdict for m, d in differences.get(camera, {}).items() if m in metrics}
            for camera in CAMERAS
        }
        why = (
            "how well the camera is shown that is shown worse, where a copy of one camera fails"
            if tells
            else "sums over both cameras, of which a copy of one camera fully earns its half, so"
            " that they do not decide"
        )
        titles = ", ".join(COLUMNS[m].title for m in metrics)
        said = "; ".join(_said(camera, verdicts) for camera, verdicts in against.items())
        overall = {camera: _overall(list(v.values())) for camera, v in against.items()}
        found.append(Answer(metrics, tells, overall, f"By {titles} ({why}): {said}."))
    return tuple(found)


def picks(result: Result) -> tuple[tuple[FramePick, ...], tuple[FramePick, ...]]:
    """The worst frames by `RULE`, lowest first, and the best, highest first; none in both."""
    columns = {
        m: values
        for m in TELLING
        if (values := _column(result.frames, OURS, m)) is not None and np.isfinite(values).any()
    }
    if not columns:
        return (), ()
    places = np.stack([_ranks(values) for values in columns.values()])
    scored = np.flatnonzero(np.isfinite(places).all(0))
    order = scored[np.argsort(places[:, scored].mean(0), kind="stable")]
    apart = max(1, len(scored) // (4 * PICKS))
    worst = spread(order.tolist(), scored, apart, min(PICKS, (len(order) + 1) // 2))
    rest = [i for i in order[::-1].tolist() if i not in worst]
    best = spread(rest, scored, apart, min(PICKS, len(order) // 2))

    def pick(row: int) -> FramePick:
        return FramePick(
            int(result.frames.keys["frame"][row]),
            int(result.frames.keys["stamp"][row]),
            float(places[:, row].mean()),
            {metric: float(values[row]) for metric, values in columns.items()},
        )

    return tuple(map(pick, worst)), tuple(map(pick, best))


def _column(frames: Table, method: str, metric: str) -> np.ndarray | None:
    return frames.values.get(metric_column(method, metric))


def _mean(values: np.ndarray) -> MetricMean:
    found = mean_interval(values, resamples=affordable(len(values)))
    mean, low, high = (float(v) if np.isfinite(v) else None for v in
                       (found.mean, found.low, found.high))  # fmt: skip
    return MetricMean(mean, low, high, found.count)


def _overall(verdicts: Sequence[str | None]) -> str:
    better, worse = BETTER in verdicts, WORSE in verdicts
    if better and worse:
        return "in part"
    return "yes" if better else "no" if worse else UNKNOWN


def _said(camera: str, verdicts: dict[str, str | None]) -> str:
    if not verdicts:
        return f"the {camera} image was not scored"
    words = {BETTER: "better in", WORSE: "worse in", UNKNOWN: "not to be told apart in"}
    parts = [
        f"{words[word]} {', '.join(titles)}"
        for word in words
        if (titles := [COLUMNS[m].title for m, v in verdicts.items() if v == word])
    ]
    return f"against the {camera} image the fused one is {', '.join(parts)}"


def _ranks(values: np.ndarray) -> np.ndarray:
    """(N,) place of each finite value, 0 lowest, 1 highest, ties in their middle; NaN kept."""
    places = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    _, group, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    places[known] = middle[group] / (len(known) - 1) if len(known) > 1 else 0.5
    return places


def spread(order: Sequence[int], scored: np.ndarray, apart: int, count: int) -> list[int]:
    """The first rows of an order that lie apart, so that not all of them show one moment.

    Args:
        order: Rows of `scored`, the first wanted most.
        scored: (N,) rows that count, rising.
        apart: How many rows of `scored` one must lie from another, at least 1.
        count: How many to choose at most.
    """
    position = {int(row): i for i, row in enumerate(scored)}
    chosen: list[int] = []
    for row in order:
        if len(chosen) == count:
            break
        if all(abs(position[row] - position[other]) >= apart for other in chosen):
            chosen.append(row)
    return chosen
