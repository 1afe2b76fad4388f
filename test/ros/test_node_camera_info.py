"""registration.mode camera_info over DDS: the thermal image is warped by what the cameras say."""

from __future__ import annotations

import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from egmt_ros.pipeline.registration.cameras import camera_model
from egmt_ros.pipeline.registration.plane import CameraPair, parse_pose
from egmt_ros.pipeline.registration.register import Registration

MS = 1_000_000
START = 1_700_000_000_000_000_000
SIZE = 64
BY_PARAMETERS = {
    "registration.mode": "camera_info",
    "registration.translation": "0.2 0 0",
    "registration.depth": 2.0,
}
LENS = {"distortion_model": "plumb_bob", "d": [-0.2, 0.05, 0.001, 0.0, 0.0]}


def intrinsics(focal):
    return [focal, 0.0, 31.5, 0.0, focal, 31.5, 0.0, 0.0, 1.0]


class Drivers:
    """A rig whose cameras publish CameraInfo as drivers do."""

    def __init__(self, rig):
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import CameraInfo

        self.rig = rig
        self.kind = CameraInfo
        self.publishers = {
            side: rig.tester.create_publisher(
                CameraInfo, f"{rig.base}/input/{side}/camera_info", qos_profile_sensor_data
            )
            for side in ("thermal", "visible")
        }
        self.sent = 0

    def say(self, side, focal, **changes):
        """Send a camera_info until the node has it."""
        from egmt_ros.pipeline.frames import Side

        values = {"width": SIZE, "height": SIZE, "k": intrinsics(focal), **LENS, **changes}
        message = self.kind(**values)
        message.header.frame_id = f"{side}_optical_frame"
        cameras = self.rig.node._cameras
        before = cameras._found.get(Side(side))

        def arrived():
            self.publishers[side].publish(message)
            return cameras._found.get(Side(side)) not in (None, before)

        self.rig.wait(arrived, f"the node has the {side} camera_info")

    def fuse(self, ramp=True):
        """Send a pair and wait until it is accounted for; the thermal image that was sent."""
        self.sent += 1
        thermal = np.tile(np.arange(0, 192, 3, dtype=np.uint8), (SIZE, 1)) if ramp else None
        stamp = START + self.sent * 100 * MS
        self.rig.send("thermal", stamp, thermal)
        self.rig.send("visible", stamp)
        self.rig.settled(thermal=self.sent, visible=self.sent)
        return thermal


@pytest.fixture
def drivers(rig):
    return Drivers(rig)


def expected(thermal, focal_thermal, focal_visible, pose):
    cameras = [
        camera_model(width=SIZE, height=SIZE, k=intrinsics(focal), **LENS)
        for focal in (focal_thermal, focal_visible)
    ]
    pair = CameraPair(*cameras, pose)
    registration = Registration("camera_info", cameras=lambda: pair, depth=2.0)
    return registration.apply(thermal, np.zeros((SIZE, SIZE), np.uint8))


