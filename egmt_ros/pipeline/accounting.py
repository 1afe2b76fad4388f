"""What became of every received frame.

For each camera received = the sum of all outcomes + in flight, at every moment.
"""

from __future__ import annotations

import threading
from collections import Counter
from enum import Enum

from egmt_ros.pipeline.frames import Side


class Outcome(str, Enum):
    """What became of a frame; of a frame with several, the one named first here counts."""

    FUSED = "fused"  # in a fused image that was published while the node was active
    PASSTHROUGH = "passthrough"  # published alone, the other camera being dead
    SUPERSEDED = "superseded"  # its pair was displaced by a newer one before its turn
    REJECTED = "rejected"  # could not be used
    DISABLED = "disabled"  # received while fusion was switched off
    INACTIVE = "inactive"  # received, or still waiting, while the node was not active
    UNPAIRED = "unpaired"  # found no partner


_RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


class Ticket:
    """One received frame until its outcome is counted. Thread-safe.

    It has one holder at first. Whoever shares the frame with another calls `hold` for that one
    before handing it over; each holder ends with `settle` or `release`. When the last one has,
    the frame is counted once, with the best of the outcomes.
    """

    __slots__ = ("_account", "_best", "_holders", "_reason", "side")

    def __init__(self, account: FrameAccount, side: Side) -> None:
        self.side = side
        self._account = account
        self._holders = 1
        self._best: Outcome | None = None
        self._reason = ""

    @property
    def outcome(self) -> tuple[Outcome, str] | None:
        """What the frame was counted as, and the reason; None while somebody holds it."""
        with self._account._lock:
            return None if self._holders else (self._best, self._reason)

    def hold(self) -> None:
        """One holder more. Without effect once the frame is counted."""
        with self._account._lock:
            if self._holders:
                self._holders += 1

    def settle(self, outcome: Outcome, reason: str = "") -> bool:
        """One holder is done, with this outcome; a reason is a slug and counted beside it.

        Returns:
            False, without effect, if the frame was counted before.
        """
        return self._end(outcome, reason)

    def release(self) -> bool:
        """One holder is done and has no outcome to tell; unpaired if no other has.

        Returns:
            False, without effect, if the frame was counted before.
        """
        return self._end(Outcome.UNPAIRED, "")

    def _end(self, outcome: Outcome, reason: str) -> bool:
        with self._account._lock:
            if not self._holders:
                return False
            if self._best is None or _RANK[outcome] < _RANK[self._best]:
                self._best, self._reason = outcome, reason
            self._holders -= 1
            if not self._holders:
                self._account._count(self.side, self._best, self._reason)
            return True


class FrameAccount:
    """Counts received frames and their outcomes for each camera. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: Counter[Side] = Counter()
        self._outcomes = {side: Counter() for side in Side}
        self._reasons = {side: Counter() for side in Side}

    def receive(self, side: Side) -> Ticket:
        """Count a frame as received; the ticket is to be settled."""
        with self._lock:
            self._received[side] += 1
        return Ticket(self, side)

    def reject(self, ticket: Ticket, reason: str) -> bool:
        """Settle a ticket as rejected for a reason (a slug such as `InputError.reason`).

        Returns:
            False, without effect, if the frame was counted before.
        """
        return ticket._end(Outcome.REJECTED, reason)

    def snapshot(self) -> dict[Side, dict[str, int]]:
        """The counters of each camera at one moment.

        received = the outcomes (by their values) + in_flight. The `rejected.<reason>` and
        `unpaired.<reason>` after them say what `rejected` is made of, and `unpaired` where the
        reason is known.
        """
        with self._lock:
            return {side: self._row(side) for side in Side}

    def _row(self, side: Side) -> dict[str, int]:
        received, outcomes = self._received[side], self._outcomes[side]
        return {
            "received": received,
            **{outcome.value: outcomes[outcome] for outcome in Outcome},
            "in_flight": received - outcomes.total(),
            **self._reasons[side],
        }

    def _count(self, side: Side, outcome: Outcome, reason: str) -> None:
        """Called with the lock held."""
        self._outcomes[side][outcome] += 1
        if outcome is Outcome.REJECTED:
            reason = reason or "unspecified"
        if reason:
            self._reasons[side][f"{outcome.value}.{reason}"] += 1
