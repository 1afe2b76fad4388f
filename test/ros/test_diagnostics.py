"""What the node says on /diagnostics, made without a node; `test_node_life.py` hears it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("diagnostic_msgs.msg", reason="ROS 2 is not installed")

from builtin_interfaces.msg import Time

from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.frames import Side
from egmt_ros.ros.diagnostics import (
    ERROR,
    OK,
    WARN,
    DiagnosticsBuilder,
    InputState,
    NodeState,
    Status,
    process,
)

SECOND = 1_000_000_000


class Desk:
    """A builder with everything that it asks, and a steady clock to turn."""

    def __init__(self):
        self.now = 100 * SECOND
        self.account = FrameAccount()
        self.expected = {"thermal": 0.0, "visible": 0.0}
        self.state = NodeState(phase="active")
        self.inputs = {
            side: InputState(f"/{side}", lambda: 1, lambda: 1) for side in ("thermal", "visible")
        }
        self.builder = DiagnosticsBuilder(
            "/fusion",
            self.state,
            self.inputs,
            lambda: {side.value: row for side, row in self.account.snapshot().items()},
            lambda side: self.expected[side],
            now=lambda: self.now,
        )

    def receive(self, side, count, seconds):
        """So many images in so many seconds, all fused."""
        for _ in range(count):
            self.now += round(seconds * SECOND / count)
            self.account.receive(Side(side)).settle(Outcome.FUSED)
            self.inputs[side].last_arrival = self.now

    def stream(self, side, rate, seconds):
        """Images at a rate and a report every second; returns the last one."""
        for _ in range(seconds):
            self.receive(side, rate, 1.0)
            report = self.report()
        return report

    def report(self, clock=0):
        """Name of a status -> (status, its values)."""
        message = self.builder.build(Time(sec=clock))
        return {
            status.name.removeprefix("egmt_fusion: "): (
                status,
                {item.key: item.value for item in status.values},
            )
            for status in message.status
        }


@pytest.fixture
def desk():
    return Desk()


def test_a_source_has_a_status_of_its_own_until_it_is_forgotten(desk):
    forget = desk.builder.add("mount", lambda report: Status(WARN, "moved", {"px": 1.25}))
    status, values = desk.report()["mount"]
    assert (status.level, status.message, values) == (WARN, "moved", {"px": "1.250"})
    assert status.hardware_id == "/fusion"
    forget()
    forget()
    assert "mount" not in desk.report()


def test_a_source_adds_to_a_status_that_is_there(desk):
    before, values = desk.report()["model"]
    desk.builder.add("model", lambda report: Status(values={"stuck": False}))
    after, more = desk.report()["model"]
    assert (after.level, after.message) == (before.level, before.message) == (OK, "active")
    assert more == values | {"stuck": "false"}


def test_the_worst_of_several_sources_is_told(desk):
    for status in (Status(WARN, "slow"), Status(ERROR, "lost"), Status(ERROR, "gone"), None):
        desk.builder.add("model", lambda report, status=status: status)
    status, _ = desk.report()["model"]
    assert (status.level, status.message) == (ERROR, "lost; gone")


def test_a_source_that_fails_does_not_silence_the_others(desk):
    def fail(report):
        raise RuntimeError("no sensor")

    desk.builder.add("mount", fail)
    report = desk.report()
    assert report["mount"][0].level == ERROR and "no sensor" in report["mount"][0].message
    assert report["model"][0].message == "active"


def test_a_source_is_told_the_moment(desk):
    seen = []
    desk.builder.add("mount", seen.append)
    desk.report()
    desk.receive("visible", 15, seconds=0.5)
    desk.report(clock=7)
    first, second = seen
    assert first.elapsed == 0 and first.rate("visible.received") == 0
    assert second.clock == 7 * SECOND and second.now == desk.now
    assert second.elapsed == pytest.approx(0.5)
    assert second.rate("visible.received") == pytest.approx(30)
    assert second.counts["visible"]["fused"] == second.fresh["visible.fused"] == 15
    assert first.configured_since == second.configured_since is not None
    desk.state.phase = "unconfigured"
    desk.report()
    assert seen[-1].configured_since is None


def test_the_rate_of_an_input_is_that_of_some_seconds(desk):
    desk.report()
    status, values = desk.stream("thermal", 9, seconds=7)["thermal input"]
    assert (status.level, status.message) == (OK, "9.0 Hz")
    assert (values["rate_hz"], values["received"], values["fused"]) == ("9.000", "63", "63")
    desk.now += SECOND // 10
    assert float(desk.report()["thermal input"][1]["rate_hz"]) == pytest.approx(9, rel=0.03)
    assert float(desk.report()["thermal input"][1]["age_s"]) == pytest.approx(0.1)


def test_fewer_images_than_expected_are_a_warning_that_names_the_parameter(desk):
    desk.expected["visible"] = 30.0
    desk.report()
    desk.inputs["visible"].tells_lost = True
    status, values = desk.stream("visible", 29, seconds=10)["visible input"]
    assert (status.level, values["expected_rate_hz"]) == (OK, "30.000")
    status, _ = desk.stream("visible", 20, seconds=10)["visible input"]
    assert status.level == WARN
    assert status.message.startswith("20.0 Hz on /visible, expected 30 Hz (diagnostics.visible")
    assert "none was lost on its way: look at the camera" in status.message
    status, values = desk.stream("thermal", 2, seconds=10)["thermal input"]
    assert (status.level, values["expected_rate_hz"]) == (OK, ""), "nothing is expected of it"


def test_a_stream_that_has_just_begun_is_not_called_slow(desk):
    desk.expected["visible"] = 30.0
    for _ in range(21):  # configured, and no camera yet
        desk.now += SECOND
        status, _ = desk.report()["visible input"]
    assert "no image on /visible for 20 s" in status.message
    for _ in range(10):
        status, _ = desk.stream("visible", 30, seconds=1)["visible input"]
        assert (status.level, "Hz" in status.message) == (OK, True), status.message


def test_of_a_slow_camera_no_image_is_expected_every_moment(desk):
    desk.expected["thermal"] = 0.25
    desk.report()
    desk.receive("thermal", 1, seconds=0.1)
    desk.now += 5 * SECOND
    assert desk.report()["thermal input"][0].level == OK
    desk.now += 8 * SECOND
    assert "no image on /thermal for 13 s" in desk.report()["thermal input"][0].message


def test_images_lost_on_their_way_are_a_warning_that_names_the_profile(desk):
    assert desk.report()["visible input"][1]["lost"] == "", "this middleware does not tell"
    state = desk.inputs["visible"]
    state.tells_lost = True
    desk.stream("visible", 15, seconds=1)
    state.lost += 15
    status, values = desk.stream("visible", 15, seconds=1)["visible input"]
    assert (status.level, values["lost"]) == (WARN, "15")
    assert status.message.startswith("15 of 30 images on /visible were lost on their way")
    assert "DDS profile" in status.message and "input.visible.qos" in status.message
    status, values = desk.stream("visible", 30, seconds=1)["visible input"]
    assert (status.level, values["lost"]) == (OK, "15"), "it is over"


def test_several_problems_of_an_input_are_all_told(desk):
    desk.report()
    desk.inputs["visible"].lost = 2
    desk.inputs["visible"].last_reject = "zero_size: image is 0x0"
    desk.account.reject(desk.account.receive(Side.VISIBLE), "zero_size")
    status, values = desk.stream("visible", 5, seconds=1)["visible input"]
    assert status.level == WARN
    assert "were lost" in status.message and "1 images rejected" in status.message
    assert values["rejected.zero_size"] == "1"


def test_ages_are_by_the_steady_clock_and_by_the_stamp(desk):
    desk.report()
    desk.receive("thermal", 1, seconds=0.5)
    desk.inputs["thermal"].last_stamp = 5 * SECOND + SECOND // 4
    desk.now += SECOND // 2
    _, values = desk.report(clock=6)["thermal input"]
    assert (values["age_s"], values["stamp_age_s"]) == ("0.500", "0.750")
    _, values = desk.report(clock=0)["thermal input"]
    assert (values["age_s"], values["stamp_age_s"]) == ("0.500", ""), "no /clock yet"
    _, values = desk.report(clock=6)["visible input"]
    assert (values["age_s"], values["stamp_age_s"]) == ("", ""), "no image yet"


def test_times_are_told_with_their_percentiles(desk):
    for window in (
        desk.state.processing_ms, desk.state.latency_ms, desk.state.wait_ms,
        desk.state.cyclic_ms, desk.state.gap_ms,
    ):  # fmt: skip
        for value in range(101):
            window.add(value)
    report = desk.report()
    values = report["model"][1] | report["pairing"][1]
    for name in ("processing_ms", "latency_ms", "wait_ms", "cyclic_ms", "gap_ms"):
        told = [values[f"{name}_p{rank}"] for rank in (50, 95, 99)]
        assert told == ["50.000", "95.000", "99.000"], name


def test_what_is_published_counts_with_and_without_a_partner(desk):
    desk.report()
    desk.now += SECOND
    desk.state.pairs += 20
    for _ in range(10):
        desk.account.receive(Side.THERMAL).settle(Outcome.PASSTHROUGH)
    assert desk.report()["model"][1]["output_hz"] == "30.000"


def test_the_process_tells_its_memory_and_its_share_of_a_processor(desk):
    status, values = desk.report()["process"]
    assert status.level == OK and " MB of memory, " in status.message
    assert 1.0 < float(values["rss_mb"]) <= float(values["peak_rss_mb"]) * 1.01
    assert int(values["pid"]) == os.getpid() and int(values["threads"]) >= 1
    assert not any(key.startswith("gpu") for key in values)
    busy = time.process_time() + 0.05
    while time.process_time() < busy:
        pass
    desk.now += SECOND // 10
    assert float(desk.report()["process"][1]["cpu_percent"]) >= 50.0


def test_the_memory_of_a_gpu_is_told(desk, monkeypatch):
    from egmt_ros.pipeline.usage import GpuMemory

    asked = []
    sizes = GpuMemory(allocated=250_000_000, reserved=500_000_000, free=10**9, total=8 * 10**9)
    monkeypatch.setattr(process, "gpu_memory", lambda device: asked.append(device) or sizes)
    desk.state.model = {"device": "cuda:1"}
    status, values = desk.report()["process"]
    assert asked == ["cuda:1"] and status.message.endswith("500 MB of the GPU's memory")
    assert (values["gpu_allocated_mb"], values["gpu_total_mb"]) == ("250.000", "8000.000")


_SENDER = """
import sys, time
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("camera")
camera = node.create_publisher(Image, sys.argv[1], qos_profile_sensor_data)
image = Image(width=640, height=480, encoding="bgr8", step=1920)
image.data.frombytes(bytes(640 * 480 * 3))
while True:
    image.header.stamp.nanosec += 1
    camera.publish(image)
    time.sleep(0.02)