def test_frames_are_rejected_until_both_cameras_are_known_and_warped_then(drivers, fake_engine):
    class Bright(fake_engine):
        def fuse(self, *arguments):
            result = super().fuse(*arguments)
            result.image[:] = 255
            return result

    rig = drivers.rig
    rig.start(Bright(), BY_PARAMETERS)

    def missing(*sides):
        rig.wait(
            lambda: rig.status("registration")[1].get("cameras") == "no_camera_info"
            and all(
                (f"/input/{side}/camera_info" in rig.status("registration")[0].message)
                == (side in sides)
                for side in ("thermal", "visible")
            ),
            f"diagnostics name what is missing: {sides}",
        )
        assert rig.status("registration")[0].level == b"\1"

    missing("thermal", "visible")
    drivers.fuse()
    drivers.say("visible", 60.0)
    missing("thermal")
    drivers.fuse()
    for side in ("thermal", "visible"):
        assert rig.account(side)["rejected.no_camera_info"] == 2
    assert "no_camera_info" in rig.node._inputs.states["thermal"].last_reject
    drivers.say("thermal", 90.0)
    rig.wait(
        lambda: rig.status("registration")[1].get("cameras") == "calibrated", "nothing is missing"
    )
    assert rig.status("registration")[0].level == b"\0"
    thermal = drivers.fuse()
    assert rig.account("visible")["fused"] == 1
    # 0.2 m at 2 m: 9 pixels of the thermal camera, which sees less.
    pair = expected(thermal, 90.0, 60.0, parse_pose("0.2 0 0", ""))
    assert np.abs(rig.engine.thermal[-1].astype(int) - thermal).max() > 9
    np.testing.assert_array_equal(rig.engine.thermal[-1], pair.thermal)
    rig.wait(lambda: rig.messages["image"], "the fused image has come")
    fused = np.asarray(rig.messages["image"][-1].data).reshape(SIZE, SIZE, 3)
    assert 0.2 < pair.outside.mean() < 0.8
    assert (fused[pair.outside > 0] == 100).all() and (fused[pair.outside == 0] == 255).all()

    drivers.say("thermal", 80.0)  # a zoom: what it says now counts
    thermal = drivers.fuse()
    pair = expected(thermal, 80.0, 60.0, parse_pose("0.2 0 0", ""))
    np.testing.assert_array_equal(rig.engine.thermal[-1], pair.thermal)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"k": [0.0] * 9}, "uncalibrated", "thermal/camera_info: the camera is not calibrated"),
        ({"distortion_model": "unheard_of"}, "bad_camera_info", "unheard_of"),
        ({"width": 2 * SIZE}, "size_mismatch", "thermal image is 64x64.*128x64"),
    ],
)
def test_a_camera_info_that_cannot_be_used_rejects_the_frames_with_the_reason(
    drivers, changes, reason, words
):
    rig = drivers.rig
    rig.start(parameters=BY_PARAMETERS)
    drivers.say("visible", 60.0)
    drivers.say("thermal", 50.0, **changes)
    drivers.fuse()
    assert rig.account("thermal")[f"rejected.{reason}"] == 1
    assert re.search(words, rig.node._inputs.states["thermal"].last_reject)
    if reason != "size_mismatch":
        rig.wait(
            lambda: rig.status("registration")[1].get("cameras") == reason, "diagnostics tell"
        )
        status = rig.status("registration")[0]
        assert status.level == b"\2" and re.search(words, status.message)
    drivers.say("thermal", 51.0)
    drivers.fuse()
    assert rig.account("thermal")["fused"] == 1


def test_topics_are_subscribed_to_only_in_this_mode_and_it_can_be_changed_at_run_time(drivers):
    from rclpy.parameter import Parameter

    rig = drivers.rig
    rig.start()

    def subscribers(side):
        return rig.node.count_subscribers(f"{rig.base}/input/{side}/camera_info")

    # The visible one is relayed to ~/output/camera_info in every mode.
    rig.wait(lambda: (subscribers("thermal"), subscribers("visible")) == (0, 1), "none is needed")
    drivers.fuse()
    set_now = [Parameter(name, value=value) for name, value in BY_PARAMETERS.items()]
    assert rig.node.set_parameters_atomically(set_now).successful
    rig.wait(lambda: (subscribers("thermal"), subscribers("visible")) == (1, 2), "both are")
    drivers.say("visible", 60.0)
    drivers.say("thermal", 50.0)
    thermal = drivers.fuse()
    pair = expected(thermal, 50.0, 60.0, parse_pose("0.2 0 0", ""))
    np.testing.assert_array_equal(rig.engine.thermal[-1], pair.thermal)
    back = rig.node.set_parameters([Parameter("registration.mode", value="none")])
    assert back[0].successful
    rig.wait(lambda: (subscribers("thermal"), subscribers("visible")) == (0, 1), "none is again")
    np.testing.assert_array_equal(drivers.fuse(), rig.engine.thermal[-1])
    assert rig.account("thermal")["fused"] == 3


