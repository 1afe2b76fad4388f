"""Two cameras that send the same few pairs at any rate; a process of its own.

    python -m egmt_ros.evaluation.live.cameras PAIRS.npz --topics /thermal /visible --log SENT.csv

The messages are serialised once and only their stamps change, so that sending costs little beside
the node. Both images of a pair have one stamp, as of cameras with a common trigger. A pair that
is due while the one before is still being sent is left out, as a camera would leave it out.

Commands on stdin: {"command": "play", "rate": Hz, "duration": s}, again and again, and "stop".
Events: "matched"; "progress" while it plays; "played" with what was sent; "done" after "stop".
"""

from __future__ import annotations

import argparse
import queue
import signal
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.live.participant import message_class, ros_node, write_csv
from egmt_ros.evaluation.live.streams import EventStream, listen_for_commands

SENT_COLUMNS = ("stamp", "sent")  # of a pair: its stamp, and when its second image was sent; ns
_STAMP_AT = 4  # bytes of encapsulation before the header's stamp
_SETTLE = 0.5  # s from the publishers' match until the subscriber surely knows them too


class Cameras:
    """Publishers of both topics and the serialised pairs.

    Args:
        node: rclpy node.
        topics: Of the thermal and the visible images.
        pairs: Thermal images (n, h, w) uint8 and visible images (n, h, w, 3) uint8 BGR.

    Attributes:
        sent: A row of ``SENT_COLUMNS`` for each pair.
    """

    def __init__(self, node: Any, topics: list[str], pairs: tuple[np.ndarray, np.ndarray]) -> None:
        from rclpy.qos import QoSProfile

        kind = message_class("sensor_msgs/msg/Image")
        self._publishers = [node.create_publisher(kind, t, QoSProfile(depth=10)) for t in topics]
        self._pairs = [
            (_serialised(kind, thermal, "mono8", "thermal_optical_frame"),
             _serialised(kind, visible, "bgr8", "visible_optical_frame"))
            for thermal, visible in zip(*pairs, strict=True)
        ]
        self._wall = time.time_ns() - time.monotonic_ns()  # once: the clock may be set meanwhile
        self.sent: list[tuple[int, int]] = []

    def matched(self) -> bool:
        """Whether somebody listens to both."""
        return all(p.get_subscription_count() for p in self._publishers)

    def send(self) -> None:
        """Sends the next pair, stamped with the time of now."""
        stamp = time.monotonic_ns() + self._wall
        pair = self._pairs[len(self.sent) % len(self._pairs)]
        for publisher, data in zip(self._publishers, pair, strict=True):
            struct.pack_into("<iI", data, _STAMP_AT, *divmod(stamp, 1_000_000_000))
            now = time.monotonic_ns()
            publisher.publish(bytes(data))
        self.sent.append((stamp, now))


def _serialised(kind: Any, pixels: np.ndarray, encoding: str, frame: str) -> bytearray:
    from rclpy.serialization import serialize_message

    message = kind(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding,
                   step=pixels.strides[0])
    message.header.frame_id = frame
    message.data.frombytes(np.ascontiguousarray(pixels).tobytes())
    data = bytearray(serialize_message(message))
    if not data[1] & 1:
        raise EgmtError("this machine serialises in big-endian order, which is not supported here")
    return data


def _play(cameras: Cameras, rate: float, duration: float, events: EventStream,
          stop: threading.Event) -> None:
    period = round(1e9 / rate)
    before = len(cameras.sent)
    begin = due = time.monotonic_ns()
    end = begin + round(duration * 1e9)
    report = begin
    while due < end and not stop.is_set():
        now = time.monotonic_ns()
        if due > now and stop.wait((due - now) / 1e9):
            break
        cameras.send()
        now = time.monotonic_ns()
        due += period * max(1, -(-(now - due) // period))
        if now >= report:
            report = now + 250_000_000
            events.send("progress", sent=len(cameras.sent))
    events.send("played", sent=len(cameras.sent) - before, begin=begin, end=time.monotonic_ns())


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="egmt_ros.evaluation.live.cameras", description=__doc__)
    parser.add_argument("pairs", type=Path, help=".npz with arrays thermal and visible")
    parser.add_argument("--topics", nargs=2, required=True, metavar=("THERMAL", "VISIBLE"))
    parser.add_argument("--log", type=Path, required=True, help="CSV of what was sent, and when")
    parser.add_argument("--match-timeout", type=float, default=20.0, metavar="S")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Serves commands until "stop" or the end of stdin; 1 after an error told on stderr."""
    args = _arguments(argv)
    events = EventStream()
    stop = threading.Event()
    commands: queue.Queue[dict[str, Any]] = queue.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: (stop.set(), commands.put({"command": "stop"})))
    try:
        with np.load(args.pairs) as file, ros_node("egmt_cameras") as node:
            cameras = Cameras(node, args.topics, (file["thermal"], file["visible"]))
            listen_for_commands(
                commands.put, lambda: (stop.set(), commands.put({"command": "stop"})))
            deadline = time.monotonic() + args.match_timeout
            while not cameras.matched():
                if stop.wait(0.05):
                    return 0
                if time.monotonic() > deadline:
                    raise EgmtError(f"Nobody subscribed to {' and '.join(args.topics)} within "
                                    f"{args.match_timeout:g} s. Check the node's topic names.")
            stop.wait(_SETTLE)
            events.send("matched")
            while (command := commands.get())["command"] == "play":
                _play(cameras, command["rate"], command["duration"], events, stop)
            write_csv(args.log, SENT_COLUMNS, cameras.sent)
            events.send("done", sent=len(cameras.sent))
    except EgmtError as error:
        events.send("error", message=str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