"""


def test_images_that_dds_loses_are_counted_and_told_of(rig, monkeypatch):
    rig.start()
    environment = {
        name: value for name, value in os.environ.items() if not name.endswith("_PROFILES_FILE")
    }
    topic = f"{rig.base}/input/visible/image"
    sender = subprocess.Popen([sys.executable, "-c", _SENDER, topic], env=environment)
    try:
        rig.wait(lambda: rig.node.count_publishers(topic) == 2, "the sender is there", 30.0)

        def lost():
            return int(rig.status("visible input")[1]["lost"] or 0)

        end = time.monotonic() + 10.0
        while not lost():
            if time.monotonic() > end:
                pytest.skip("this middleware loses no large images by default")
            time.sleep(0.02)
        rig.wait(
            lambda: "lost on their way" in rig.status("visible input")[0].message,
            "it is a warning",
        )
    finally:
        sender.kill()
        sender.wait()


@pytest.mark.parametrize("clock", [False, True])
def test_stamps_are_those_of_the_simulated_time(rig, clock):
    from rosgraph_msgs.msg import Clock

    rig.start(parameters={"use_sim_time": True})
    rig.send_pair(5 * SECOND)
    rig.wait(lambda: rig.messages["image"], "the pair is fused")
    if clock:
        publisher = rig.tester.create_publisher(Clock, "/clock", 10)
        rig.wait(lambda: publisher.get_subscription_count() == 1, "the node listens")
        publisher.publish(Clock(clock=Time(sec=7, nanosec=500_000_000)))
        rig.wait(
            lambda: rig.messages["diagnostics"][-1].header.stamp.sec == 7, "the stamps follow"
        )
        assert rig.status("visible input")[1]["stamp_age_s"] == "2.500"
    else:
        told = len(rig.messages["diagnostics"])
        rig.wait(lambda: len(rig.messages["diagnostics"]) > told + 2, "it goes on")
        assert rig.messages["diagnostics"][-1].header.stamp == Time()
        assert rig.status("visible input")[1]["stamp_age_s"] == ""
    assert float(rig.status("visible input")[1]["age_s"]) >= 0.0
