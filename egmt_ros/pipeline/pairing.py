"""Pairs of thermal and visible frames: mutually nearest in source time.

**What a pair is.** Stamps are corrected by each camera's offset. Two frames are a pair if no other
frame of either camera is nearer to one of them, and they are at most `max_gap` apart. Of equally
near partners the earlier one is taken, and each frame is used once. With `reuse_thermal` each
visible frame takes its nearest thermal frame, which may serve several. Pairs come in stamp order.

**When it is released.** The earliest waiting frame is decided first. Frames of a stream come in
stamp order, so the first frame at or beyond a time settles what lies before it: a pair is released
when the camera of its earlier frame has sent (or by its least interval can only send) frames that
are no nearer to the later one; at once if the gap is 0 or the camera of the earlier frame is ahead
already. What cannot be settled is decided as things stand `wait` after the arrival of the frame,
for a pair of the later frame, on the steady clock: see `NearestPairer.deadline`.

**Late frames and jumps.** A frame older than its stream's newest still takes part unless a frame
after it has already left; then it is dropped as `LATE`. A step back of more than `jump`, or three
frames in a row older than the newest, is a jump back in time (a bag loops, a clock was set): all
waiting frames are dropped as `RESET` and pairing starts afresh. Until the other camera has jumped
as well, its frames that are more than `jump` ahead are dropped as `STALE`.

**Without the other camera.** Whoever knows that a camera is missing calls `go_on_alone` after each
frame of the other one; such frames are dropped as `ALONE`, at once.
"""

from __future__ import annotations

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.frames import Dropped, DropReason, Frame, Pair, PairingUpdate, Side
from egmt_ros.pipeline.stream import Stream


