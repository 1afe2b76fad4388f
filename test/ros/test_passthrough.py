"""sync.on_missing: passthrough, over real DDS: a camera dies, the other one goes on, it returns."""

from __future__ import annotations

import math
import threading
import time

import numpy as np
import pytest

START = 1_700_000_000_000_000_000
PERIOD = 0.04
PARAMETERS = {
    "sync.on_missing": "passthrough",
    "sync.missing_timeout": 0.4,
    "sync.wait": 0.1,
    "input.thermal.depth": 50,
    "input.visible.depth": 50,
}
OTHER = {"thermal": "visible", "visible": "thermal"}


class Cameras:
    """Both cameras at 25 Hz with equal stamps from a thread; each can be killed and started."""

    def __init__(self, rig, **pixels):
        self.rig, self.pixels = rig, pixels
        self.sent = {"thermal": 0, "visible": 0}
        self.last_sent = {}
        self.slowest = 0.0  # longest time between two rounds: how busy this machine is
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        begin = before = time.monotonic()
        while not self._stop.wait(PERIOD):
            now = time.monotonic()
            self.slowest, before = max(self.slowest, now - before), now
            with self._lock:
                for side in self.rig.cameras:
                    self.rig.send(side, START + round((now - begin) * 1e9), self.pixels.get(side))
                    self.sent[side] += 1
                    self.last_sent[side] = now

    def kill(self, side):
        with self._lock:
            self.rig.tester.destroy_publisher(self.rig.cameras.pop(side))

    def restart(self, side):
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import Image

        topic = f"{self.rig.base}/input/{side}/image"
        publisher = self.rig.tester.create_publisher(Image, topic, qos_profile_sensor_data)
        with self._lock:
            self.rig.cameras[side] = publisher

    def stop(self):
        self._stop.set()
        self._thread.join(10)


@pytest.fixture
def cameras():
    made = []

    def make(rig, **pixels):
        made.append(Cameras(rig, **pixels))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def modes(rig):
    return [message.mode for message in list(rig.messages["entities"])]


def stamp_of(stamp):
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def wait_for(rig, mode, more=5):
    """Wait for some more label arrays of a mode; the time when the first of all had come."""
    have, first = modes(rig).count(mode), None

    def enough():
        nonlocal first
        count = modes(rig).count(mode)
        if count > have and first is None:
            first = time.monotonic()
        return count >= have + more

    rig.wait(enough, f"{more} more arrays of mode {mode} have come", timeout=20.0)
    return first


def all_is_settled(rig):
    rig.wait(
        lambda: all(rig.account(side)["in_flight"] == 0 for side in OTHER),
        "no frame is in flight",
    )
    for side in OTHER:
        counts = rig.account(side)
        outcomes = {k: n for k, n in counts.items() if "." not in k and k != "received"}
        assert counts["received"] == sum(outcomes.values())
    rig.wait(
        lambda: len(rig.messages["entities"]) == len(rig.messages["image"])
        == rig.account("visible")["fused"] + sum(rig.account(s)["passthrough"] for s in OTHER),
        "as many images and arrays have come as the account says",
    )


@pytest.mark.parametrize("dying", ["thermal", "visible"])
def test_a_camera_is_killed_and_restarted(rig, cameras, dying):
    from egmt_msgs.msg import EntityLabelArray as Array

    living = OTHER[dying]
    alone = Array.VISIBLE_ONLY if dying == "thermal" else Array.THERMAL_ONLY
    rig.start(parameters=PARAMETERS)
    both = cameras(rig)
    wait_for(rig, Array.FUSED)
    both.kill(dying)
    took = wait_for(rig, alone) - both.last_sent[dying]
    assert took <= 0.4 + 0.5 + both.slowest
    rig.wait(
        lambda: f"the {dying} camera is missing" in rig.status("pairing")[0].message,
        "diagnostics warn",
    )
    assert rig.status("pairing")[0].level == b"\x01"
    assert rig.status("pairing")[1]["missing_camera"] == dying
    both.restart(dying)
    wait_for(rig, Array.FUSED)
    rig.wait(lambda: rig.status("pairing")[1]["missing_camera"] == "", "and warn no more")
    both.stop()
    all_is_settled(rig)

    arrays, images = rig.messages["entities"], rig.messages["image"]
    stamps = [stamp_of(array.header.stamp) for array in arrays]
    assert stamps == sorted(set(stamps)), "both modes in stamp order"
    seen = modes(rig)
    first, last = seen.index(alone), len(seen) - seen[::-1].index(alone)
    assert set(seen[first:last]) == {alone} and set(seen[:first] + seen[last:]) == {Array.FUSED}
    assert rig.account(living)["passthrough"] == seen.count(alone)
    assert rig.account(dying)["passthrough"] == 0
    for side in OTHER:
        assert rig.account(side)["fused"] == seen.count(Array.FUSED)
    for array, image in zip(arrays, images, strict=True):
        assert array.header == image.header and image.encoding == "bgr8"
        assert [label.name for label in array.labels] == ["person", "tree"]
        if array.mode == alone:
            assert stamp_of(getattr(array, f"{dying}_stamp")) == 0
            assert getattr(array, f"{living}_stamp") == array.header.stamp
            assert array.header.frame_id == f"{living}_optical_frame"
            assert set(bytes(image.data)) == {100}, "the image as it is"
            assert math.isnan(array.thermal_min_celsius)


