"""What a subscription's callback does with a frame: wrap, account, pair, hand over.

ROS-free: messages are opaque, the caller says how to wrap one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from egmt_ros.errors import InputError
from egmt_ros.pipeline.accounting import FrameAccount, Outcome, Ticket
from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.pairing import Frame, NearestPairer, Pair, PairingUpdate, Side


@dataclass(frozen=True, eq=False)
class Received:
    """Payload of a frame: its ticket in the account, its header and the view of its pixels."""

    ticket: Ticket
    header: Any
    view: Any


class Intake:
    """Takes every frame of both inputs and brings each to an outcome or into a pair.

    Not thread-safe: all calls come from one thread, the executor's. Closed at first.

    Args:
        account: Where each frame is counted.
        wrap: Makes the view of a message without copying; raises InputError for a bad one.
        on_reject: Called with (side, error) for each bad frame.
    """

    def __init__(
        self,
        account: FrameAccount,
        wrap: Callable[[Any], Any],
        on_reject: Callable[[Side, InputError], None],
    ) -> None:
        self._account = account
        self._wrap = wrap
        self._on_reject = on_reject
        self._closed_as: Outcome | None = Outcome.INACTIVE
        self._pairer: NearestPairer | None = None
        self._mailbox: Mailbox[Pair] | None = None
        self.resets = 0

    @property
    def is_open(self) -> bool:
        return self._closed_as is None

    def open(self, pairer: NearestPairer, mailbox: Mailbox[Pair]) -> None:
        """From now on frames are paired and pairs put into the mailbox."""
        self._pairer, self._mailbox, self._closed_as = pairer, mailbox, None

    def close(self, outcome: Outcome) -> None:
        """From now on, and for the frames that still wait for a partner: this outcome."""
        if self._pairer is not None:
            self._let_go(self._pairer.flush(), outcome)
            self._pairer = None
        self._closed_as = outcome

    def replace_pairer(self, pairer: NearestPairer) -> None:
        """Pair by other rules; frames that still wait for a partner stay unpaired."""
        if self._pairer is not None:
            self._let_go(self._pairer.flush(), Outcome.UNPAIRED)
            self._pairer = pairer

    def receive(self, side: Side, stamp: int, message: Any, now: int) -> None:
        """Take one message.

        Args:
            side: Its input.
            stamp: Its source stamp, ns.
            message: Has `.header`; wrapped as the constructor was told.
            now: Arrival on the steady clock, ns.
        """
        ticket = self._account.receive(side)
        if self._closed_as is not None:
            ticket.settle(self._closed_as)
            return
        try:
            view = self._wrap(message)
        except Exception as error:  # whatever a message holds, it must not stop the node
            if not isinstance(error, InputError):
                error = InputError(f"cannot read the image: {error!r}", "unreadable")
            self._account.reject(ticket, error.reason)
            self._on_reject(side, error)
            return
        frame = Frame(side, stamp, now, Received(ticket, message.header, view))
        self._hand_over(self._pairer.add(frame, now))

    def poll(self, now: int) -> None:
        """Release what has waited long enough (steady ns)."""
        if self._pairer is not None:
            self._hand_over(self._pairer.poll(now))

    def deadline(self) -> int | None:
        """When `poll` should be called next (steady ns)."""
        return None if self._pairer is None else self._pairer.deadline()

    def _hand_over(self, update: PairingUpdate) -> None:
        self.resets += update.reset
        for pair in update.pairs:
            # The pair holds its frames besides the pairing, which may use one again.
            pair.thermal.payload.ticket.hold()
            pair.visible.payload.ticket.hold()
            displaced = self._mailbox.put(pair)
            if displaced is pair:  # closed: the worker has ended
                settle_pair(pair, Outcome.INACTIVE)
            elif displaced is not None:
                settle_pair(displaced, Outcome.SUPERSEDED)
        self._let_go(update, Outcome.UNPAIRED)

    @staticmethod
    def _let_go(update: PairingUpdate, outcome: Outcome) -> None:
        """The pairing is done with some frames: those that were in no pair get the outcome."""
        for dropped in update.dropped:
            reason = dropped.reason.value if outcome is Outcome.UNPAIRED else ""
            dropped.frame.payload.ticket.settle(outcome, reason)
        for frame in update.finished:
            frame.payload.ticket.release()


def settle_pair(pair: Pair, outcome: Outcome) -> None:
    """The same outcome for both frames of a pair that was handed over."""
    pair.thermal.payload.ticket.settle(outcome)
    pair.visible.payload.ticket.settle(outcome)
