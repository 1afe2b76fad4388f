"""When each message of a bag is due in a replay, with /clock ticks between them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

LOOP_PAUSE = 100_000_000  # ns between the end of one pass and the start of the next


class Recorded(NamedTuple):
    """A message as it lies in the bag: topic, type, time of recording (ns), serialised bytes."""

    topic: str
    msgtype: str
    time: int
    data: bytes


@dataclass(frozen=True)
class Item:
    """Something to send.

    Attributes:
        due: ns of real time after the start of the replay.
        bag_time: Time of the bag at that moment, ns; it jumps back at the start of each pass.
        loop: Number of the pass, from 0.
        message: What to send; None for a tick of /clock.
    """

    due: int
    bag_time: int
    loop: int
    message: Recorded | None


def timeline(
    open_bag: Callable[[], Iterable[Recorded]],
    *,
    rate: float = 1.0,
    loops: int = 1,
    clock_period: int = 10_000_000,
    pause: int = LOOP_PAUSE,
) -> Iterator[Item]:
    """Everything to send, in order.

    Args:
        open_bag: Gives the messages in order of their time, anew for each pass.
        rate: Speed of the replay; 2.0 plays twice as fast. Stamps are never changed.
        loops: Number of passes.
        clock_period: ns of real time between ticks of /clock.
        pause: ns of bag time between two passes.
    """
    start = 0  # due time at which this pass began
    for loop in range(loops):
        first: int | None = None
        tick = due = start
        for message in open_bag():
            if first is None:
                first = message.time
            due = max(due, start + round((message.time - first) / rate))
            while tick <= due:
                yield Item(tick, first + round((tick - start) * rate), loop, None)
                tick += clock_period
            yield Item(due, message.time, loop, message)
        if first is None:
            return
        start = due + round(pause / rate)


class _End(NamedTuple):
    error: BaseException | None


def prefetched(items: Iterable[Item], max_bytes: int = 128 << 20) -> Iterator[Item]:
    """The same items, read ahead by a thread so that the disk does not delay the sending.

    Args:
        items: What to read; an error in it is raised here, in its place.
        max_bytes: How many bytes of messages may wait.
    """
    ready: queue.Queue[Item | _End] = queue.Queue()
    room = threading.Condition()
    waiting = 0
    stopped = False

    def size(item: Item) -> int:
        return len(item.message.data) if item.message is not None else 0

    def read() -> None:
        nonlocal waiting
        error: BaseException | None = None
        try:
            for item in items:
                with room:
                    while waiting >= max_bytes and not stopped:
                        room.wait()
                    if stopped:
                        break
                    waiting += size(item)
                ready.put(item)
        except Exception as caught:  # handed over to the reader of this iterator
            error = caught
        ready.put(_End(error))

    thread = threading.Thread(target=read, name="bag reader", daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            with room:
                waiting -= size(item)
                room.notify()
            yield item
    finally:
        with room:
            stopped = True
            room.notify()
        thread.join()
