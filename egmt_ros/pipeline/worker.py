"""The one thread that does the work: takes from a mailbox, handles, repeats."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
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
        # A daemon, so that a stuck computation cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, timeout: float | None = None) -> tuple[bool, T | None]:
        """Finish the item in hand, take no other.

        Args:
            timeout: Seconds to wait for the item in hand, None for ever.

        Returns:
            Whether the thread has ended, and the item that was left in the mailbox.
        """
        self._stopping.set()
        leftover = self._mailbox.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive(), leftover

    def _run(self) -> None:
        while not self._stopping.is_set():
            item = self._mailbox.get(None)
            if item is None:
                continue
            try:
                self._handle(item)
            except Exception as error:  # the thread must outlive any single item
                self._report(item, error)

    def _report(self, item: T, error: Exception) -> None:
        try:
            self._on_error(item, error)
        except Exception:
            _log.exception("the handler of a failed item failed itself")
