"""What is under ~/debug, and the attention, costs nothing until someone subscribes."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from std_msgs.msg import Header

from egmt_ros.node_core.parameters import EntityParameters
from egmt_ros.pipeline.latency import PairTiming
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region
from egmt_ros.ros import debug_outputs, messages
from egmt_ros.ros.debug_outputs import DebugOutputs
from egmt_ros.ros.messages import ModelIdentity
from egmt_ros.ros.throttle import LogThrottle

START = 1_000_000_000_000
MS = 1_000_000
MODEL = ModelIdentity("m@1", "hash", "encoder", "cpu", "torch", ("a", "b"), (0.5, 0.5))
TIMING = PairTiming(20.0, 30.0, 1.0, None)


class Publisher(list):
    subscribers = 1
    publish = list.append

    def get_subscription_count(self):
        return self.subscribers


class Desk:
    """DebugOutputs with publishers that keep what is published, and a clock to turn."""

    def __init__(self):
        self.topics = {}
        self.now = 100.0
        self.lines = []
        self.outputs = DebugOutputs(
            lambda kind, topic, qos: self.topics.setdefault(topic, Publisher()),
            self,
            LogThrottle(),
            now=lambda: self.now,
        )
        self.images = self.topics["~/debug/image"]

    def error(self, line):
        self.lines.append(line)

    def publish(self, timing=TIMING, threshold=-1.0, **changes):
        labels = (
            EntityLabel(0, "a", 0.9, True, Region(10, 10, 40, 40), 0.5, math.nan),
            EntityLabel(1, "b", 0.4, False, None, 0.0, math.nan),
        )
        values = {
            "image": np.zeros((64, 64, 3), np.uint8), "scores": {}, "labels": labels,
            "attention": np.zeros((2, 1, 1), np.float32), "attention_cell": 64, "timings": {},
        }  # fmt: skip
        result = FusionResult(**values | changes)
        entities = EntityParameters(max_labels=5, threshold=threshold, publish_all=True)
        self.outputs.publish(result, Header(frame_id="camera"), MODEL, entities, timing)


@pytest.fixture
def desk():
    return Desk()


def subscribe(rig, kind, *topics):
    """Name -> messages, and the subscriptions, once the node knows of them."""
    got = {topic: [] for topic in topics}
    subscriptions = [
        rig.tester.create_subscription(kind, f"{rig.base}/{topic}", messages.append, 10)
        for topic, messages in got.items()
    ]
    rig.wait(
        lambda: all(rig.node.count_subscribers(f"{rig.base}/{topic}") == 1 for topic in topics),
        "the node sees the subscribers",
    )
    return got, subscriptions


def test_drawing_and_attention_wait_for_a_subscriber(rig, monkeypatch):
    from egmt_msgs.msg import EntityAttention
    from sensor_msgs.msg import Image

    done = []

    def counted(module, name):
        work = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *args, **kw: (done.append(name), work(*args, **kw))[1]
        )

    counted(debug_outputs, "draw_debug_image")
    counted(messages, "attention")
    rig.start()

    def fuse(number):
        rig.send_pair(START + number * 100 * MS)
        rig.settled(thermal=number, visible=number)

    fuse(1)
    fuse(2)
    assert done == []
    images, drawing = subscribe(rig, Image, "debug/image")
    maps, watching = subscribe(rig, EntityAttention, "output/attention")
    fuse(3)
    rig.wait(lambda: images["debug/image"] and maps["output/attention"], "both are there")
    assert sorted(done) == ["attention", "draw_debug_image"]
    executor = rig.tester.executor
    for subscription in (*drawing, *watching):  # in the thread that spins: rclpy is not safe else
        executor.create_task(rig.tester.destroy_subscription, subscription)
    rig.wait(
        lambda: rig.node.count_subscribers(f"{rig.base}/debug/image")
        == rig.node.count_subscribers(f"{rig.base}/output/attention") == 0,
        "both have left",
    )  # fmt: skip
    fuse(4)
    fuse(5)
    assert len(done) == 2


def test_the_debug_image_shows_the_pair_and_has_the_header_of_the_fused_image(rig):
    from sensor_msgs.msg import Image

    rig.start()
    got, _ = subscribe(rig, Image, "debug/image")
    rig.send("thermal", START, np.full((480, 640), 60, np.uint8))
    rig.send("visible", START, np.full((480, 640, 3), 120, np.uint8))
    rig.wait(lambda: got["debug/image"] and rig.messages["image"], "it is there")
    (image,), (fused,) = got["debug/image"], rig.messages["image"]
    assert image.header == fused.header and image.encoding == "bgr8"
    pixels = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)
    assert image.width == 3 * 640 + 2 * 4
    middle = pixels[22 + 240]
    assert (middle[:640] == 60).all() and (middle[644:1284] == 120).all()


def test_a_debug_image_that_fails_is_logged_once_and_no_fault_of_the_pair(
    rig, monkeypatch, capfd
):
    from sensor_msgs.msg import Image

    def fail(*args):
        raise ValueError("no room")

    monkeypatch.setattr(debug_outputs, "draw_debug_image", fail)
    rig.start()
    subscribe(rig, Image, "debug/image")
    for number in range(3):
        rig.send_pair(START + number * 100 * MS)
        rig.settled(thermal=number + 1, visible=number + 1)
    assert rig.account("visible")["fused"] == 3
    assert rig.node._state.errors == 0
    assert capfd.readouterr().err.count("debug image cannot be drawn: ValueError('no room')") == 1


def test_time_between_two_results_is_published_from_the_second_on(rig):
    from std_msgs.msg import Float64

    rig.start()
    got, _ = subscribe(rig, Float64, "debug/cyclic_time_ms", "debug/pair_gap_ms")
    for number in range(3):
        rig.send_pair(START + number * 100 * MS)
        rig.settled(thermal=number + 1, visible=number + 1)
    rig.wait(lambda: len(got["debug/pair_gap_ms"]) == 3, "three pairs are told of")
    rig.wait(lambda: len(got["debug/cyclic_time_ms"]) == 2, "and two times between them")
    assert all(message.data > 0.0 for message in got["debug/cyclic_time_ms"])
    assert len(rig.node._state.cyclic_ms) == 2


def test_drawing_takes_a_fifth_of_the_time_at_most(desk, monkeypatch):
    def draw(*args):
        desk.now += 0.030
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(debug_outputs, "draw_debug_image", draw)
    start = desk.now
    for _ in range(1000):
        desk.publish()
        desk.now += 0.010
    drawn = 0.030 * len(desk.images)
    assert 0.18 * (desk.now - start) < drawn < 0.205 * (desk.now - start)


def test_nothing_is_published_without_subscribers(desk):
    for publisher in desk.topics.values():
        publisher.subscribers = 0
    desk.publish(PairTiming(1.0, 2.0, 3.0, 4.0))
    assert not any(desk.topics.values())


def test_timings_are_published_each_on_its_topic(desk):
    desk.publish(PairTiming(1.0, 2.0, 3.0, 4.0))
    told = {topic: of[0].data for topic, of in desk.topics.items() if of is not desk.images}
    assert told == {
        "~/debug/processing_time_ms": 1.0,
        "~/debug/pipeline_latency_ms": 2.0,
        "~/debug/pair_gap_ms": 3.0,
        "~/debug/cyclic_time_ms": 4.0,
    }


def test_labels_present_by_the_parameter_are_drawn(desk, monkeypatch):
    seen = []

    def draw(result, labels, facts):
        seen.append(([label.name for label in labels], facts))
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(debug_outputs, "draw_debug_image", draw)
    desk.publish()
    desk.now += 1.0
    desk.publish(PairTiming(20.0, 30.0, 1.0, 33.0), threshold=0.3)
    assert seen[0] == (
        ["a"],
        ["fused", "latency 30.0 ms", "processing 20.0 ms", "gap 1.0 ms", "m@1", "stamp 0.000"],
    )
    assert seen[1][0] == ["a", "b"] and "every 33 ms" in seen[1][1]
    assert desk.lines == []
