"""Records topics into a bag while a node runs, and watches that node; a process of its own.

    python -m egmt_ros.evaluation.live.recorder BAG --topic /fused sensor_msgs/msg/Image

Messages are stored as they arrive, serialised, under the time of their arrival; a thread of its
own writes them, so that the disk never delays the subscriptions. Arrival times go to a CSV too.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.live.bag_thread import Arrival, BagThread, NoBag
from egmt_ros.evaluation.live.cdr import float64, header_stamp
from egmt_ros.evaluation.live.participant import (
    begins_with_stamp,
    message_class,
    ros_node,
    write_csv,
)
from egmt_ros.evaluation.live.streams import EventStream, listen_for_commands
from egmt_ros.evaluation.live.topics import DIAGNOSTICS, FLOAT64

RECEIVED_COLUMNS = ("topic", "stamp", "received", "wall", "value")  # stamp and times in ns


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="egmt_ros.evaluation.live.recorder", description=__doc__)
    parser.add_argument("bag", type=Path, nargs="?",
                        help="bag folder to make; must not exist; without it nothing is stored")
    parser.add_argument("--topic", nargs=2, action="append", required=True, dest="topics",
                        metavar=("NAME", "TYPE"), help="may be given again and again")
    parser.add_argument("--latched", nargs="*", default=[], metavar="NAME",
                        help="those of the topics that are transient local")
    parser.add_argument("--await", nargs="*", default=[], metavar="NAME", dest="awaited",
                        help="tell when all of these topics have a publisher")
    parser.add_argument("--log", type=Path, help="CSV of what was received, and when")
    parser.add_argument("--node", help="full name of a lifecycle node whose state is watched")
    parser.add_argument("--node-pid", type=int, help="process to end if the session disappears")
    parser.add_argument("--attached", action="store_true",
                        help="end at the command 'stop' on stdin, or when stdin ends")
    return parser.parse_args(argv)


class Recorder:
    """Subscriptions that hand every message to the bag thread, and counts of them.

    Args:
        node: rclpy node.
        args: The command line: ``topics``, ``latched`` and ``awaited``.
        bag: Takes the messages.
        events: Where diagnostics and the awaited publishers are told.

    Attributes:
        counts: Topic -> messages received.
        received: A row of ``RECEIVED_COLUMNS`` for each of them.
    """

    def __init__(self, node: Any, args: argparse.Namespace, bag: BagThread | NoBag,
                 events: EventStream) -> None:
        self._node = node
        self._bag = bag
        self._events = events
        self._awaited = set(args.awaited)
        self._publishers_known_since: float | None = None
        self._announced = False
        self.counts: Counter[str] = Counter({topic: 0 for topic, _ in args.topics})
        self.received: list[tuple[str, int, int, int, str]] = []
        self._subscriptions = [
            self._subscribe(topic, msgtype, topic in args.latched) for topic, msgtype in args.topics
        ]

    def _subscribe(self, topic: str, msgtype: str, latched: bool) -> Any:
        from rclpy.qos import DurabilityPolicy, QoSProfile

        kind = message_class(msgtype)
        stamped = begins_with_stamp(kind)
        qos = QoSProfile(depth=30)
        if latched:
            qos.durability = DurabilityPolicy.TRANSIENT_LOCAL

        def receive(data: bytes) -> None:
            now, wall = time.monotonic_ns(), time.time_ns()
            self._bag.put(Arrival(topic, wall, data))
            self.counts[topic] += 1
            stamp = header_stamp(data) if stamped else 0
            value = repr(float64(data)) if msgtype == FLOAT64 else ""
            self.received.append((topic, stamp, now, wall, value))
            if msgtype == DIAGNOSTICS:
                self._report_diagnostics(kind, data)

        return self._node.create_subscription(kind, topic, receive, qos, raw=True)

    def _report_diagnostics(self, kind: Any, data: bytes) -> None:
        from rclpy.serialization import deserialize_message

        statuses = [
            {
                "name": status.name,
                "level": status.level[0] if isinstance(status.level, bytes) else int(status.level),
                "message": status.message,
                "values": {pair.key: pair.value for pair in status.values},
            }
            for status in deserialize_message(data, kind).status
        ]
        self._events.send("diagnostics", statuses=statuses)

    def announce_publishers(self) -> None:
        """Says once that every awaited topic has had a publisher for a moment."""
        if self._announced:
            return
        if any(self._node.count_publishers(topic) == 0 for topic in self._awaited):
            self._publishers_known_since = None
            return
        now = time.monotonic()
        if self._publishers_known_since is None:
            self._publishers_known_since = now
        elif now - self._publishers_known_since >= 0.3:  # the match goes both ways by then
            self._announced = True
            self._events.send("publishers")


class StateWatch:
    """Asks a lifecycle node for its state again and again, and says when it has changed."""

    def __init__(self, node: Any, watched: str, events: EventStream) -> None:
        from lifecycle_msgs.srv import GetState

        self._events = events
        self._request = GetState.Request
        self._client = node.create_client(GetState, f"{watched}/get_state")
        self._pending: Any = None
        self._asked = 0.0
        self._label = ""

    def poll(self) -> None:
        """Takes an answer that has come, or asks when it is time; never waits."""
        now = time.monotonic()
        if self._pending is not None:
            if self._pending.done():
                answer = self._pending.result()
                self._pending = None
                if answer is not None and answer.current_state.label != self._label:
                    self._label = answer.current_state.label
                    self._events.send("state", label=self._label)
            elif now - self._asked > 1.0:
                self._client.remove_pending_request(self._pending)
                self._pending = None
        elif now - self._asked > (1.0 if self._label == "active" else 0.2):
            if self._client.service_is_ready():
                self._asked = now
                self._pending = self._client.call_async(self._request())


def _end_orphaned_node(pid: int) -> None:
    """The session is gone without a word (killed): its node must not stay behind."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + 5.0
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.1)


