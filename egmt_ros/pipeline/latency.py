"""How long a pair took, and percentiles over the last measurements."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class PairTiming(NamedTuple):
    """Of one published pair, ms.

    Attributes:
        processing_time_ms: From the start of its work until the result was there.
        pipeline_latency_ms: From its release by the pairing until it was published.
        pair_gap_ms: Distance of its two stamps, corrected by the offsets; None of an image alone.
        cyclic_time_ms: From the publishing of the pair before; None for the first.
    """

    processing_time_ms: float
    pipeline_latency_ms: float
    pair_gap_ms: float | None
    cyclic_time_ms: float | None


class SlidingPercentiles:
    """Thread-safe window of measurements, newest `window` kept.

    The unit is the caller's.
    """

    def __init__(self, window: int = 600) -> None:
        self._values: deque[float] = deque(maxlen=window)
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        with self._lock:
            self._values.append(value)

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()

    def percentiles(self, ranks: Sequence[float]) -> list[float] | None:
        """The percentiles (ranks 0..100, linear interpolation), None without measurements."""
        with self._lock:
            values = list(self._values)
        if not values:
            return None
        return [float(value) for value in np.percentile(values, ranks)]
