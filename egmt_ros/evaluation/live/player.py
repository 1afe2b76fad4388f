"""Plays a rosbag2 in real time over DDS; a process of its own.

    python -m egmt_ros.evaluation.live.player BAG --topics /thermal/image_raw /visible/image_raw

The serialised messages go out as they lie in the bag: nothing is deserialised and no stamp is
changed. /clock carries the time of the bag. What was sent, and when, is written as CSV.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError, EgmtError
from egmt_ros.evaluation.bags.bag_reader import BagSource, BagTopic
from egmt_ros.evaluation.live.cdr import header_stamp
from egmt_ros.evaluation.live.participant import (
    begins_with_stamp,
    message_class,
    ros_node,
    write_csv,
)
from egmt_ros.evaluation.live.streams import EventStream, listen_for_commands
from egmt_ros.evaluation.live.timeline import Recorded, prefetched, timeline

SENT_COLUMNS = ("topic", "loop", "stamp", "bag_time", "sent")  # stamp and times in ns
CLOCK_PERIOD = 10_000_000  # ns
_LATCHED_DEPTH = 1000  # messages of a latched topic that late listeners get
_ALIVE = 5.0  # s of silence at most
_SETTLE = 0.5  # s from the publisher's match until the subscriber surely knows the publisher too


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="egmt_ros.evaluation.live.player", description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("--topics", nargs="+", metavar="TOPIC", help="default: all of the bag")
    parser.add_argument("--beside", nargs="*", default=[], metavar="TOPIC",
                        help="more topics, to which nobody needs to listen")
    parser.add_argument("--rate", type=float, default=1.0, help="speed of the replay")
    parser.add_argument("--loop", type=int, default=1, help="number of passes")
    parser.add_argument("--log", type=Path, help="CSV of what was sent, and when")
    parser.add_argument("--no-clock", action="store_true", help="publish no /clock")
    parser.add_argument("--match-timeout", type=float, default=20.0, metavar="S",
                        help="wait at most so long for a subscriber of every topic")
    parser.add_argument("--linger", type=float, default=1.0, metavar="S",
                        help="stay so long after the last message, so that it is delivered")
    parser.add_argument("--attached", action="store_true",
                        help="begin at the command 'play' on stdin; end when stdin ends")
    return parser.parse_args(argv)


class Player:
    """Publishers for the topics of a bag, and what was sent through them.

    Latched topics go out transient local, with room for all of their messages.

    Args:
        node: rclpy node.
        topics: Of the bag.
        clock: Whether /clock is published.

    Attributes:
        counts: Topic -> messages sent.
        sent: A row of ``SENT_COLUMNS`` for each of them.
    """

    def __init__(self, node: Any, topics: Sequence[BagTopic], *, clock: bool) -> None:
        from rclpy.qos import QoSProfile
        from rosgraph_msgs.msg import Clock

        self._node = node
        self._publishers = {}
        self._stamped = set()
        for topic in topics:
            kind = message_class(topic.msgtype)
            self._publishers[topic.name] = node.create_publisher(kind, topic.name, _qos(topic))
            if begins_with_stamp(kind):
                self._stamped.add(topic.name)
        self._clock_type = Clock
        self._clock = node.create_publisher(Clock, "/clock", QoSProfile(depth=1)) if clock else None
        self.counts: Counter[str] = Counter({topic.name: 0 for topic in topics})
        self.sent: list[tuple[str, int, int, int, int]] = []

    def unmatched(self, topics: Collection[str]) -> list[str]:
        """Those of the topics that nobody listens to."""
        return [t for t in topics if self._publishers[t].get_subscription_count() == 0]

    def send(self, message: Recorded, loop: int) -> None:
        """Publishes a message as it lies in the bag, and notes it; ``loop`` is its pass, from 0."""
        stamp = header_stamp(message.data) if message.topic in self._stamped else message.time
        now = time.monotonic_ns()
        self._publishers[message.topic].publish(message.data)
        self.counts[message.topic] += 1
        self.sent.append((message.topic, loop, stamp, message.time, now))

    def tick(self, bag_time: int) -> None:
        """Publishes this time (ns) on /clock, unless there is none."""
        if self._clock is not None:
            clock = self._clock_type()
            clock.clock.sec, clock.clock.nanosec = divmod(bag_time, 1_000_000_000)
            self._clock.publish(clock)


def _qos(topic: BagTopic) -> Any:
    from rclpy.qos import DurabilityPolicy, QoSProfile

    if not topic.latched:
        return QoSProfile(depth=10)
    depth = min(max(topic.count, 1), _LATCHED_DEPTH)
    return QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def messages_of(bag: Path, topics: Collection[str]) -> Iterator[Recorded]:
    """The messages of these topics in the order of the bag."""
    with BagSource(bag) as source:
        for topic, msgtype, stamp, data in source.messages(topics):
            yield Recorded(topic, msgtype, stamp, bytes(data))


def topics_of(bag: Path, names: Sequence[str]) -> list[BagTopic]:
    """The topics of these names; none: all of the bag."""
    with BagSource(bag) as source:
        known = {topic.name: topic for topic in source.topics}
    missing = [name for name in names if name not in known]
    if missing:
        raise EgmtError(
            f"Bag {bag} has no topic {', '.join(missing)}; it has: {', '.join(sorted(known))}."
        )
    return [known[name] for name in dict.fromkeys(names or sorted(known))]


def wait_for_subscribers(player: Player, topics: Collection[str], timeout: float,
                         stop: threading.Event) -> None:
    """Wait until somebody listens to each of the topics, or ``stop``.

    Raises:
        EgmtError: Nobody does within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while missing := player.unmatched(topics):
        if stop.wait(0.05):
            return
        if time.monotonic() > deadline:
            raise EgmtError(
                f"Nobody subscribed to {', '.join(missing)} within {timeout:g} s. Check the "
                "node's topic names and that both processes share ROS_DOMAIN_ID."
            )
    stop.wait(_SETTLE)


