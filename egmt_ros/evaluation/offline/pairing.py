"""Frames of a bag into pairs, by the classes and on the terms of the node.

The steady clock is the bag's time: a frame arrives when it was recorded, and what waits is decided
when it is due, as by the node's timer. No pair is displaced by a newer one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from egmt_ros.errors import InputError
from egmt_ros.evaluation.offline.reading import Message
from egmt_ros.node_core.matching import camera_watch, nearest_pairer
from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.pipeline.accounting import FrameAccount, Outcome, Ticket
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.intake import Intake
from egmt_ros.pipeline.message_view import message_view
from egmt_ros.pipeline.missing_camera import Single

UNREADABLE = "unreadable"
"""Reason of a frame whose message is not valid."""


class Unused(NamedTuple):
    """A frame that is in no fused image; as in `tables.UNUSED_COLUMNS`."""

    side: str
    stamp: int
    outcome: str
    reason: str


class _Everything:
    """In the place of the node's mailbox: takes every pair, in order."""

    def __init__(self) -> None:
        self._items: list[Pair | Single] = []

    def put(self, item: Pair | Single) -> None:
        self._items.append(item)

    def take(self) -> list[Pair | Single]:
        """What was put since."""
        items, self._items = self._items, []
        return items


class BagPairing:
    """Takes messages in the order of the bag and gives pairs.

    Every pair that is given must be settled before the next call.

    Args:
        parameters: Of pairing.

    Attributes:
        account: Of every frame.
        first, last: Side -> earliest and latest stamp, ns.
        errors: Side and reason -> the last error of the frames that were rejected on arrival.

    Raises:
        ConfigError: The pairing policy needs a running node.
    """

    def __init__(self, parameters: FusionParameters) -> None:
        self.account = FrameAccount()
        self.first: dict[Side, int] = {}
        self.last: dict[Side, int] = {}
        self.errors: dict[tuple[Side, str], str] = {}
        self._parameters = parameters
        self._pairer = nearest_pairer(parameters.sync)
        self._made = _Everything()
        self._intake = Intake(self.account, message_view, self._on_reject)
        self._open: deque[tuple[Side, int, Ticket]] = deque()

    def advance(self, now: int) -> list[Pair | Single]:
        """Let time pass up to `now`, ns: what was due by then is decided."""
        while (due := self._intake.deadline()) is not None and due <= now:
            self._intake.poll(due)
        return self._made.take()

    def receive(self, side: Side, message: Message) -> list[Pair | Single]:
        """Take a frame; `advance` to its arrival first."""
        if not self._intake.is_open:
            self._intake.open(
                self._pairer,
                self._made,
                reference=Side(self._parameters.output.reference),
                watch=camera_watch(self._parameters.sync, message.arrival),
            )
        if message.content is None:
            ticket = self.account.receive(side)
            self.account.reject(ticket, UNREADABLE)
        else:
            ticket = self._intake.receive(side, message.stamp, message.content, message.arrival)
            self.first[side] = min(message.stamp, self.first.get(side, message.stamp))
            self.last[side] = max(message.stamp, self.last.get(side, message.stamp))
        self._open.append((side, message.stamp, ticket))
        return self._made.take()

    def finish(self) -> list[Pair | Single]:
        """The bag has ended: time passes until nothing waits any more."""
        return self.advance(2**63)

    def abandon(self) -> None:
        """Give up what waits for a partner: it counts as inactive."""
        self._intake.close(Outcome.INACTIVE)

    def unused(self) -> Iterator[Unused]:
        """The frames in no fused image whose outcome is known since, in the order of the bag."""
        while self._open and (counted := self._open[0][2].outcome) is not None:
            side, stamp, _ = self._open.popleft()
            outcome, reason = counted
            if outcome is not Outcome.FUSED:
                yield Unused(side.value, stamp, outcome.value, reason)

    def counters(self) -> dict[str, dict[str, int]]:
        """The account as `Run.account` has it: nothing is lost between a bag and its reader."""
        return {
            side.value: {"sent": row["received"], "lost": 0, **row}
            for side, row in self.account.snapshot().items()
        }

    def reasons(self) -> Counter[str]:
        """How often frames were not used, by outcome and reason."""
        total: Counter[str] = Counter()
        for row in self.account.snapshot().values():
            total.update({name: n for name, n in row.items() if "." in name})
        return total

    def _on_reject(self, side: Side, error: InputError) -> None:
        self.errors[side, error.reason] = str(error)
