"""Small things that rclpy's lifecycle nodes, timers and subscriptions lack."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.clock import Clock
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.subscription import Subscription

RCLError = rclpy_implementation.RCLError
InvalidHandle = rclpy_implementation.InvalidHandle


class SteadyAlarm:
    """Calls back once at a given time, again and again with a new time.

    Setting it costs nothing while an earlier alarm is set: that one fires, its callback finds
    nothing to do and sets the alarm anew. Use it from the executor's thread only.
    """

    def __init__(self, node: Node, callback: Callable[[], None], clock: Clock) -> None:
        self._callback = callback
        self._timer = node.create_timer(3600.0, self._on_timer, clock=clock)
        self._timer.cancel()
        self._due: int | None = None

    def set(self, due: int | None) -> None:
        """Fire at this time (steady ns, that of time.monotonic_ns); None changes nothing."""
        if due is None or (self._due is not None and self._due <= due):
            return
        self._due = due
        self._timer.timer_period_ns = max(1, due - time.monotonic_ns())
        self._timer.reset()

    def cancel(self) -> None:
        """Do not fire; `set` works as before."""
        self._timer.cancel()
        self._due = None

    def _on_timer(self) -> None:
        self.cancel()
        self._callback()


def answer_refused_transitions(node: LifecycleNode) -> None:
    """Answer success=False to a transition that the state does not allow.

    rclpy raises out of the service callback instead: the executor stops and the client waits
    for ever.
    """
    service = getattr(node, "_service_change_state", None)
    if service is None:
        return
    change_state = service.callback

    def guarded(request: object, response: object) -> object:
        try:
            return change_state(request, response)
        except RCLError as error:
            wanted = request.transition.label or request.transition.id
            node.get_logger().warning(
                f"transition {wanted} refused: {str(error).splitlines()[0]}"
            )
            response.success = False
            return response

    service.callback = guarded


def matched_publishers(subscription: Subscription | None) -> int | None:
    """Publishers that a subscription is connected with; from any thread, 0 once it is gone.

    None where rclpy cannot tell (Humble).
    """
    if subscription is None:
        return 0
    if not hasattr(subscription, "get_publisher_count"):
        return None
    try:
        return subscription.get_publisher_count()
    except InvalidHandle:
        return 0
