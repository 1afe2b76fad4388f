"""A slot for one item between threads: the newest wins."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """Holds at most one item; a new one displaces it. Thread-safe. Items must not be None.

    Every item that is put comes out exactly once: from `get`, as displaced by `put`, or as left
    over from `close`.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self._nudged = False

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, item: T) -> T | None:
        """Leave an item; never blocks.

        Returns:
            The item that it displaces, or None; the item itself if the mailbox is closed.
        """
        if item is None:
            raise ValueError("a mailbox cannot hold None, which means that it is empty")
        with self._condition:
            if self._closed:
                return item
            displaced, self._item = self._item, item
            self._condition.notify()
            return displaced

    def get(self, timeout: float | None = None) -> T | None:
        """Take the item, waiting for one for at most `timeout` s (None: as long as it takes).

        Returns:
            None if none came in time, or the mailbox is closed or was nudged.
        """
        with self._condition:
            self._condition.wait_for(
                lambda: self._item is not None or self._closed or self._nudged, timeout
            )
            self._nudged = False
            item, self._item = self._item, None
            return item

    def nudge(self) -> None:
        """Have the present `get`, or else the next one, return even if there is no item."""
        with self._condition:
            self._nudged = True
            self._condition.notify()

    def close(self) -> T | None:
        """Take no more items and wake all who wait.

        Returns:
            The item that was left.
        """
        with self._condition:
            self._closed = True
            item, self._item = self._item, None
            self._condition.notify_all()
            return item
