"""Drawings of the HTML page, as SVG text: score strips, marks of every frame, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

_WIDTH = 1000.0  # of a strip's view box; the page stretches it
COLOURED_FATES = ("fused", "unpaired", "superseded", "rejected", "lost")  # in page_assets.STYLE
_MARKS_PER_ROW = 300


def runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """Stretches of true: (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.asarray(flags, np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def axis(duration: float) -> str:
    """Ticks in seconds under the strips."""
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
                 if duration / s <= 8), 1800 * int(np.ceil(duration / (8 * 1800))))
    ticks = np.arange(0.0, duration + 1e-9, step)
    spans = "".join(
        f'<span style="left:{100 * t / duration:.2f}%">{t:g}{" s" if t == 0 else ""}</span>'
        for t in ticks if t <= 0.98 * duration)
    return f'<div class="axis">{spans}</div>'


def score_strip(
    times: Sequence[float],
    scores: Sequence[float | None],
    present: Sequence[bool],
    truth: Sequence[bool | None] | None,
    threshold: float | None,
    duration: float,
    alt: str = "",
) -> str:
    """An entity over time: score as a line, presence as a tint, ground truth as a bar below.

    The line breaks where a score is None; truth of None is unknown. ``alt``: what is said of it to
    who cannot see it.
    """
    x = [_WIDTH * t / duration for t in times]
    ends = [*x[1:], min(_WIDTH, 2 * x[-1] - x[-2])] if len(x) > 1 else [_WIDTH]
    parts = [f'<rect class="track" width="{_WIDTH:g}" height="27"/>']

    def bars(flags: Sequence[bool], kind: str, top: int, height: int) -> None:
        for first, last in runs(flags):
            width = max(ends[last - 1] - x[first], 1.0)
            parts.append(f'<rect class="{kind}" x="{x[first]:.1f}" y="{top}" width="{width:.1f}" '
                         f'height="{height}"/>')

    bars(present, "present", 0, 27)
    if truth is not None:
        bars([bool(there) for there in truth], "truth", 29, 4)
        bars([there is None for there in truth], "unknown", 30, 2)
    if threshold is not None:
        y = 26 - 25 * threshold
        parts.append(f'<line class="limit" x1="0" x2="{_WIDTH:g}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for first, last in runs([score is not None for score in scores]):
        points = " ".join(f"{x[i]:.1f},{26 - 25 * (scores[i] or 0.0):.1f}"
                          for i in range(first, last))
        parts.append(f'<polyline class="score" points="{points}"/>')
    label = f' aria-label="{escape(alt)}"' if alt else ""
    return (f'<svg viewBox="0 0 {_WIDTH:g} 34" preserveAspectRatio="none" role="img"{label}>'
            f'{"".join(parts)}</svg>')


def fate_class(fate: str) -> str:
    """The CSS class that colours a fate; one for all that have no colour of their own."""
    return f"f-{fate}" if fate in COLOURED_FATES else "f-other"


def frame_marks(
    stamps: dict[str, list[int]], times: dict[str, list[float]], fates: dict[str, list[str]]
) -> str:
    """One mark for each sent frame, one line of marks for each input, in rows of equal time.

    Args:
        stamps: Side -> source stamps, ns.
        times: Side -> seconds of the replay.
        fates: Side -> fate.
    """
    everything = [t for side in times.values() for t in side]
    if not everything:
        return "<p>No frame was sent.</p>"
    end = max(everything) + 1e-6
    most = max(len(side) for side in times.values())
    rows = max(1, -(-most // _MARKS_PER_ROW))
    span = end / rows
    drawn = [
        "".join(_line(side, index * 20, stamps[side], times[side], fates[side], row * span, span)
                for index, side in enumerate(times))
        for row in range(rows)
    ]
    return '<div class="marks">' + "".join(
        f'<div><span>{row * span:.1f} s</span><svg viewBox="0 0 {_WIDTH:g} 40" '
        f'preserveAspectRatio="none">{marks}</svg></div>' for row, marks in enumerate(drawn)
    ) + "</div>"


def _line(side: str, top: int, stamps: Sequence[int], times: Sequence[float],
          fates: Sequence[str], start: float, span: float) -> str:
    inside = [i for i, t in enumerate(times) if start <= t < start + span]
    steps = np.diff([times[i] for i in inside])
    width = max(0.8, 0.72 * _WIDTH * float(np.median(steps)) / span) if len(steps) else 2.0
    width = min(width, 12.0)
    return "".join(
        f'<rect class="{fate_class(fates[i])}" x="{_WIDTH * (times[i] - start) / span:.1f}" '
        f'y="{top}" width="{width:.1f}" height="17"><title>{escape(side)} '
        f"{stamps[i] // 10**9}.{stamps[i] % 10**9:09d} · {escape(fates[i])}</title></rect>"
        for i in inside)


def histogram(values: Sequence[float], title: str, unit: str = "ms") -> str:
    """Histogram with the median and the 95th percentile; the last bar holds what lies beyond."""
    if not len(values):
        return f'<p class="soft">{escape(title)}: no measurement.</p>'
    data = np.asarray(values, float)
    p50, p95, p99 = np.percentile(data, (50, 95, 99))
    low = 0.0 if data.min() < 0.5 * p99 else float(np.floor(data.min()))
    high = max(float(p99) * 1.15, low + 1.0)
    counts, edges = np.histogram(np.clip(data, low, high), bins=32, range=(low, high))
    scale = 150.0 / counts.max()
    left, width = 34.0, 436.0

    def x(value: float) -> float:
        return left + width * (min(value, high) - low) / (high - low)

    bars = "".join(
        f'<rect class="bar" x="{x(edges[i]) + 0.5:.1f}" y="{180 - n * scale:.1f}" '
        f'width="{width / 32 - 1:.1f}" height="{n * scale:.1f}"><title>{edges[i]:.1f} to '
        f"{edges[i + 1]:.1f} {unit}: {n}</title></rect>" for i, n in enumerate(counts) if n)
    ticks = "".join(
        f'<text x="{x(t):.1f}" y="196" text-anchor="middle">{t:g}</text>'
        for t in _ticks(low, high))
    close = x(float(p95)) - x(float(p50)) < 96
    marks = "".join(
        f'<line class="mark" x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{y}" y2="180"/>'
        f'<text class="strong" x="{x(v) + 4:.1f}" y="{y + 4}">{name} {v:.1f} {unit}</text>'
        if x(v) < left + width - 96 else
        f'<line class="mark" x1="{x(v):.1f}" x2="{x(v):.1f}" y1="{y}" y2="180"/>'
        f'<text class="strong" x="{x(v) - 4:.1f}" y="{y + 4}" text-anchor="end">'
        f"{name} {v:.1f} {unit}</text>"
        for name, v, y in (("median", float(p50), 10), ("p95", float(p95), 26 if close else 10)))
    return (f'<figure><figcaption>{escape(title)}</figcaption>'
            f'<svg class="histogram" viewBox="0 0 480 204" role="img">'
            f'<line x1="{left}" x2="{left + width}" y1="180" y2="180"/>'
            f'<text x="{left - 6}" y="36" text-anchor="end">{counts.max()}</text>'
            f"{bars}{marks}{ticks}"
            f'<text x="{left + width}" y="196" text-anchor="end">{unit}</text></svg></figure>')


def _ticks(low: float, high: float) -> list[float]:
    step = next((s for s in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
                 if (high - low) / s <= 7), 5000)
    return [float(t) for t in np.arange(np.ceil(low / step) * step, high - 0.06 * (high - low),
                                        step)]
