"""Pairing by the synchronisers of message_filters, with every frame accounted for.

What they pair is theirs: `ApproximateTimeSynchronizer` takes the first match within `max_gap` and
not the nearest, `TimeSynchronizer` equal stamps. Around them is made safe what they leave open:

* Their queues drop frames without a word. After each frame the queues are compared with what was
  put in, so that none is lost from the account; and a frame leaves them after `wait`.
* An exception inside leaves their lock held for ever. Nothing that is called from inside can
  raise; should anything raise nevertheless, a new synchroniser takes the place of the old one.
* After a jump back in time they match old frames or none. Jumps are found as `NearestPairer` finds
  them, and begin with a new synchroniser.
* Frames out of order make pairs that go back in time; these are dropped.
"""

from __future__ import annotations

import logging

from builtin_interfaces.msg import Time

from egmt_ros.errors import MissingDependencyError
from egmt_ros.pipeline.frames import Dropped, DropReason, Frame, Pair, PairingUpdate, Side
from egmt_ros.pipeline.stream import Stream

_log = logging.getLogger(__name__)

_SECOND = 1_000_000_000
_TIMES = range(2**31 * _SECOND)  # what builtin_interfaces/Time and rclpy's Time both can hold
_SIDES = (Side.THERMAL, Side.VISIBLE)


class _Entry:
    """A frame as message_filters wants it: it has `header.stamp`, corrected by the offset."""

    __slots__ = ("frame", "stamp", "time")

    def __init__(self, frame: Frame, time: int) -> None:
        self.frame = frame
        self.time = time
        seconds, nanoseconds = divmod(time, _SECOND)
        self.stamp = Time(sec=seconds, nanosec=nanoseconds)

    @property
    def header(self) -> _Entry:
        return self


