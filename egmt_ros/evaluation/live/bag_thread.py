"""Writes arriving messages into a bag, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.bags.bag_writer import BagWriter

_MAX_WAITING = 1 << 30  # bytes


class Arrival(NamedTuple):
    """A serialised message and the time of its arrival (wall clock, ns)."""

    topic: str
    time: int
    data: bytes


class BagThread:
    """A bag that is being written; a context manager. Leaving it writes all that waits.

    Args:
        path: Bag folder to make.
        types: Topic -> message type.
        latched: Topics that are transient local, for the bag's QoS.

    Attributes:
        unwritten: Messages that did not fit because the disk was too slow.
    """

    def __init__(self, path: Path, types: Mapping[str, str], latched: Sequence[str] = ()) -> None:
        self._path = path
        self._types = types
        self._latched = frozenset(latched)
        self._queue: queue.Queue[Arrival | None] = queue.Queue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._error: BaseException | None = None
        self.unwritten = 0
        self._thread = threading.Thread(target=self._run, name="bag writer")

    def __enter__(self) -> BagThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        self.check()

    def put(self, arrival: Arrival) -> None:
        """Hands over one message; never waits."""
        with self._lock:
            if self._waiting + len(arrival.data) > _MAX_WAITING:
                self.unwritten += 1
                return
            self._waiting += len(arrival.data)
        self._queue.put(arrival)

    def check(self) -> None:
        """Raises what went wrong in the writing thread, if anything did."""
        if self._error is not None:
            raise EgmtError(
                f"The bag {self._path} cannot be written: {self._error}. Check that the folder "
                "does not exist yet, that it may be written, and that the disk has room."
            ) from self._error

    def _arrivals(self) -> Iterator[Arrival]:
        while (arrival := self._queue.get()) is not None:
            with self._lock:
                self._waiting -= len(arrival.data)
            yield arrival

    def _run(self) -> None:
        try:
            self._write()
        except Exception as error:  # told by check(), in the thread that owns this object
            self._error = error

    def _write(self) -> None:
        with BagWriter(self._path) as writer:
            for topic, msgtype in self._types.items():
                writer.add_topic(topic, msgtype, latched=topic in self._latched)
            for arrival in self._arrivals():
                writer.write_raw(arrival.topic, arrival.time, arrival.data)


class NoBag:
    """Stands in for a bag where only the times of arrivals are of interest."""

    unwritten = 0

    def __enter__(self) -> NoBag:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""

    def put(self, arrival: Arrival) -> None:
        """Lets the message go."""

    def check(self) -> None:
        """Nothing can have failed."""
