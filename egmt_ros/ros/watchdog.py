"""Says when the worker is stuck in one pair, and when it has come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rclpy.clock import Clock
from rclpy.node import Node

from egmt_ros.ros.diagnostics import ERROR, Report, Status

# How often it looks, seconds.
PERIOD = 0.25


class Busy(NamedTuple):
    """What the worker spends on the pair in hand, seconds; 0 without one.

    Attributes:
        seconds: So far.
        preparing: Those that preparing for a new image size took of them, or may take.
    """

    seconds: float = 0.0
    preparing: float = 0.0


class Watchdog:
    """Looks at the worker on the steady clock; writes one line a problem, and one at its end.

    `tell` is the source for /diagnostics, asked by their own thread, also while the executor is
    busy.

    Args:
        node: Its node.
        steady: Clock of its timer.
        busy: What the worker is busy with.
        limit: Returns the seconds from which that is too long; preparing does not count.
        on_change: Called when the worker got stuck or came back.
    """

    def __init__(
        self,
        node: Node,
        steady: Clock,
        busy: Callable[[], Busy],
        limit: Callable[[], float],
        on_change: Callable[[], None],
    ) -> None:
        self._logger = node.get_logger()
        self._busy = busy
        self._limit = limit
        self._on_change = on_change
        self._stuck = False
        node.create_timer(PERIOD, self._look, clock=steady)

    def tell(self, report: Report) -> Status:
        """How long the pair in hand takes, an error if too long."""
        busy = self._busy()
        values = {"busy_s": busy.seconds}
        if not self._is_too_long(busy):
            return Status(values=values)
        words = f"{self._words(busy)}; it goes on once that pair ends, otherwise restart the node"
        return Status(ERROR, words, values)

    def _is_too_long(self, busy: Busy) -> bool:
        return busy.seconds - busy.preparing > self._limit()

    def _words(self, busy: Busy) -> str:
        return (
            f"the worker is stuck: busy with one pair for {busy.seconds:.1f} s"
            f" (diagnostics.stuck_after: {self._limit():g})"
        )

    def _look(self) -> None:
        busy = self._busy()
        stuck = self._is_too_long(busy)
        if stuck == self._stuck:
            return
        self._stuck = stuck
        if stuck:
            self._logger.error(self._words(busy))
        else:
            self._logger.warning("the worker is not stuck any more")
        self._on_change()