class MessageFiltersPairer:
    """An `egmt_ros.pipeline.intake.Pairer` around message_filters. Not thread-safe.

    Args:
        max_gap: Frames whose corrected stamps are less apart than this match, ns. 0: equal stamps,
            by `TimeSynchronizer`.
        wait: Longest time that a frame waits for its partner, steady ns.
        thermal_offset: Added to thermal stamps, ns.
        visible_offset: Added to visible stamps, ns.
        queue_size: Most frames of a camera that wait.
        jump: Step back in time from which a stream has jumped, ns.

    Raises:
        MissingDependencyError: message_filters is not installed.
    """

    def __init__(
        self,
        *,
        max_gap: int,
        wait: int,
        thermal_offset: int = 0,
        visible_offset: int = 0,
        queue_size: int = 64,
        jump: int = _SECOND,
    ) -> None:
        try:
            import message_filters
        except ImportError as error:
            raise MissingDependencyError(
                f"sync.policy: message_filters cannot be imported ({error}): install"
                " ros-$ROS_DISTRO-message-filters, or set sync.policy to nearest"
            ) from error
        self._library = message_filters
        self._max_gap = max_gap
        self._wait = wait
        self._jump = max(jump, max_gap)
        self._queue_size = queue_size
        self._streams = {
            Side.THERMAL: Stream(thermal_offset, 0), Side.VISIBLE: Stream(visible_offset, 0)
        }
        self._forget()
        self._begin()

    def add(self, frame: Frame, now: int) -> PairingUpdate:
        """Take a frame (now: steady clock, ns)."""
        update = self.poll(now)
        stream, other = self._streams[frame.side], self._streams[frame.side.other]
        time = frame.stamp + stream.offset
        if stream.jumps_back(time, self._jump):
            self._drop_all(DropReason.RESET, update)
            self._forget()
            update.reset = True
            other.to_follow = True
        stream.to_follow = stream.to_follow and time > other.newest + self._jump
        if stream.to_follow:
            update.dropped.append(Dropped(frame, DropReason.STALE))
        elif time not in _TIMES:
            update.dropped.append(Dropped(frame, DropReason.UNPAIRED))
        else:
            stream.newest = max(stream.newest, time)
            self._offer(_Entry(frame, time), now, update)
        return update

    def poll(self, now: int) -> PairingUpdate:
        """Give up what has waited long enough (now: steady clock, ns)."""
        update = PairingUpdate()
        for side in _SIDES:
            waiting, queue = self._waiting[side], self._queue(side)
            while waiting and waiting[0].frame.arrival + self._wait <= now:
                entry = waiting.pop(0)
                if queue.get(entry.time) is entry:
                    del queue[entry.time]
                update.dropped.append(Dropped(entry.frame, DropReason.TIMEOUT))
        return update

    def deadline(self) -> int | None:
        """When `poll` will next give up something, steady clock ns; None if nothing waits."""
        first = [waiting[0].frame.arrival for waiting in self._waiting.values() if waiting]
        return min(first) + self._wait if first else None

    def go_on_alone(self, side: Side, now: int) -> PairingUpdate:
        """Give up all that waits: the other camera than `side` is missing.

        Frames of `side` are dropped as `ALONE`.
        """
        update = PairingUpdate()
        for entry in self._waiting[side]:
            self._passed[side] = max(self._passed[side], entry.time)
            update.dropped.append(Dropped(entry.frame, DropReason.ALONE))
        for entry in self._waiting[side.other]:
            update.dropped.append(Dropped(entry.frame, DropReason.TIMEOUT))
        self._begin()
        self._streams[side.other].restart()
        self._streams[side].to_follow = False
        return update

    def flush(self) -> PairingUpdate:
        """Drop all waiting frames and forget the streams."""
        update = PairingUpdate()
        self._drop_all(DropReason.FLUSHED, update)
        self._forget()
        return update

    def _begin(self) -> None:
        """A new synchroniser, with nothing in it."""
        self._inputs = {side: self._library.SimpleFilter() for side in _SIDES}
        inputs = [self._inputs[side] for side in _SIDES]
        if self._max_gap:
            self._synchroniser = self._library.ApproximateTimeSynchronizer(
                inputs, self._queue_size, self._max_gap / _SECOND
            )
        else:
            self._synchroniser = self._library.TimeSynchronizer(inputs, self._queue_size)
        self._matched: list[tuple[_Entry, _Entry]] = []
        self._synchroniser.registerCallback(lambda *match: self._matched.append(match))
        self._waiting: dict[Side, list[_Entry]] = {side: [] for side in _SIDES}

    def _forget(self) -> None:
        """The streams begin anew."""
        self._passed: dict[Side, int] = dict.fromkeys(_SIDES, -1)
        for stream in self._streams.values():
            stream.restart()

    def _drop_all(self, reason: DropReason, update: PairingUpdate) -> None:
        for waiting in self._waiting.values():
            update.dropped += [Dropped(entry.frame, reason) for entry in waiting]
        self._begin()

    def _offer(self, entry: _Entry, now: int, update: PairingUpdate) -> None:
        side = entry.frame.side
        self._waiting[side].append(entry)
        broken = False
        try:
            self._inputs[side].signalMessage(entry)
        except Exception:
            _log.exception("message_filters failed: the frames that waited there stay unpaired")
            broken = True
        matches, self._matched[:] = list(self._matched), []
        for thermal, visible in matches:
            self._take(thermal, visible, now, update)
        if broken:
            self._drop_all(DropReason.RESET, update)
        else:
            self._drop_displaced(update)

    def _take(self, thermal: _Entry, visible: _Entry, now: int, update: PairingUpdate) -> None:
        entries = dict(zip(_SIDES, (thermal, visible), strict=True))
        for side, entry in entries.items():
            self._waiting[side].remove(entry)
        if any(entry.time < self._passed[side] for side, entry in entries.items()):
            update.dropped += [Dropped(entry.frame, DropReason.LATE) for entry in entries.values()]
            return
        self._passed = {side: entry.time for side, entry in entries.items()}
        gap = thermal.time - visible.time
        update.pairs.append(Pair(thermal.frame, visible.frame, now, gap))
        update.finished += [entry.frame for entry in entries.values()]

    def _drop_displaced(self, update: PairingUpdate) -> None:
        """Tell of the frames that the synchroniser has thrown out of its queues.

        A queue was full, another frame of the same stamp has the place, or, in newer versions, a
        match made all earlier frames of both cameras useless.
        """
        for side, waiting in self._waiting.items():
            queue, kept = self._queue(side), []
            full = len(queue) >= self._queue_size
            for entry in waiting:
                found = queue.get(entry.time)
                if found is entry:
                    kept.append(entry)
                else:
                    overflow = found is None and full
                    reason = DropReason.OVERFLOW if overflow else DropReason.UNPAIRED
                    update.dropped.append(Dropped(entry.frame, reason))
            self._waiting[side] = kept

    def _queue(self, side: Side) -> dict[int, _Entry]:
        """The synchroniser's own queue of a camera, by corrected stamps in ns."""
        return self._synchroniser.queues[_SIDES.index(side)]
