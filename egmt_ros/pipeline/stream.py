"""The frames of one camera that wait for a partner, in the order of their stamps."""

from __future__ import annotations

import math
from collections import deque

from egmt_ros.pipeline.frames import Frame

# As many frames in a row that are older than the newest are a stream that went back in time, not
# frames that lost their order on the way.
_LATE_IN_A_ROW = 3


class Waiting:
    """A frame that waits: its corrected stamp (ns), and whether it has been in a pair."""

    __slots__ = ("frame", "served", "time")

    def __init__(self, time: int, frame: Frame) -> None:
        self.time = time
        self.frame = frame
        self.served = False


class Stream:
    """What is known of one camera's frames. Times are corrected stamps in ns.

    Attributes:
        offset: Added to a stamp to correct it, ns.
        waiting: Waiting frames, earliest first; of equal stamps the first to arrive is first.
        newest: Latest time seen, -inf before the first frame.
        passed: Latest time of a frame that has left; what is older came too late.
        decided: Latest time of a frame that left because its partner, or that it has none, was
            known. Frames that left for other reasons are no one's nearest partner any more.
        to_follow: The other stream jumped back in time and this one has not followed yet.
    """

    def __init__(self, offset: int, interval: int) -> None:
        self.offset = offset
        self._interval = interval
        self.restart()

    def restart(self) -> None:
        """Forget all frames and times."""
        self.waiting: deque[Waiting] = deque()
        self.newest: float = -math.inf
        self.passed: float = -math.inf
        self.decided: float = -math.inf
        self.to_follow = False
        self._late = 0
        self._last_late: float = -math.inf

    @property
    def bound(self) -> float:
        """No frame that is still to come in order is earlier than this."""
        return self.newest + self._interval

    def jumps_back(self, time: int, threshold: int) -> bool:
        """Whether a frame of this time shows that the stream went back in time.

        True for a step back of more than `threshold` ns, and for the third frame in a row that is
        older than the newest while these frames follow each other in order.
        """
        if time >= self.newest:
            self._late = 0
            return False
        self._late = self._late + 1 if self._late and time >= self._last_late else 1
        self._last_late = time
        return self._late >= _LATE_IN_A_ROW or self.newest - time > threshold

    def insert(self, time: int, frame: Frame) -> None:
        """Let a frame wait."""
        self.newest = max(self.newest, time)
        index = len(self.waiting)
        while index and self.waiting[index - 1].time > time:
            index -= 1
        self.waiting.insert(index, Waiting(time, frame))

    def first_after(self, time: int) -> Waiting | None:
        """The earliest waiting frame that is later than `time`."""
        for entry in self.waiting:
            if entry.time > time:
                return entry
        return None

    def take(self, *, decided: bool, index: int = 0) -> Waiting:
        """Remove and return a waiting frame."""
        entry = self.waiting[index]
        del self.waiting[index]
        self.passed = max(self.passed, entry.time)
        if decided:
            self.decided = max(self.decided, entry.time)
        return entry
