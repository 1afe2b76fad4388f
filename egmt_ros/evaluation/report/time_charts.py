"""Curves over the time of a replay as SVG text; of any length, they stay small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.replay.time_axis import steps
from egmt_ros.evaluation.report.page_charts import fate_class

COLUMNS = 400
"""Places along the time axis of a chart: of more measurements each shows mean and range."""

_WIDTH, _HEIGHT = 1000.0, 200.0
_SHORTENED = 0.05  # of the time that was counted, for a jump or a longer pause
_BREAK = 4.0  # median steps between two measurements from which a curve breaks


class Axis(NamedTuple):
    """Time of a replay in s from its begin, (N,), rising; how long it is; what was shortened."""

    seconds: np.ndarray
    duration: float
    shortened: int


def replay_axis(stamps: np.ndarray) -> Axis:
    """Time along which a replay is drawn.

    A jump back, and a pause that is longer than all the rest, take a twentieth of the rest, so
    that neither a looped bag nor a wrong clock squeezes what matters.

    Args:
        stamps: (N,) ns, in the order of the frames.
    """
    if not len(stamps):
        return Axis(np.zeros(0), 1.0, 0)
    counted = steps(stamps)
    taken = float(np.nansum(counted)) or 1.0
    raw = np.diff(stamps) / 1e9
    strange = np.isnan(counted) & ((raw < 0) | (raw > taken))
    seconds = np.concatenate([[0.0], np.cumsum(np.where(strange, _SHORTENED * taken, raw))])
    ordinary = counted[np.isfinite(counted)]
    last = float(np.median(ordinary)) if len(ordinary) else 1.0
    return Axis(seconds, float(seconds[-1]) + max(last, 1e-3), int(strange.sum()))


def telling_rows(seconds: np.ndarray, duration: float, values: np.ndarray) -> np.ndarray:
    """Rows that draw a curve as all of them would: of each place first, last, lowest, highest.

    Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 2014.

    Args:
        seconds, values: (N,); NaN stands for nothing and is kept where a place has nothing else.
        duration: Of the axis, s.

    Returns:
        Rising rows, at most 4 * COLUMNS.
    """
    if len(seconds) <= 4 * COLUMNS:
        return np.arange(len(seconds))
    place = np.minimum((seconds / duration * COLUMNS).astype(int), COLUMNS - 1)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    ends = np.append(starts[1:], len(place))
    chosen = set(starts.tolist()) | set((ends - 1).tolist())
    for start, end in zip(starts, ends, strict=True):
        part = values[start:end]
        if np.isfinite(part).any():
            chosen |= {int(start + np.nanargmin(part)), int(start + np.nanargmax(part))}
    return np.array(sorted(chosen))


def time_chart(
    axis: Axis, curves: Mapping[str, np.ndarray], alt: str, kinds: Sequence[str] | None = None
) -> str:
    """Curves of several methods over time, with their scale on the left.

    Args:
        axis: Of the frames.
        curves: Name -> (N,) values, NaN where nothing was measured.
        alt: What is said of the chart to who cannot see it.
        kinds: CSS class of each curve; None: "k0", "k1", ...
    """
    finite = [values[np.isfinite(values)] for values in curves.values()]
    together = np.concatenate(finite) if finite else np.zeros(0)
    if not len(together):
        return '<p class="soft">Nothing was measured.</p>'
    low, high = float(together.min()), float(together.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - margin, high + margin
    ticks = scale_ticks(low, high)

    def y(value: float) -> float:
        return _HEIGHT * (high - value) / (high - low)

    lines = "".join(
        f'<line class="grid" x1="0" x2="{_WIDTH:g}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        for t in ticks)
    drawn = "".join(
        _curve(axis, values, kinds[i] if kinds else f"k{i}", y)
        for i, values in enumerate(curves.values()))
    scale = "".join(f'<span style="top:{100 * y(t) / _HEIGHT:.1f}%">{t:g}</span>' for t in ticks)
    return (
        f'<div class="chart"><div class="scale" aria-hidden="true">{scale}</div>'
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(alt)}">{lines}{drawn}</svg></div>')


def scale_ticks(low: float, high: float) -> list[float]:
    """Round values between two bounds, two to six of them."""
    raw = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(s for s in (1, 2, 5, 10) if s * power >= raw)
    first = np.ceil(low / step)
    return [round(float((first + i) * step), 10) for i in range(int((high / step) - first) + 1)]


def _curve(axis: Axis, values: np.ndarray, kind: str, y) -> str:
    """One curve; with more measurements than places their range as a tint, their mean a line."""
    rows = np.flatnonzero(np.isfinite(values))
    if not len(rows):
        return ""
    seconds, values = axis.seconds[rows], values[rows]
    x = _WIDTH * seconds / axis.duration
    # A curve breaks where measurements are far apart: nothing is known of what lies between.
    gaps = np.diff(seconds)
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    joined = gaps <= _BREAK * max(usual, axis.duration / COLUMNS)
    parts = []
    for first, last in _stretches(joined, len(rows)):
        xs, low, mean, high = _condensed(x[first:last], values[first:last])
        if len(xs) == 1:
            parts.append(f'<line class="{kind} dot" x1="{xs[0]:.1f}" x2="{xs[0] + 2:.1f}" '
                         f'y1="{y(mean[0]):.1f}" y2="{y(mean[0]):.1f}"/>')
            continue
        if (high > low).any():
            outline = [*zip(xs, high, strict=True), *zip(xs[::-1], low[::-1], strict=True)]
            parts.append(f'<polygon class="{kind} range" points="{_points(outline, y)}"/>')
        line = _points(list(zip(xs, mean, strict=True)), y)
        parts.append(f'<polyline class="{kind}" points="{line}"/>')
    return "".join(parts)


def _stretches(joined: np.ndarray, count: int) -> list[tuple[int, int]]:
    edges = (np.flatnonzero(~joined) + 1).tolist()
    return list(zip([0, *edges], [*edges, count], strict=True))


def _points(points: Sequence[tuple[float, float]], y) -> str:
    return " ".join(f"{a:.1f},{y(b):.1f}" for a, b in points)


def _condensed(
    x: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Place, lowest, mean and highest value at each place of the axis; (P,) each."""
    place = (x / _WIDTH * COLUMNS).astype(int)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    if len(starts) * 2 > len(x):  # hardly more measurements than places
        return x, values, values, values
    counts = np.diff(np.append(starts, len(x)))
    return (
        np.add.reduceat(x, starts) / counts, np.minimum.reduceat(values, starts),
        np.add.reduceat(values, starts) / counts, np.maximum.reduceat(values, starts))