def _play(player: Player, args: argparse.Namespace, topics: list[str], events: EventStream,
          stop: threading.Event) -> str:
    """Sends everything; what is wrong with the bag where its end cannot be read, otherwise ""."""
    items = prefetched(timeline(
        lambda: messages_of(args.bag, topics), rate=args.rate, loops=args.loop,
        clock_period=CLOCK_PERIOD))
    begin = None
    report = 0
    try:
        for item in items:
            if begin is None:  # after the first reading, so that the first are not in a hurry
                begin = time.monotonic_ns() + 20_000_000
            while (wait := begin + item.due - time.monotonic_ns()) > 0:
                if stop.wait(min(wait / 1e9, _ALIVE)):
                    return ""
                if wait > _ALIVE * 1e9:  # a long gap in the bag
                    events.send("progress", sent=dict(player.counts))
            if item.message is None:
                player.tick(item.bag_time)
            else:
                player.send(item.message, item.loop)
            if item.due - report >= 250_000_000:
                report = item.due
                events.send("progress", sent=dict(player.counts))
            if stop.is_set():
                break
    except BagError as error:
        if not player.sent:
            raise
        return str(error)
    return ""


def main(argv: list[str] | None = None) -> int:
    """Plays a bag; the exit status: 0, or 1 after an error that was told on stderr."""
    args = _arguments(argv)
    events = EventStream()
    stop, play = threading.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        if args.rate <= 0 or args.loop < 1:
            raise EgmtError(f"rate {args.rate:g} must be above 0 and loop {args.loop} at least 1.")
        topics = topics_of(args.bag, [*args.topics, *args.beside] if args.topics else [])
        with ros_node("egmt_player") as node:
            player = Player(node, topics, clock=not args.no_clock)
            if args.attached:
                listen_for_commands(
                    lambda c: play.set() if c.get("command") == "play" else None, stop.set)
            names = [topic.name for topic in topics]
            wait_for_subscribers(player, args.topics or names, args.match_timeout, stop)
            events.send("matched", total=args.loop * sum(topic.count for topic in topics))
            while args.attached and not (play.is_set() or stop.is_set()):
                play.wait(0.05)
            damage = "" if stop.is_set() else _play(player, args, names, events, stop)
            events.send("progress", sent=dict(player.counts))
            stop.wait(args.linger)
            if args.log is not None:
                write_csv(args.log, SENT_COLUMNS, player.sent)
            events.send("done", sent=dict(player.counts), interrupted=stop.is_set(), damage=damage)
    except EgmtError as error:
        events.send("error", message=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