class NearestPairer:
    """Pairs two streams of frames; the module's text says how. Not thread-safe.

    Each call takes constant time on average and at most `max_waiting` frames a camera are kept.

    Args:
        max_gap: Largest distance of corrected stamps in a pair, ns.
        wait: Longest time that a frame waits for a nearer partner, steady ns.
        thermal_offset: Added to thermal stamps, ns.
        visible_offset: Added to visible stamps, ns.
        reuse_thermal: A thermal frame may serve several visible ones. It then waits for them
            `max_gap` longer than `wait`.
        thermal_interval: Least time between two thermal frames, ns, if the camera guarantees one:
            pairs are then released earlier. 0: none.
        visible_interval: The same of the visible camera.
        jump: Step back in time from which a stream has jumped and is not merely out of order, ns;
            at least `max_gap`.
        max_waiting: Most frames of a camera that wait; the oldest above that is dropped.

    Raises:
        ConfigError: an argument is out of range.
    """

    def __init__(
        self,
        *,
        max_gap: int,
        wait: int,
        thermal_offset: int = 0,
        visible_offset: int = 0,
        reuse_thermal: bool = False,
        thermal_interval: int = 0,
        visible_interval: int = 0,
        jump: int = 1_000_000_000,
        max_waiting: int = 64,
    ) -> None:
        for name, value, least in (
            ("max_gap", max_gap, 0),
            ("wait", wait, 1),
            ("thermal_interval", thermal_interval, 0),
            ("visible_interval", visible_interval, 0),
            ("jump", jump, 1),
            ("max_waiting", max_waiting, 1),
        ):
            if value < least:
                unit = "" if name == "max_waiting" else " ns"
                raise ConfigError(
                    f"sync: {name} is {value}{unit}, expected at least {least}{unit}: raise it"
                )
        self._max_gap = max_gap
        self._wait = wait
        self._jump = max(jump, max_gap)
        self._max_waiting = max_waiting
        self._thermal = Stream(thermal_offset, thermal_interval)
        self._visible = Stream(visible_offset, visible_interval)
        self._decide = self._decide_reusing if reuse_thermal else self._decide_mutual
        self._deadline: int | None = None
        self._alone: Stream | None = None

    def add(self, frame: Frame, now: int) -> PairingUpdate:
        """Take a frame (now: steady clock, ns)."""
        update = PairingUpdate()
        stream, other = self._thermal, self._visible
        if frame.side is Side.VISIBLE:
            stream, other = other, stream
        time = frame.stamp + stream.offset
        if stream.jumps_back(time, self._jump):
            self._restart(DropReason.RESET, update)
            update.reset = True
            other.to_follow = True
        stream.to_follow = stream.to_follow and time > other.newest + self._jump
        if stream.to_follow:
            update.dropped.append(Dropped(frame, DropReason.STALE))
        elif time < stream.passed:
            update.dropped.append(Dropped(frame, DropReason.LATE))
        else:
            stream.insert(time, frame)
        self._advance(now, update)
        if len(stream.waiting) > self._max_waiting:
            self._let_go(stream, DropReason.OVERFLOW, update)
            self._advance(now, update)
        return update

    def poll(self, now: int) -> PairingUpdate:
        """Decide what has waited long enough (now: steady clock, ns)."""
        update = PairingUpdate()
        self._advance(now, update)
        return update

    def deadline(self) -> int | None:
        """When `poll` will next decide something, steady clock ns; None if nothing waits."""
        return self._deadline

    def go_on_alone(self, side: Side, now: int) -> PairingUpdate:
        """Decide all that waits as things stand: the other camera than `side` is missing.

        Frames of `side` that are in no pair are dropped as `ALONE`, and are no one's partner any
        more. The other camera's times are forgotten: it may come back with others.
        """
        update = PairingUpdate()
        mine, theirs = self._thermal, self._visible
        if side is Side.VISIBLE:
            mine, theirs = theirs, mine
        self._alone = mine
        self._advance(now, update)
        self._alone = None
        theirs.restart()
        mine.to_follow = False
        return update

    def flush(self) -> PairingUpdate:
        """Drop all waiting frames and forget the streams."""
        update = PairingUpdate()
        self._restart(DropReason.FLUSHED, update)
        return update

    def _restart(self, reason: DropReason, update: PairingUpdate) -> None:
        for stream in (self._thermal, self._visible):
            while stream.waiting:
                self._let_go(stream, reason, update)
            stream.restart()
        self._deadline = None

    def _advance(self, now: int, update: PairingUpdate) -> None:
        while self._decide(now, update):
            pass

    def _decide_mutual(self, now: int, update: PairingUpdate) -> bool:
        """Decide the earliest waiting frame. False, and the deadline is set, if it must wait."""
        mine, theirs = self._thermal, self._visible
        if not mine.waiting or (
            theirs.waiting and theirs.waiting[0].time < mine.waiting[0].time
        ):
            mine, theirs = theirs, mine
        if not mine.waiting:
            self._deadline = None
            return False
        head = mine.waiting[0]
        # A partner farther than the last decided frame, which is gone, would not be the nearest.
        reach = min(self._max_gap, abs(head.time - theirs.decided))
        if not theirs.waiting:
            if theirs.bound > head.time + reach:
                return self._let_go(mine, DropReason.UNPAIRED, update)
            self._deadline = head.frame.arrival + self._wait
            return self._is_over(now) and self._give_up(mine, update)
        partner = theirs.waiting[0]
        gap = partner.time - head.time
        rival = mine.first_after(head.time)
        if gap > reach or (rival and rival.time < partner.time + gap):
            return self._let_go(mine, DropReason.UNPAIRED, update)
        self._deadline = max(head.frame.arrival, partner.frame.arrival) + self._wait
        if mine.bound < partner.time + gap and not self._is_over(now):
            return False
        self._release(now, update)
        self._let_go(self._thermal, None, update)
        return self._let_go(self._visible, None, update)

    def _decide_reusing(self, now: int, update: PairingUpdate) -> bool:
        """Decide the earliest visible or thermal frame, as `_decide_mutual` does."""
        thermal, visible = self._thermal.waiting, self._visible.waiting
        if thermal:
            # The earliest time for which a thermal frame may still be wanted.
            wanted = visible[0].time if visible else self._visible.bound
            first, second = thermal[0].time, thermal[1].time if len(thermal) > 1 else None
            if first == second:
                return self._let_go(self._thermal, DropReason.UNPAIRED, update, index=1)
            beaten = second is not None and wanted - first > second - wanted
            if beaten or wanted - first > self._max_gap:
                return self._let_go(self._thermal, DropReason.UNPAIRED, update)
        if visible:
            # Thermal frames before the nearest were beaten by it, so it is the first.
            head = visible[0]
            gap = abs(thermal[0].time - head.time) if thermal else self._max_gap + 1
            if gap <= self._max_gap:
                self._deadline = max(head.frame.arrival, thermal[0].frame.arrival) + self._wait
                if self._thermal.bound < head.time + gap and not self._is_over(now):
                    return False
                self._release(now, update)
                return self._let_go(self._visible, None, update)
            if self._thermal.bound > head.time + self._max_gap:
                return self._let_go(self._visible, DropReason.UNPAIRED, update)
            self._deadline = head.frame.arrival + self._wait
            return self._is_over(now) and self._give_up(self._visible, update)
        if thermal:
            self._deadline = thermal[0].frame.arrival + self._wait + self._max_gap
            return self._is_over(now) and self._give_up(self._thermal, update)
        self._deadline = None
        return False

    def _release(self, now: int, update: PairingUpdate) -> None:
        thermal, visible = self._thermal.waiting[0], self._visible.waiting[0]
        thermal.served = visible.served = True
        update.pairs.append(Pair(thermal.frame, visible.frame, now, thermal.time - visible.time))

    def _is_over(self, now: int) -> bool:
        return self._alone is not None or now >= self._deadline

    def _give_up(self, stream: Stream, update: PairingUpdate) -> bool:
        alone = stream is self._alone
        return self._let_go(stream, DropReason.ALONE if alone else DropReason.TIMEOUT, update)

    @staticmethod
    def _let_go(
        stream: Stream, reason: DropReason | None, update: PairingUpdate, index: int = 0
    ) -> bool:
        """Remove a frame: finished if it has been in a pair, dropped for the reason if not."""
        decided = reason in (None, DropReason.UNPAIRED, DropReason.ALONE)
        entry = stream.take(decided=decided, index=index)
        if entry.served:
            update.finished.append(entry.frame)
        else:
            update.dropped.append(Dropped(entry.frame, reason))
        return True
