"""The time of a replay's frames, which may repeat, pause or jump back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PAUSE_S = 1.0
"""A longer step between frames is a pause, unless the frames are as slow as that anyway."""
SLOW = 10.0
"""A step of more than this many median periods is a pause."""


@dataclass(frozen=True)
class Rate:
    """How steadily frames came, by their stamps.

    Attributes:
        frames: How many.
        hz: Steps by the time that they took, pauses and jumps left out; None below two frames.
        period_ms: Median step between neighbours; None below two frames.
        longest_gap_ms: Longest step, pauses included; None below two frames.
        pauses, jumps_back: Steps that are too long to be counted, or backward.
    """

    frames: int
    hz: float | None
    period_ms: float | None
    longest_gap_ms: float | None
    pauses: int
    jumps_back: int

    @classmethod
    def of(cls, stamps: np.ndarray) -> Rate:
        """Of (N,) stamps in ns, in the order in which the frames came."""
        raw = np.diff(stamps) / 1e9
        forward, counted = raw[raw >= 0], steps(stamps)
        taken = counted[np.isfinite(counted)]
        seconds = float(taken.sum())
        return cls(
            frames=len(stamps),
            hz=len(taken) / seconds if seconds > 0 else None,
            period_ms=float(np.median(taken)) * 1e3 if len(taken) else None,
            longest_gap_ms=float(forward.max()) * 1e3 if len(forward) else None,
            pauses=int((np.isnan(counted) & (raw >= 0)).sum()),
            jumps_back=int((raw < 0).sum()),
        )


def steps(stamps: np.ndarray) -> np.ndarray:
    """Seconds from each frame to the next: (N - 1,), NaN where time jumps back or pauses.

    A pause is a step above `PAUSE_S` and above `SLOW` times the median of the forward steps. What
    is counted by the minute leaves both out: nothing is known of what lies between.

    Args:
        stamps: (N,) ns.
    """
    raw = np.diff(np.asarray(stamps, np.int64)) / 1e9
    forward = raw[raw > 0]
    limit = max(PAUSE_S, SLOW * float(np.median(forward))) if len(forward) else PAUSE_S
    return np.where((raw < 0) | (raw > limit), np.nan, raw)


def runs(values: np.ndarray, joined: np.ndarray) -> list[tuple[int, int]]:
    """Stretches of equal values: [start, stop) each, in order; together they hold every frame.

    Args:
        values: (N,).
        joined: (N - 1,) whether a stretch may go on from a frame to the next.
    """
    if not len(values):
        return []
    edges = np.flatnonzero((values[1:] != values[:-1]) | ~joined) + 1
    starts = [0, *edges.tolist()]
    return list(zip(starts, [*starts[1:], len(values)], strict=True))
