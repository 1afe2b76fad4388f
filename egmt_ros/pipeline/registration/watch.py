"""Notices while the node runs that a camera's mount has shifted."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from egmt_ros.pipeline.registration.shift import Shift, SmallPair, estimate_shift, reduce_pair
from egmt_ros.pipeline.results import Sources

KEPT = 9
"""Checks of which the median is taken."""
LEAST_CHECKS = 5
LEAST_CONFIDENCE = 0.5
AGREEMENT = 3.0
"""Pixels at 640 of width, from the median, within which checks agree."""

OFF, UNKNOWN, ALIGNED, SHIFTED = "off", "unknown", "aligned", "shifted"


class Finding(NamedTuple):
    """What is known of the registration now.

    Attributes:
        state: `unknown` before enough checks agree: where the scene shows both cameras nothing in
            common, or no one shift; `off` without checks.
        right, below: How far the thermal image lies beside the visible one, pixels, medians; NaN
            unless known.
        confidence: Share of the last checks that agree with the median, 0..1.
        checks: How many of them there are.
        limit: Pixels of these images beyond which it is `shifted`; NaN before the first check.
    """

    state: str
    right: float = math.nan
    below: float = math.nan
    confidence: float = 0.0
    checks: int = 0
    limit: float = math.nan

    @property
    def residual(self) -> float:
        """Length of the shift, pixels; NaN unless known."""
        return math.hypot(self.right, self.below)


def judge(checks: list[Shift | None], limit: float, width: int) -> Finding:
    """Take the median of checks on images of this width.

    Args:
        checks: One or more, None where a check could tell nothing.
        limit: Pixels at 640 of width.
    """
    scale = width / 640
    told = np.array([check[:2] for check in checks if check is not None]).reshape(-1, 2)
    if not len(told):
        return Finding(UNKNOWN, checks=len(checks), limit=limit * scale)
    right, below = np.median(told, 0)
    near = np.hypot(*(told - (right, below)).T) <= AGREEMENT * scale
    confidence = float(near.sum()) / len(checks)
    if len(checks) < LEAST_CHECKS or confidence < LEAST_CONFIDENCE:
        return Finding(UNKNOWN, confidence=confidence, checks=len(checks), limit=limit * scale)
    state = SHIFTED if math.hypot(right, below) > limit * scale else ALIGNED
    return Finding(state, float(right), float(below), confidence, len(checks), limit * scale)


class RegistrationWatch:
    """Checks one fused pair in a while, in a thread of its own, and judges the last checks.

    Args:
        now: Steady clock, s.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._period = 0.0
        self._limit = 5.0
        self._lock = threading.Lock()
        self._checks: deque[Shift | None] = deque(maxlen=KEPT)
        self._width = 0
        self._round = 0
        self._due = -math.inf
        self._thread: threading.Thread | None = None

    def restart(self, period: float, limit: float) -> None:
        """Forget what was found.

        Args:
            period: Seconds between two checks; 0: none.
            limit: Pixels at 640 of width beyond which the cameras count as shifted.
        """
        with self._lock:
            self._period, self._limit = period, limit
            self._checks.clear()
            self._round += 1
            self._due = -math.inf

    def offer(self, sources: Sources | None) -> bool:
        """Look at a registered pair if it is time to; its images may be reused afterwards.

        Only a reduced copy is made here. No check begins while one is under way.

        Args:
            sources: What was fused; None, or a camera missing: nothing to look at.

        Returns:
            Whether a check has begun.
        """
        now = self._now()
        if not self._period or now < self._due or self._checking:
            return False
        if sources is None or sources.thermal is None or sources.visible is None:
            return False
        self._due = now + self._period
        small = reduce_pair(sources.thermal, sources.visible, sources.outside)
        self._thread = threading.Thread(
            target=self._check,
            args=(small, sources.thermal.shape[1], self._round),
            name="egmt_registration",
            daemon=True,
        )
        self._thread.start()
        return True

    @property
    def finding(self) -> Finding:
        """What is known now."""
        with self._lock:
            if not self._period:
                return Finding(OFF)
            if not self._checks:
                return Finding(UNKNOWN)
            return judge(list(self._checks), self._limit, self._width)

    def stop(self) -> None:
        """Check no more until the next `restart`, and forget; waits for a check under way."""
        self.restart(0.0, self._limit)
        self.wait()

    def wait(self) -> None:
        """Until the check under way is done, some milliseconds."""
        if self._checking:
            self._thread.join()

    @property
    def _checking(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _check(self, pair: SmallPair | None, width: int, belongs_to: int) -> None:
        shift = None if pair is None else estimate_shift(pair)
        with self._lock:
            if belongs_to != self._round:
                return
            if width != self._width:
                self._checks.clear()
                self._width = width
            self._checks.append(shift)