def _record(node: Any, recorder: Recorder, watch: StateWatch | None, events: EventStream,
            stop: threading.Event, bag: BagThread | NoBag) -> None:
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor()
    executor.add_node(node)
    last = next_poll = 0.0
    try:
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.05)
            bag.check()
            now = time.monotonic()
            if now < next_poll:
                continue
            next_poll = now + 0.1
            recorder.announce_publishers()
            if watch is not None:
                watch.poll()
            if now - last >= 0.25:
                last = now
                events.send("progress", received=dict(recorder.counts))
        # What has already arrived is still taken.
        quiet = time.monotonic() + 0.2
        while time.monotonic() < quiet:
            executor.spin_once(timeout_sec=0.02)
    finally:
        executor.remove_node(node)
        executor.shutdown()


def _bag(args: argparse.Namespace) -> BagThread | NoBag:
    if args.bag is None:
        return NoBag()
    return BagThread(args.bag, dict(args.topics), latched=args.latched)


def main(argv: list[str] | None = None) -> int:
    """Records until told to stop; the exit status: 0, or 1 after an error told on stderr."""
    args = _arguments(argv)
    events = EventStream()
    stop, asked = threading.Event(), threading.Event()

    def end() -> None:
        asked.set()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end())
    if args.attached:
        listen_for_commands(lambda c: end() if c.get("command") == "stop" else None, stop.set)
    try:
        with ros_node("egmt_recorder") as node:
            from rclpy.utilities import get_rmw_implementation_identifier

            with _bag(args) as bag:
                recorder = Recorder(node, args, bag, events)
                watch = StateWatch(node, args.node, events) if args.node else None
                events.send("ready", rmw=get_rmw_implementation_identifier())
                _record(node, recorder, watch, events, stop, bag)
            if args.log is not None:
                write_csv(args.log, RECEIVED_COLUMNS, recorder.received)
            events.send("done", received=dict(recorder.counts), unwritten=bag.unwritten)
    except EgmtError as error:
        events.send("error", message=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        if stop.is_set() and not asked.is_set() and args.node_pid:
            _end_orphaned_node(args.node_pid)
    return 0


if __name__ == "__main__":
    sys.exit(main())