def outcome_bars(
    seconds: np.ndarray, outcomes: Sequence[str], duration: float, alt: str, bars: int = 120
) -> str:
    """What became of the frames of a camera, as stacked bars over time.

    Args:
        seconds: (N,) of the frames.
        outcomes: Of each; the fused ones are drawn lowest.
        duration: Of the axis, s.
        alt: What is said of it to who cannot see it.
        bars: Along the axis at most; fewer where they would hold fewer than 8 frames each.
    """
    bars = max(1, min(bars, len(seconds) // 8))
    names = sorted(set(outcomes), key=lambda name: (name != "fused", name))
    place = np.clip((seconds / duration * bars).astype(int), 0, bars - 1)
    kinds = np.array([names.index(name) for name in outcomes], int)
    counts = np.zeros((len(names), bars), int)
    np.add.at(counts, (kinds, place), 1)
    tallest = max(1, int(counts.sum(0).max()))
    parts, floor = [], np.zeros(bars)
    for name, row in zip(names, counts, strict=True):
        for i in np.flatnonzero(row):
            height = 60.0 * row[i] / tallest
            parts.append(
                f'<rect class="{fate_class(name)}" x="{_WIDTH * i / bars:.1f}" '
                f'y="{60 - floor[i] - height:.1f}" width="{0.9 * _WIDTH / bars:.1f}" '
                f'height="{height:.1f}"><title>{duration * i / bars:.1f} s: {row[i]} '
                f"{escape(name)}</title></rect>")
            floor[i] += height
    return (f'<svg class="outcomes" viewBox="0 0 {_WIDTH:g} 60" preserveAspectRatio="none" '
            f'role="img" aria-label="{escape(alt)}">{"".join(parts)}</svg>')