def test_a_camera_that_never_comes_and_a_loop_of_the_bag(rig):
    rig.start(parameters=PARAMETERS)
    for loop in range(2):
        for i in range(10):
            have = len(rig.messages["image"])
            if have:
                rig.send("visible", START + i * 500_000_000)
                rig.wait(lambda n=have: len(rig.messages["image"]) > n, f"{loop}, {i}")
            else:  # those before the timeout have no partner

                def send_until_shown(i=i):
                    rig.send("visible", START + i)
                    time.sleep(0.02)
                    return rig.messages["image"]

                rig.wait(send_until_shown, "the first one is passed through")
    counts = rig.account("visible")
    assert counts["passthrough"] >= 15 and counts["fused"] == 0
    assert int(rig.status("pairing")[1]["resets"]) >= 1


def test_by_default_nothing_is_published_without_the_other_camera(rig, cameras):
    rig.start(parameters={**PARAMETERS, "sync.on_missing": "wait"})
    both = cameras(rig)
    rig.wait(lambda: rig.messages["image"], "fused")
    both.kill("thermal")
    unpaired = rig.account("visible")["unpaired"]
    rig.wait(lambda: rig.account("visible")["unpaired"] >= unpaired + 20, "twice the timeout")
    fused = len(rig.messages["image"])
    from rclpy.parameter import Parameter

    (result,) = rig.node.set_parameters([Parameter("sync.on_missing", value="passthrough")])
    assert result.successful
    rig.wait(lambda: len(rig.messages["image"]) > fused + 5, "passed through, once it is asked for")
    both.stop()
    all_is_settled(rig)
    assert modes(rig)[:fused] == [0] * fused
    assert set(modes(rig)[fused:]) == {2}


def test_the_image_has_its_camera_s_own_geometry(rig, cameras, caller):
    """The reference's calibration does not go with an image of the other camera."""
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo

    infos = []
    topic = f"{rig.base}/output/camera_info"
    rig.start(parameters={**PARAMETERS, "registration.mode": "scale"})
    rig.tester.create_subscription(CameraInfo, topic, infos.append, 50)
    source = rig.tester.create_publisher(
        CameraInfo, f"{rig.base}/input/visible/camera_info", qos_profile_sensor_data
    )
    rig.wait(lambda: source.get_subscription_count() == 1, "the node listens")
    both = cameras(rig, thermal=np.full((40, 48), 30, np.uint8))

    def relayed():
        source.publish(CameraInfo(width=64, height=64))
        return infos

    rig.wait(relayed, "camera_info goes with the fused image")
    both.kill("visible")
    wait_for(rig, 1)
    assert caller.set_vocabulary("car").success
    assert rig.engine.vocabularies[0].warmed_up == (64, 64), "the size that the network sees"
    both.stop()
    all_is_settled(rig)
    sizes = {
        array.mode: (image.width, image.height, image.encoding)
        for array, image in zip(rig.messages["entities"], rig.messages["image"], strict=True)
    }
    assert sizes == {0: (64, 64, "bgr8"), 1: (48, 40, "bgr8")}
    assert {image.shape for image in rig.engine.thermal} == {(64, 64)}, "no size is new to it"
    alone = {stamp_of(a.header.stamp) for a in rig.messages["entities"] if a.mode == 1}
    assert not alone & {stamp_of(info.header.stamp) for info in infos}
