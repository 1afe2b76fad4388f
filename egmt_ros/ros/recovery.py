"""What the node does about pairs that fail: it deactivates itself and tries again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from rclpy.clock import Clock
from rclpy.node import Node

from egmt_ros.ros.failures import describe
from egmt_ros.ros.lifecycle import ExecutorCalls, SteadyAlarm

# So many failures in a row deactivate the node.
LIMIT = 3

NANOSECONDS = 1_000_000_000


class Backoff:
    """Delays between attempts, seconds: each twice the one before, up to a longest."""

    def __init__(self, first: float = 1.0, longest: float = 60.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def next(self) -> float:
        """The delay before the next attempt."""
        delay, self._next = self._next, min(2 * self._next, self._longest)
        return delay

    def reset(self) -> None:
        """Begin again with the shortest."""
        self._next = self._first


class Actions(NamedTuple):
    """What a recovery may do, each in the executor's thread.

    Attributes:
        take_care: Whether something else is being done about an error.
        deactivate: Deactivates an active node, for the reason given.
        activate: Activates an inactive node; whether that succeeded.
        may_activate: Whether it may be tried: the node starts by itself.
    """

    take_care: Callable[[Exception], bool]
    deactivate: Callable[[str], None]
    activate: Callable[[], bool]
    may_activate: Callable[[], bool]


class Recovery:
    """Deactivates the node after failures in a row, and tries again with growing delays.

    Args:
        node: Its node.
        calls: Into the executor's thread.
        steady: Clock of the delays.
        actions: What may be done.
    """

    def __init__(self, node: Node, calls: ExecutorCalls, steady: Clock, actions: Actions) -> None:
        self._calls = calls
        self._actions = actions
        self._alarm = SteadyAlarm(node, self._try_again, steady)
        self._in_a_row = 0
        self._round = 0  # of activations: what an earlier one asked for is void
        self._active = False
        self.backoff = Backoff()

    def fused(self) -> None:
        """A pair was fused. From the worker's thread."""
        self._in_a_row = 0
        self.backoff.reset()

    def failed(self, error: Exception) -> None:
        """A pair failed. From the worker's thread."""
        self._in_a_row += 1
        self._calls.post(lambda begun=self._round: self._consider(error, begun))

    def begin(self) -> None:
        """The node is about to be active. In the executor's thread, as are the following."""
        self._round += 1
        self._in_a_row = 0
        self._active = True

    def cancel(self) -> None:
        """The node is about to change its state: nothing is tried any more."""
        self._active = False
        self._alarm.cancel()

    def _consider(self, error: Exception, begun: int) -> None:
        if not self._active or begun != self._round:
            return
        if self._actions.take_care(error):
            self._in_a_row = 0
        elif self._in_a_row >= LIMIT:
            reason = f"deactivated: {self._in_a_row} pairs failed in a row, the last by"
            self._stop(f"{reason} {describe(error)}")

    def _stop(self, reason: str) -> None:
        if not self._actions.may_activate():
            self._actions.deactivate(reason)
            return
        delay = self.backoff.next()
        self._actions.deactivate(f"{reason}; trying again in {delay:g} s")
        self._arm(delay)

    def _try_again(self) -> None:
        if not self._actions.activate():
            self._arm(self.backoff.next())

    def _arm(self, delay: float) -> None:
        self._alarm.set(time.monotonic_ns() + round(delay * NANOSECONDS))
