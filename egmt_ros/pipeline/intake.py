"""What a subscription's callback does with a frame: wrap, account, pair, hand over.

ROS-free: messages are opaque, the caller says how to wrap one. What is handed over never goes back
in the stamps that its outputs will have, but for a jump of the cameras' time, or from one camera's
clock to the other's where these are more than a second apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from egmt_ros.errors import InputError
from egmt_ros.pipeline.accounting import FrameAccount, Outcome, Ticket
from egmt_ros.pipeline.arrival_skew import ArrivalSkew
from egmt_ros.pipeline.frames import DropReason, Frame, Pair, PairingUpdate, Side
from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.missing_camera import CameraWatch, Single

# What is this much older than the last output, ns, is no frame that is late, but of another clock:
# the other camera's, in whose place it is now.
_OTHER_CLOCK = 1_000_000_000


class Pairer(Protocol):
    """What decides which frames are a pair; times are steady ns. `NearestPairer` is one."""

    def add(self, frame: Frame, now: int) -> PairingUpdate:
        """Take a frame."""

    def poll(self, now: int) -> PairingUpdate:
        """Decide what has waited long enough."""

    def deadline(self) -> int | None:
        """When `poll` will next decide something; None if nothing waits."""

    def go_on_alone(self, side: Side, now: int) -> PairingUpdate:
        """Decide all that waits, the other camera than `side` being missing."""

    def flush(self) -> PairingUpdate:
        """Drop all waiting frames and forget the streams."""


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

    Attributes:
        resets: How often the cameras' time jumped back.
        missing: The camera without which images are passed through.
        skew: How much later the images of one camera come.
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
        self._pairer: Pairer | None = None
        self._mailbox: Mailbox[Pair | Single] | None = None
        self._reference = Side.VISIBLE
        self._watch: CameraWatch | None = None
        self._last_stamp: int | None = None
        self.resets = 0
        self.missing: Side | None = None
        self.skew = ArrivalSkew()

    @property
    def is_open(self) -> bool:
        return self._closed_as is None

    def open(
        self,
        pairer: Pairer,
        mailbox: Mailbox[Pair | Single],
        *,
        reference: Side = Side.VISIBLE,
        watch: CameraWatch | None = None,
    ) -> None:
        """From now on frames are paired and pairs put into the mailbox.

        Args:
            pairer: Makes the pairs.
            mailbox: Gets them.
            reference: The camera whose stamp the output of a pair has.
            watch: Whether images of one camera are passed through while the other is missing, and
                when it is. None: they are not.
        """
        self._mailbox, self._reference, self._closed_as = mailbox, reference, None
        self._begin(pairer, watch)

    def close(self, outcome: Outcome) -> None:
        """From now on, and for the frames that still wait for a partner: this outcome."""
        if self._pairer is not None:
            self._let_go(self._pairer.flush(), outcome)
        self._begin(None, None)
        self._closed_as = outcome

    def replace_pairer(self, pairer: Pairer, watch: CameraWatch | None = None) -> None:
        """Pair by other rules; frames that still wait for a partner stay unpaired."""
        if self._pairer is not None:
            self._let_go(self._pairer.flush(), Outcome.UNPAIRED)
            self._begin(pairer, watch)

    def _begin(self, pairer: Pairer | None, watch: CameraWatch | None) -> None:
        self._pairer, self._watch = pairer, watch
        self._last_stamp = self.missing = None

    def receive(self, side: Side, stamp: int, message: Any, now: int) -> Ticket:
        """Take one message; its ticket tells what becomes of it.

        Args:
            side: Its input.
            stamp: Its source stamp, ns.
            message: Has `.header`; wrapped as the constructor was told.
            now: Arrival on the steady clock, ns.
        """
        ticket = self._account.receive(side)
        if self._closed_as is not None:
            ticket.settle(self._closed_as)
            return ticket
        try:
            view = self._wrap(message)
        except Exception as error:  # whatever a message holds, it must not stop the node
            if not isinstance(error, InputError):
                error = InputError(f"cannot read the image: {error!r}", "unreadable")
            self._account.reject(ticket, error.reason)
            self._on_reject(side, error)
            return ticket
        frame = Frame(side, stamp, now, Received(ticket, message.header, view))
        self.skew.add(side, stamp, now)
        if self._watch is not None:
            self._watch.seen(side, now)
        self._hand_over(self._pairer.add(frame, now))
        self._pass_through(now)
        return ticket

    def poll(self, now: int) -> None:
        """Release what has waited long enough (steady ns)."""
        if self._pairer is not None:
            self._hand_over(self._pairer.poll(now))
            self._pass_through(now)

    def deadline(self) -> int | None:
        """When `poll` should be called next (steady ns)."""
        due = None if self._pairer is None else self._pairer.deadline()
        if due is None or self._watch is None:
            return due
        missing_from = self._watch.due()
        return due if missing_from is None else min(due, missing_from)

    def _pass_through(self, now: int) -> None:
        """If a camera is missing, let the other one's frames go on without it."""
        self.missing = None if self._watch is None else self._watch.missing(now)
        if self.missing is None:
            return
        update = self._pairer.go_on_alone(self.missing.other, now)
        alone = [d for d in update.dropped if d.reason is DropReason.ALONE]
        update.dropped = [d for d in update.dropped if d.reason is not DropReason.ALONE]
        self._hand_over(update)
        for dropped in alone:
            frame = dropped.frame
            if self._behind(frame.stamp - 1):  # was published in a pair, or what comes after it was
                frame.payload.ticket.settle(Outcome.UNPAIRED, DropReason.LATE.value)
            else:
                self._put(Single(frame, now), frame.stamp)

    def _behind(self, stamp: int) -> bool:
        """Whether an output of this stamp, ns, would come after a later one."""
        return self._last_stamp is not None and 0 < self._last_stamp - stamp <= _OTHER_CLOCK

    def _hand_over(self, update: PairingUpdate) -> None:
        self.resets += update.reset
        if update.reset:
            self._last_stamp = None
            self.skew.clear()
        for pair in update.pairs:
            reference = pair.visible if self._reference is Side.VISIBLE else pair.thermal
            # The pair holds its frames besides the pairing, which may use one again.
            for frame in pair.frames:
                frame.payload.ticket.hold()
            if self._behind(reference.stamp):
                settle_pair(pair, Outcome.UNPAIRED, DropReason.LATE.value)
            else:
                self._put(pair, reference.stamp)
        self._let_go(update, Outcome.UNPAIRED)

    def _put(self, item: Pair | Single, stamp: int) -> None:
        self._last_stamp = stamp
        displaced = self._mailbox.put(item)
        if displaced is item:  # closed: the worker has ended
            settle_pair(item, Outcome.INACTIVE)
        elif displaced is not None:
            settle_pair(displaced, Outcome.SUPERSEDED)

    @staticmethod
    def _let_go(update: PairingUpdate, outcome: Outcome) -> None:
        """The pairing is done with some frames: those that were in no pair get the outcome."""
        for dropped in update.dropped:
            reason = dropped.reason.value if outcome is Outcome.UNPAIRED else ""
            dropped.frame.payload.ticket.settle(outcome, reason)
        for frame in update.finished:
            frame.payload.ticket.release()


def settle_pair(item: Pair | Single, outcome: Outcome, reason: str = "") -> None:
    """The same outcome for all frames of what was handed over."""
    for frame in item.frames:
        frame.payload.ticket.settle(outcome, reason)
