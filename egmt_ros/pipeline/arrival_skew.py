"""How much later the images of one camera arrive than those of the other."""

from __future__ import annotations

from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.latency import SlidingPercentiles

_WINDOW = 120
_LEAST = 5


class ArrivalSkew:
    """Median of arrival minus stamp for each camera; their difference needs no common clock.

    It is what the cameras' latencies differ by if their stamps are right; if they are not, it is
    also what their clocks differ by. Thread-safe.
    """

    def __init__(self) -> None:
        self._delays = {side: SlidingPercentiles(_WINDOW) for side in Side}

    def add(self, side: Side, stamp: int, arrival: int) -> None:
        """A frame with this source stamp came at `arrival`, steady clock; both ns."""
        self._delays[side].add((arrival - stamp) * 1e-9)

    def clear(self) -> None:
        """Forget all frames: stamps are of another time now."""
        for delays in self._delays.values():
            delays.clear()

    def seconds(self) -> float | None:
        """By how much thermal images arrive later than visible ones of the same stamp.

        Negative: earlier. None until both cameras have sent a few images.
        """
        if min(map(len, self._delays.values())) < _LEAST:
            return None
        thermal, visible = (
            self._delays[side].percentiles((50,)) for side in (Side.THERMAL, Side.VISIBLE)
        )
        return None if thermal is None or visible is None else thermal[0] - visible[0]
