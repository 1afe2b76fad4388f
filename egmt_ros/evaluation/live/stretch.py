"""Plays the beginning of a bag from memory, at any speed, again and again; a process of its own.

    python -m egmt_ros.evaluation.live.stretch BAG --topics /thermal /visible --log SENT.csv

Time goes on from pass to pass: each one moves the stamps by the length of the stretch and a period
of its frames, so that no camera jumps back. Otherwise the messages go out as they lie in the bag.

Commands on stdin: {"command": "play", "speed": 1.0 as recorded, "duration": s}, again and again,
and "stop". Events: "matched"; "progress" while it plays; "played" with what was sent; "done" after
"stop".
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.live.cdr import header_stamp, with_header_stamp
from egmt_ros.evaluation.live.participant import (
    begins_with_stamp,
    message_class,
    ros_node,
    write_csv,
)
from egmt_ros.evaluation.live.player import (
    SENT_COLUMNS,
    Player,
    messages_of,
    topics_of,
    wait_for_subscribers,
)
from egmt_ros.evaluation.live.streams import EventStream, listen_for_commands
from egmt_ros.evaluation.live.timeline import Recorded, timeline

BYTES = 256 << 20
"""Of the bag that are held in memory."""

_ENDLESS = 1 << 40  # passes


class Stretch:
    """Messages in memory, and how far their time has gone on.

    Args:
        messages: In the order of the bag.
        size: Bytes that are taken of them; a first message is always.

    Attributes:
        length: ns of bag time until the next pass may begin.
    """

    def __init__(self, messages: Iterable[Recorded], size: int = BYTES) -> None:
        self._messages: list[Recorded] = []
        self._stamped: dict[str, bool] = {}
        for message in messages:
            size -= len(message.data)
            if size < 0 and self._messages:
                break
            self._messages.append(message)
            if message.topic not in self._stamped:
                self._stamped[message.topic] = begins_with_stamp(message_class(message.msgtype))
        if not self._messages:
            raise EgmtError("the bag holds no message of these topics; name others")
        times = [message.time for message in self._messages]
        frames = max(Counter(message.topic for message in self._messages).values())
        span = max(times) - min(times)
        self.pause = span // max(frames - 1, 1) or 100_000_000
        self.length = span + self.pause
        self._passes = 0

    def next_pass(self) -> list[Recorded]:
        """The messages once more, as they lie in the bag but for their bag time."""
        shift = self._passes * self.length
        self._passes += 1
        return [message._replace(time=message.time + shift) for message in self._messages]

    def moved(self, message: Recorded) -> Recorded:
        """A message of a pass with its stamp moved as its time was; copies it."""
        if not self._stamped[message.topic]:
            return message
        shift = (message.time - self._messages[0].time) // self.length * self.length
        stamp = header_stamp(message.data) + shift
        return message._replace(data=with_header_stamp(message.data, stamp))


def _play(player: Player, stretch: Stretch, speed: float, duration: float, events: EventStream,
          stop: threading.Event) -> None:
    before = Counter(player.counts)
    begin = time.monotonic_ns() + 20_000_000
    end = begin + round(duration * 1e9)
    report = 0
    items = timeline(stretch.next_pass, rate=speed, loops=_ENDLESS, pause=stretch.pause)
    for item in items:
        due = begin + item.due
        now = time.monotonic_ns()
        if max(due, now) >= end or (due > now and stop.wait((due - now) / 1e9)) or stop.is_set():
            break
        if item.message is None:
            player.tick(item.bag_time)
        else:
            player.send(stretch.moved(item.message), item.loop)
        if now >= report:
            report = now + 250_000_000
            events.send("progress", sent=dict(player.counts))
    sent = Counter(player.counts)
    sent.subtract(before)
    events.send("played", sent=dict(sent), begin=begin, end=time.monotonic_ns())


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="egmt_ros.evaluation.live.stretch", description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("--topics", nargs="+", required=True, metavar="TOPIC")
    parser.add_argument("--beside", nargs="*", default=[], metavar="TOPIC",
                        help="more topics, to which nobody needs to listen")
    parser.add_argument("--log", type=Path, required=True, help="CSV of what was sent, and when")
    parser.add_argument("--match-timeout", type=float, default=20.0, metavar="S")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serves commands until "stop" or the end of stdin; 1 after an error told on stderr."""
    args = _arguments(argv)
    events = EventStream()
    stop = threading.Event()
    commands: queue.Queue[dict[str, Any]] = queue.Queue()

    def end() -> None:
        stop.set()
        commands.put({"command": "stop"})

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end())
    try:
        names = [*args.topics, *args.beside]
        topics = topics_of(args.bag, names)
        stretch = Stretch(messages_of(args.bag, names))
        with ros_node("egmt_player") as node:
            player = Player(node, topics, clock=True)
            listen_for_commands(commands.put, end)
            wait_for_subscribers(player, args.topics, args.match_timeout, stop)
            events.send("matched")
            while (command := commands.get())["command"] == "play":
                _play(player, stretch, command["speed"], command["duration"], events, stop)
            write_csv(args.log, SENT_COLUMNS, player.sent)
            events.send("done", sent=dict(player.counts))
    except EgmtError as error:
        events.send("error", message=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
