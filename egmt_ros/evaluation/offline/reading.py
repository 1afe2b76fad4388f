"""The messages of a bag that a replay uses, read ahead by a thread."""

from __future__ import annotations

import hashlib
import queue
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagRecord, BagSource

AHEAD = 8
"""Messages that wait to be taken, at most."""


class Message(NamedTuple):
    """A message of the bag.

    Attributes:
        role: What its topic is.
        arrival: Bag time, ns, but never before that of an earlier message: the steady clock.
        stamp: Of its header, ns; the bag time where the message is not valid.
        content: The message; None if it is not valid.
        sha256: Of all messages so far, this one included: topics, bag times and bytes.
        read_ms, convert_ms: Spent reading and hashing its bytes, and making a message of them.
    """

    role: str
    arrival: int
    stamp: int
    content: Any | None
    sha256: str
    read_ms: float
    convert_ms: float


class MessageStream:
    """Iterates over the messages of some topics in the order of their bag times, once.

    Args:
        source: The bag; used by the thread from the first message to `close`.
        roles: Topic -> role.

    Attributes:
        error: Why the bag could not be read to its end; None if it could, or was not yet.
    """

    def __init__(self, source: BagSource, roles: Mapping[str, str]) -> None:
        self._source = source
        self._roles = dict(roles)
        self._queue: queue.Queue[Message | BaseException | None] = queue.Queue(AHEAD)
        self._stop = threading.Event()
        self.error: BagError | None = None
        self._thread = threading.Thread(target=self._read, name="bag reader", daemon=True)

    def __iter__(self) -> Iterator[Message]:
        """The messages, as far as the bag can be read."""
        self._thread.start()
        while (item := self._queue.get()) is not None:
            if isinstance(item, BagError):
                self.error = item
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)  # it may be waiting for room
            except queue.Empty:
                continue

    def _read(self) -> None:
        try:
            for message in self._messages():
                self._queue.put(message)
                if self._stop.is_set():
                    return
        except BaseException as error:  # raised where the messages are taken
            self._queue.put(error)
        else:
            self._queue.put(None)

    def _messages(self) -> Iterator[Message]:
        digest = hashlib.sha256()
        records = self._source.messages(list(self._roles))
        arrival = -(2**63)
        while True:
            begun = time.perf_counter()
            record = next(records, None)
            if record is None:
                return
            topic, data = record.topic.encode(), record.data
            digest.update(topic + struct.pack("<xqq", record.stamp, len(data)))
            digest.update(data)
            read = time.perf_counter()
            arrival = max(arrival, record.stamp)
            content, stamp = self._content(record)
            converted = time.perf_counter()
            yield Message(
                self._roles[record.topic],
                arrival,
                stamp,
                content,
                digest.hexdigest(),
                1e3 * (read - begun),
                1e3 * (converted - read),
            )

    def _content(self, record: BagRecord) -> tuple[Any | None, int]:
        """The message and its stamp."""
        try:
            # Pixels that PyTorch may be given must be in memory that can be written.
            content = self._source.deserialize(memoryview(bytearray(record.data)), record.msgtype)
        except BagError:
            return None, record.stamp
        stamp = content.header.stamp
        return content, stamp.sec * 1_000_000_000 + stamp.nanosec
