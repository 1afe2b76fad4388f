"""Smooth, periodic paths on the ground."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Pose:
    """Where an actor is: ground position (metres), heading (radians) and path length (metres).

    A heading of 0 looks along +z (away from the camera), pi/2 along +x (to the right).
    """

    x: float
    z: float
    heading: float
    speed: float
    travelled: float


class Track:
    """A path through timed waypoints, with zero acceleration jumps between them.

    Args:
        points: (time s, x m, z m) with rising times. Between two points the speed is
            interpolated (monotone cubic Hermite), so a repeated position is a smooth halt.
        period: Seconds after which the path repeats.
        shift: Seconds by which the path is ahead.
        heading: Fixed heading in radians; None: along the motion.
    """

    def __init__(
        self,
        points: Sequence[tuple[float, float, float]],
        period: float,
        shift: float = 0.0,
        heading: float | None = None,
    ) -> None:
        self._times = [p[0] for p in points]
        self._values = ([p[1] for p in points], [p[2] for p in points])
        self._slopes = tuple(_slopes(self._times, values) for values in self._values)
        self._lengths = [0.0]
        for a, b in zip(points, points[1:], strict=False):
            self._lengths.append(self._lengths[-1] + math.hypot(b[1] - a[1], b[2] - a[2]))
        self._heading = heading
        self._headings = _headings(points)
        self.period = period
        self.shift = shift

    def at(self, time: float) -> Pose | None:
        """The pose at ``time`` seconds, or None while the actor is not on its path."""
        local = (time + self.shift) % self.period
        times = self._times
        if len(times) == 1:
            return Pose(
                self._values[0][0], self._values[1][0], self._heading or 0.0, 0.0, 0.0
            )
        if not times[0] <= local <= times[-1]:
            return None
        k = min(bisect_right(times, local), len(times) - 1) - 1
        span = times[k + 1] - times[k]
        s = (local - times[k]) / span
        x, vx = _hermite(self._values[0], self._slopes[0], k, s, span)
        z, vz = _hermite(self._values[1], self._slopes[1], k, s, span)
        speed = math.hypot(vx, vz)
        if self._heading is not None:
            heading = self._heading
        elif speed > 0.05:
            heading = math.atan2(vx, vz)
        else:
            heading = self._headings[k]
        step = math.hypot(x - self._values[0][k], z - self._values[1][k])
        return Pose(x, z, heading, speed, self._lengths[k] + step)


def _slopes(times: Sequence[float], values: Sequence[float]) -> list[float]:
    """Monotone slopes (Fritsch and Carlson 1980, harmonic mean form)."""
    rates = [
        (b - a) / (tb - ta)
        for a, b, ta, tb in zip(values, values[1:], times, times[1:], strict=False)
    ]
    if not rates:
        return [0.0]
    inner = [
        0.0 if a * b <= 0 else 2 * a * b / (a + b)
        for a, b in zip(rates, rates[1:], strict=False)
    ]
    return [rates[0], *inner, rates[-1]]


def _hermite(
    values: Sequence[float], slopes: Sequence[float], k: int, s: float, span: float
) -> tuple[float, float]:
    a, b, ma, mb = values[k], values[k + 1], slopes[k] * span, slopes[k + 1] * span
    place = (
        a * (1 + 2 * s) * (1 - s) ** 2
        + ma * s * (1 - s) ** 2
        + b * s * s * (3 - 2 * s)
        + mb * s * s * (s - 1)
    )
    rate = (6 * s * s - 6 * s) * (a - b) + (3 * s * s - 4 * s + 1) * ma + (3 * s * s - 2 * s) * mb
    return place, rate / span


def _headings(points: Sequence[tuple[float, float, float]]) -> list[float]:
    """Heading of each leg; a halt keeps that of the leg before it."""
    out: list[float] = []
    for a, b in zip(points, points[1:], strict=False):
        dx, dz = b[1] - a[1], b[2] - a[2]
        if math.hypot(dx, dz) > 1e-6:
            out.append(math.atan2(dx, dz))
        else:
            out.append(out[-1] if out else 0.0)
    return out
