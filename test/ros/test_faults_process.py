"""Faults of a node's process, over real DDS: signals at any moment, bytes that are no message,
two nodes of one name. Memory is judged by the process's private resident memory where it goes on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from egmt_ros.evaluation.bench.process_meter import read_process  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000
PATIENCE = 40.0
MIB = 1 << 20

# The real process with an engine that says on standard output what it is doing, and waits there.
PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
import conftest
from egmt_ros.ros import node, fusion_node

class Engine(conftest.FakeEngine):
    def say(self, what):
        print("now:", what, flush=True)
        if what == {moment!r}:
            time.sleep(1.0)
    def load(self, **options):
        self.say("load")
        return super().load(**options)
    def warm_up(self, width, height):
        self.say("warm_up")
        return super().warm_up(width, height)
    def fuse(self, *images, **options):
        self.say("fuse")
        return super().fuse(*images, **options)
    def close(self):
        self.say("close")
        super().close()

node.FusionNode.__init__.__kwdefaults__["engine_factory"] = Engine().load
print("now: start", flush=True)
sys.exit(fusion_node.main(sys.argv))
"""


class Process:
    """A node's process."""

    def __init__(self, folder: Path, *arguments: str, moment: str = "") -> None:
        self._log = folder / f"log_{len(list(folder.iterdir()))}"
        source = PROGRAM.format(tests=os.path.dirname(__file__), moment=moment)
        with self._log.open("w") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-c", source, "--ros-args", "-p", "diagnostics.period:=0.1",
                 *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=folder,
            )  # fmt: skip

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, what: str) -> bool:
        assert self.child.poll() is None, self.log()
        return f"now: {what}\n" in self.log()

    def ended(self) -> int:
        try:
            return self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the process did not end:\n{self.log()}")


@pytest.fixture
def processes(tmp_path):
    """Starts processes of the node; whatever is left is killed by its pid."""
    started = []

    def start(*arguments, moment=""):
        started.append(Process(tmp_path, *arguments, moment=moment))
        return started[-1]

    yield start
    for process in started:
        if process.child.poll() is None:
            process.child.kill()
        process.child.wait()


def wait_active(rig, process):
    def active():
        assert process.child.poll() is None, process.log()
        return rig.messages["diagnostics"] and rig.status("model")[1]["state"] == "active"

    rig.wait(active, "the node is active", PATIENCE)
    rig.wait(rig.connected, "all are connected", PATIENCE)


def fused(rig):
    return [
        message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        for message in rig.messages["image"]
    ]


@pytest.mark.parametrize(
    ("moment", "name"),
    [("start", "SIGTERM"), ("load", "SIGTERM"), ("warm_up", "SIGINT"), ("fuse", "SIGINT"),
     ("close", "SIGTERM")],
)  # fmt: skip
def test_a_signal_at_any_moment(rig, processes, moment, name):
    """In its imports' end, in configure, in the middle of a pair, while it ends already."""
    rig.listen()
    process = processes(moment=moment)
    if moment in ("fuse", "close"):
        wait_active(rig, process)
        rig.send_pair(START)
    if moment == "close":
        rig.wait(lambda: rig.messages["image"], "a pair is fused", PATIENCE)
        process.child.send_signal(signal.SIGINT)  # and a second signal in the middle of that
    rig.wait(lambda: process.says(moment), f"it is at {moment}", PATIENCE)
    process.child.send_signal(getattr(signal, name))
    status = process.ended()
    if moment == "start" and status != 0:
        # Before main() has blocked the signals, Python's or the system's own handling ends it.
        assert status in (-signal.SIGINT, -signal.SIGTERM, 1), process.log()
        return
    assert status == 0, process.log()
    assert "Traceback" not in process.log()
    if moment in ("fuse", "close"):
        rig.wait(
            lambda: rig.status("model")[1]["state"] == "finalized", "the last report came", PATIENCE
        )
        counts = rig.reported("visible")
        assert counts["received"] == counts["fused"] + counts["inactive"] == 1, counts


