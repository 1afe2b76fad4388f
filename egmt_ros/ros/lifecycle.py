"""Small things that rclpy's lifecycle nodes, timers and subscriptions lack."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from rclpy.clock import Clock
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription

T = TypeVar("T")

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


class ExecutorCalls:
    """Has other threads' calls done in the executor's, among the callbacks of a node."""

    def __init__(self, node: Node) -> None:
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._closed = False
        self._guard = node.create_guard_condition(self._run)

    def post(self, call: Callable[[], T]) -> Future[T]:
        """Have it called in the executor's thread; does not wait. From any thread.

        Returns:
            Done with what it returns or raises; cancelled if `close` came before it.
        """
        done: Future[T] = Future()
        self._calls.append((call, done))
        if self._closed:
            self.close()
        else:
            self._guard.trigger()
        return done

    def ask(self, call: Callable[[], T]) -> T:
        """Call it in the executor's thread; return what it returns, raise what it raises.

        Raises:
            CancelledError: `close` came before it.
        """
        return self.post(call).result()

    def close(self) -> None:
        """Do none of the calls that wait, and no later ones."""
        self._closed = True
        for _, done in self._taken():
            done.cancel()

    def _taken(self) -> Iterator[tuple[Callable[[], Any], Future[Any]]]:
        while True:
            try:
                yield self._calls.popleft()
            except IndexError:
                return

    def _run(self) -> None:
        for call, done in self._taken():
            done.set_running_or_notify_cancel()
            try:
                done.set_result(call())
            except Exception as error:
                done.set_exception(error)


class Answer:
    """What a service's callback returns in place of a response that is not there yet.

    For services after `may_answer_later`. rclpy would let a callback be a coroutine, but until
    Jazzy its executor asks it again and again whether it is done, which takes a whole processor,
    and meanwhile runs no other callback of the group.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._response: object | None = None
        self._send: Callable[[object], None] | None = None

    def give(self, response: object) -> None:
        """Send the response, from any thread; without effect once the service is gone."""
        with self._lock:
            self._response = response
            self._send_both()

    def sent_by(self, send: Callable[[object], None]) -> None:
        """The callback has ended; `send` sends a response to the one who asked."""
        with self._lock:
            self._send = send
            self._send_both()

    def _send_both(self) -> None:
        if self._response is None or self._send is None:
            return
        try:
            self._send(self._response)
        except (InvalidHandle, RCLError):
            pass


def may_answer_later(service: Service) -> None:
    """Let the callback of a service return an `Answer`."""
    send_response = service.send_response

    def send(response: object, header: object) -> None:
        if isinstance(response, Answer):
            response.sent_by(lambda answer: send_response(answer, header))
        else:
            send_response(response, header)

    service.send_response = send


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
