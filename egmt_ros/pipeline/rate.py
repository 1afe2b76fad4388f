"""How often something happens."""

from __future__ import annotations

from collections import deque


class SlidingRate:
    """The rate of a counter over the last seconds.

    Args:
        window: Seconds that are looked back at, at least: as far as the update before.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, now: float, count: int) -> None:
        """The counter's value at a time, seconds of a steady clock; times never go back."""
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] >= self._window:
            self._seen.popleft()

    def clear(self) -> None:
        """Look back no farther than to the next update."""
        self._seen.clear()

    @property
    def seconds(self) -> float:
        """How far it looks back now."""
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0

    @property
    def rate(self) -> float:
        """Hz; 0 before the second update."""
        seconds = self.seconds
        return (self._seen[-1][1] - self._seen[0][1]) / seconds if seconds > 0.0 else 0.0

    def short_of(self, expected: float, tolerance: float = 0.1) -> bool:
        """Whether it is clearly lower than expected, Hz: by more than this share and one event.

        Only a full window can be short.
        """
        seconds = self.seconds
        if seconds < self._window:
            return False
        return (self._seen[-1][1] - self._seen[0][1] + 1) < (1.0 - tolerance) * expected * seconds