def test_bytes_that_are_no_image_message(rig, processes):
    """Serialised messages cut short or made up, under the type of an image.

    They cross DDS, as a subscription to raw bytes shows; the node's middleware refuses them, so
    that none is received, and the process goes on.
    """
    from rclpy.qos import qos_profile_sensor_data
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image

    rig.listen()
    process = processes()
    wait_active(rig, process)
    crossed = []
    rig.tester.create_subscription(
        Image, f"{rig.base}/input/visible/image", crossed.append, qos_profile_sensor_data, raw=True
    )
    visible = rig.cameras["visible"]
    rig.wait(lambda: visible.get_subscription_count() == 2, "the raw bytes are seen", PATIENCE)
    rng = np.random.default_rng(0)
    private = []
    for number in range(3):
        rig.send_pair(START + number * 1000 * MS)
        rig.wait(lambda n=number: len(fused(rig)) == n + 1, "a good pair is fused", PATIENCE)
        whole = image_bytes(rig, serialize_message)
        garbage = [whole[:n] for n in (4, 5, 12, 40, 60, len(whole) // 2)]
        garbage += [whole[:4] + rng.bytes(n) for n in (1, 30, 300, 3000)]
        garbage += [whole[:16] + b"\xff" * 200, b"\x00\x01\x00\x00" + b"\x7f" * 64]
        for side in rig.cameras:
            for data in garbage * 5:
                rig.cameras[side].publish(data)
        rig.wait(lambda bad=set(garbage): bad & set(crossed), "garbage has crossed DDS", PATIENCE)
        crossed.clear()
        private.append(read_process(process.child.pid).private)
    stamp = START + 10_000 * MS
    rig.send_pair(stamp)
    rig.wait(lambda: stamp in fused(rig), "the next good pair is fused", PATIENCE)
    rig.wait(
        lambda: rig.reported("visible")["fused"] == 4
        and not any(rig.reported(side)["in_flight"] for side in rig.cameras),
        "all is reported", PATIENCE,
    )  # fmt: skip
    for side in rig.cameras:
        counts = rig.reported(side)
        assert counts["received"] == counts["fused"] == 4, counts
    assert private[-1] - private[1] < 20 * MIB, private
    process.child.send_signal(signal.SIGINT)
    assert process.ended() == 0, process.log()


def image_bytes(rig, serialize):
    from sensor_msgs.msg import Image

    message = Image(height=64, width=64, encoding="mono8", step=64)
    message.data.frombytes(bytes(64 * 64))
    return serialize(message)


def test_two_nodes_of_one_name(rig, processes):
    """Both fuse all frames, each with its own account; one ends and the other goes on."""
    rig.listen()
    first = processes()
    wait_active(rig, first)
    second = processes()
    both = {side: camera for side, camera in rig.cameras.items()}
    rig.wait(
        lambda: all(camera.get_subscription_count() == 2 for camera in both.values())
        and rig.tester.count_publishers(f"{rig.base}/output/image") == 2
        and {s.get_publisher_count() for s in rig.tester.subscriptions
             if s.topic_name.endswith("output/image")} == {2},
        "both nodes are connected", PATIENCE,
    )  # fmt: skip
    stamp = START

    def shown_by(count):
        """Send pairs until one is shown by so many nodes."""
        nonlocal stamp
        stamp += 100 * MS
        rig.send_pair(stamp)
        return fused(rig).count(stamp - 300 * MS) >= count

    rig.wait(lambda: shown_by(2), "both nodes show a pair", PATIENCE)
    first.child.send_signal(signal.SIGTERM)
    assert first.ended() == 0, first.log()
    rig.wait(
        lambda: all(camera.get_subscription_count() == 1 for camera in both.values()),
        "the first one is gone", PATIENCE,
    )  # fmt: skip
    rig.messages["image"].clear()
    stamp += 1000 * MS
    rig.send_pair(stamp)
    rig.wait(lambda: fused(rig).count(stamp) == 1, "the other one goes on", PATIENCE)
    rig.wait(
        lambda: not any(rig.reported(side)["in_flight"] for side in rig.cameras),
        "all its frames are settled", PATIENCE,
    )  # fmt: skip
    for side in rig.cameras:
        counts = rig.reported(side)
        assert counts["fused"] > 1 and counts["rejected"] == 0
    second.child.send_signal(signal.SIGINT)
    assert second.ended() == 0, second.log()