def test_without_tf2_the_pose_must_be_given(drivers, monkeypatch):
    from rclpy.parameter import Parameter

    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    rig = drivers.rig
    node = rig.start(parameters={"registration.mode": "camera_info"}, ready=False)
    rig.wait(lambda: "tf2_ros cannot be imported" in node._state.fault, "configure has failed")
    assert node.phase == "unconfigured" and "registration.translation" in node._state.fault
    node.set_parameters([Parameter("registration.translation", value="0.2 0 0")])
    node.executor.create_task(node.trigger_configure)
    rig.wait_phase("inactive")
    refused = node.set_parameters([Parameter("registration.translation", value="")])[0]
    assert not refused.successful and "tf2_ros" in refused.reason


class StandInForTf2(ModuleType):
    """What the node uses of tf2_ros, which is not on PyPI; `frames` is what tf knows."""

    class TransformException(Exception):
        pass

    def __init__(self):
        super().__init__("tf2_ros")
        self.frames = {}
        self.listening = 0
        outer = self

        class Buffer:
            def lookup_transform(self, target, source, time):
                assert outer.listening, "asked without a listener"
                try:
                    at, turn = outer.frames[target, source]
                except KeyError:
                    raise StandInForTf2.TransformException(f"{source} does not exist") from None
                vector = SimpleNamespace(**dict(zip("xyz", at, strict=True)))
                rotation = SimpleNamespace(**dict(zip("xyzw", turn, strict=True)))
                transform = SimpleNamespace(translation=vector, rotation=rotation)
                return SimpleNamespace(transform=transform)

        class TransformListener:
            def __init__(self, buffer, node):
                outer.listening += 1

            def unregister(self):
                outer.listening -= 1

        self.Buffer, self.TransformListener = Buffer, TransformListener


def test_the_pose_comes_from_tf_by_the_frames_of_the_headers(drivers, monkeypatch):
    """With a stand-in for tf2_ros: what the real one does is not tested here."""
    tf2 = StandInForTf2()
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    rig = drivers.rig
    rig.start(parameters={"registration.mode": "camera_info", "registration.depth": 2.0})
    drivers.say("visible", 60.0)
    drivers.say("thermal", 50.0)
    drivers.fuse()
    assert rig.account("thermal")["rejected.no_transform"] == 1
    said = rig.node._inputs.states["thermal"].last_reject
    assert "--frame-id visible_optical_frame --child-frame-id thermal_optical_frame" in said
    half = 0.5**0.5
    tf2.frames["visible_optical_frame", "thermal_optical_frame"] = (
        (0.2, 0.0, 0.0), (0.0, 0.0, half, half)
    )
    thermal = drivers.fuse()
    pair = expected(thermal, 50.0, 60.0, parse_pose("0.2 0 0", f"0 0 {half} {half}"))
    np.testing.assert_array_equal(rig.engine.thermal[-1], pair.thermal)
    assert tf2.listening == 1
    rig.node.executor.create_task(rig.node.trigger_deactivate)
    rig.wait_phase("inactive")
    rig.node.executor.create_task(rig.node.trigger_cleanup)
    rig.wait_phase("unconfigured")
    assert tf2.listening == 0


def test_a_pose_from_tf_is_looked_up_once_a_second_and_kept_while_it_stays(monkeypatch):
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    from egmt_ros.ros.transforms import Transforms

    tf2 = StandInForTf2()
    monkeypatch.setitem(sys.modules, "tf2_ros", tf2)
    now = [0.0]
    transforms = Transforms(None, lambda: now[0])
    tf2.frames["v", "t"] = (0.1, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
    first = transforms.pose("v", "t")
    tf2.frames["v", "t"] = (0.10001, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
    now[0] = 2.0
    assert transforms.pose("v", "t") is first, "noise is no reason to make new tables"
    tf2.frames["v", "t"] = (0.3, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
    now[0] = 2.5
    assert transforms.pose("v", "t") is first
    now[0] = 4.0
    assert transforms.pose("v", "t").translation[0] == 0.3
    tf2.frames.clear()
    now[0] = 6.0
    assert transforms.pose("v", "t").translation[0] == 0.3, "what was known stays"
