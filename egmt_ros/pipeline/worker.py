"""The one thread that does the work: takes from a mailbox, handles, repeats."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

from egmt_ros.pipeline.mailbox import Mailbox

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Worker(Generic[T]):
    """Handles the items of a mailbox in a thread of its own, one after the other.

    Args:
        mailbox: Where the items come from; closed by `stop`.
        handle: Called with each item.
        on_error: Called with (item, exception) when `handle` raises; the thread goes on, even if
            this raises as well.
    """

    def __init__(
        self,
        mailbox: Mailbox[T],
        handle: Callable[[T], None],
        on_error: Callable[[T, Exception], None],
        name: str = "egmt_worker",
    ) -> None:
        self._mailbox = mailbox
        self._handle = handle
        self._on_error = on_error
        self._stopping = threading.Event()
        self._errands: deque[tuple[Callable[[], None], Future[None]]] = deque()
        # A daemon, so that a stuck computation cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def do_between(self, errand: Callable[[], None]) -> Future[None]:
        """Have the thread call `errand` between two items: before it takes the next one.

        Errands are done in the order in which they were given, at once while no item is there.

        Returns:
            Done when the errand is, with what it raised; cancelled if the thread ends before.
        """
        done: Future[None] = Future()
        self._errands.append((errand, done))
        self._mailbox.nudge()
        if self._stopping.is_set():
            self._cancel_errands()
        return done

    def stop(self, timeout: float | None = None) -> tuple[bool, T | None]:
        """Finish the item in hand, take no other, do no errand.

        Args:
            timeout: Seconds to wait for the item in hand, None for ever.

        Returns:
            Whether the thread has ended, and the item that was left in the mailbox.
        """
        self._stopping.set()
        leftover = self._mailbox.close()
        self._cancel_errands()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive(), leftover

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                item = self._mailbox.get(None)
                self._do_errands()
                if item is None:
                    continue
                try:
                    self._handle(item)
                except Exception as error:  # the thread must outlive any single item
                    self._report(item, error)
        finally:
            self._stopping.set()
            self._cancel_errands()

    def _do_errands(self) -> None:
        for errand, done in self._taken_errands():
            if not done.set_running_or_notify_cancel():
                continue
            try:
                errand()
            except Exception as error:
                done.set_exception(error)
            else:
                done.set_result(None)

    def _cancel_errands(self) -> None:
        for _, done in self._taken_errands():
            done.cancel()

    def _taken_errands(self) -> Iterator[tuple[Callable[[], None], Future[None]]]:
        while True:
            try:
                yield self._errands.popleft()
            except IndexError:
                return

    def _report(self, item: T, error: Exception) -> None:
        try:
            self._on_error(item, error)
        except Exception:
            _log.exception("the handler of a failed item failed itself")
