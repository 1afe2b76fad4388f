"""The process of a node: start it, wait for a signal, end it in order.

The main thread only waits for SIGINT or SIGTERM; a second thread spins the executor. So no
callback is torn by an exception in its middle, and the last messages still go out: rclpy's own
signal handling would invalidate the context first.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from egmt_ros.errors import EgmtError, MissingDependencyError

if TYPE_CHECKING:
    from rclpy.node import Node

SIGNALS = (signal.SIGINT, signal.SIGTERM)

# A transition that takes longer than this is stuck, seconds. Loading weights takes less.
STOP_TIMEOUT = 60.0


def run_node(
    make_node: Callable[[], Node], name: str, args: Sequence[str] | None = None
) -> int:
    """Run a node until SIGINT or SIGTERM. Main thread only.

    Args:
        make_node: Called after rclpy.init; imports what needs ROS itself.
        name: How lines on standard error begin.
        args: Command line with the program's name first, None: sys.argv.

    Returns:
        Exit status: 0 after a signal, 1 after a failure or without ROS 2, 2 for bad arguments
        or parameters.
    """
    with _Signals() as signals:
        return _run(make_node, name, list(sys.argv if args is None else args), signals)


def _run(
    make_node: Callable[[], Node], name: str, argv: list[str], signals: _Signals
) -> int:
    from egmt_ros.ros.dds import choose_profile
    from egmt_ros.ros.requirements import require_ros

    try:
        require_ros("the node")
    except MissingDependencyError as error:
        return _refuse(name, error, 1)
    profile = choose_profile("robot")

    import rclpy
    from rclpy.exceptions import NameValidationException
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from egmt_ros.ros.lifecycle import RCLError

    try:
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
    except RCLError as error:
        return _refuse(name, error, 2)
    try:
        node = make_node()
    except (EgmtError, RCLError, NameValidationException) as error:
        rclpy.try_shutdown()
        return _refuse(name, error, 2)
    if profile.warning:
        node.get_logger().warning(profile.warning)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinning = _Spinner(executor, node.get_logger())
    spinning.start()

    received = signals.wait()
    node.get_logger().info(f"{received.name}: shutting down")
    if not spinning.stop(STOP_TIMEOUT):
        node.get_logger().error(f"a callback did not end within {STOP_TIMEOUT:.0f} s: leaving")
        sys.stderr.flush()
        os._exit(1)
    node.destroy_node()
    executor.shutdown()
    rclpy.try_shutdown()
    return 1 if spinning.failed else 0


class _Signals:
    """Keeps SIGINT and SIGTERM for `wait`, whenever and in whichever thread they arrive.

    They are blocked until `wait`, also in threads that start meanwhile, so that they interrupt
    no system call; a library's thread that started before may still get one, so the handler
    does nothing and the number comes through a pipe.
    """

    def __enter__(self) -> _Signals:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        # Before the handlers: what a library's thread gets in between would be lost.
        self._wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        # Set even where a shell started us in the background and had SIGINT ignored.
        self._handlers = {number: signal.signal(number, _ignore) for number in SIGNALS}
        return self

    def wait(self) -> signal.Signals:
        """Block until one arrives, or return the one that has. Main thread only."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        while True:
            number = os.read(self._reader, 1)[0]
            if number in SIGNALS:
                return signal.Signals(number)

    def __exit__(self, *exception: object) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number in SIGNALS:  # what came a second time is dropped here
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._reader)
        os.close(self._writer)


def _ignore(number: int, frame: object) -> None:
    """Only the wakeup pipe matters."""


class _Spinner:
    """Spins an executor in a thread. What a callback raises is logged, and the spinning goes on."""

    def __init__(self, executor: object, logger: object) -> None:
        self._executor = executor
        self._logger = logger
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="egmt_executor", daemon=True)
        self.failed = False

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> bool:
        self._stopping = True
        self._executor.create_task(lambda: None)  # ends the wait
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        from egmt_ros.ros.throttle import LogThrottle

        throttle = LogThrottle()
        in_a_row = 0
        while not self._stopping:
            try:
                self._executor.spin_once()
                in_a_row = 0
            except Exception as error:
                trace = traceback.format_exc()
                message = f"a callback failed: {error}\n{trace}"
                throttle.error(self._logger, type(error), message)
                in_a_row += 1
                if in_a_row == 100:  # nothing works any more
                    self.failed = True
                    os.kill(os.getpid(), signal.SIGTERM)
                    return


def _refuse(name: str, error: Exception, status: int) -> int:
    """Say why nothing was started; the exit status."""
    for line in str(error).splitlines():
        print(f"{name}: {line}", file=sys.stderr)
    return status
