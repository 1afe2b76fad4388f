"""~/output/camera_info: the calibration of the reference camera beside each fused image."""

from __future__ import annotations

import numpy as np
import pytest

MS = 1_000_000
START = 1_700_000_000_000_000_000


class Calibrated:
    """A rig whose cameras publish CameraInfo, and what came out of the node."""

    def __init__(self, rig):
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import CameraInfo

        self.rig = rig
        self.got = []
        self.kind = CameraInfo
        topic = f"{rig.base}/output/camera_info"
        rig.tester.create_subscription(CameraInfo, topic, self.got.append, 50)
        self.publishers = {
            side: rig.tester.create_publisher(
                CameraInfo, f"{rig.base}/input/{side}/camera_info", qos_profile_sensor_data
            )
            for side in ("thermal", "visible")
        }

    def connect(self, reference):
        publisher, node = self.publishers[reference], self.rig.node
        self.rig.wait(
            lambda: publisher.get_subscription_count() == 1
            and node._outputs._camera_info._subscription.get_publisher_count() == 1
            and node.count_subscribers(f"{self.rig.base}/output/camera_info") == 1,
            "the node and the camera_info topics are connected",
        )

    def send(self, side, width, height, focal_length):
        message = self.kind(width=width, height=height, distortion_model="plumb_bob")
        message.header.frame_id = "not_this_one"
        message.d = [0.1, 0.2, 0.0, 0.0, 0.0]
        message.k = [focal_length, 0.0, 32.0, 0.0, focal_length, 32.0, 0.0, 0.0, 1.0]
        self.publishers[side].publish(message)
        relay = self.rig.node._outputs._camera_info
        self.rig.wait(
            lambda: relay._newest is not None and relay._newest.k[0] == focal_length,
            "the node has the calibration",
        )

    def fuse(self, number, **kwargs):
        """Fuse the pair of this number, counted from 1, and return its image."""
        self.rig.send_pair(START + number * 100 * MS, **kwargs)
        images = self.rig.messages["image"]
        self.rig.wait(lambda: len(images) >= number, f"{number} images have come")
        return images[-1]


@pytest.fixture
def calibrated(rig):
    return Calibrated(rig)


def test_the_newest_calibration_goes_with_each_fused_image_under_its_header(calibrated):
    rig, got = calibrated.rig, calibrated.got
    rig.start()
    calibrated.connect("visible")
    calibrated.fuse(1)
    assert got == [], "nothing before the camera has sent one"
    calibrated.send("visible", 64, 64, 500.0)
    images = [calibrated.fuse(2), calibrated.fuse(3)]
    rig.wait(lambda: len(got) == 2, "one with each image")
    assert [info.header for info in got] == [image.header for image in images]
    assert got[0].header.frame_id == "visible_optical_frame"
    assert (got[0].width, got[0].height, got[0].distortion_model) == (64, 64, "plumb_bob")
    assert list(got[0].d) == [0.1, 0.2, 0.0, 0.0, 0.0]
    calibrated.send("visible", 64, 64, 510.0)
    calibrated.fuse(4)
    rig.wait(lambda: len(got) == 3, "the third")
    assert [info.k[0] for info in got] == [500.0, 500.0, 510.0]


def test_a_calibration_for_another_size_is_held_back_with_a_warning(calibrated, monkeypatch):
    rig, got = calibrated.rig, calibrated.got
    warnings = []
    rig.start()
    calibrated.connect("visible")
    monkeypatch.setattr(
        rig.node._throttle, "warning", lambda logger, key, text: warnings.append(text)
    )
    calibrated.send("visible", 128, 96, 500.0)
    calibrated.fuse(1)
    calibrated.send("visible", 64, 64, 250.0)
    image = calibrated.fuse(2)
    rig.wait(lambda: got, "the calibration of the right size has come")
    assert [info.header for info in got] == [image.header]
    (warning,) = warnings
    for words in ("/egmt_fusion/input/visible/camera_info", "128x96", "64x64", "output.reference"):
        assert words in warning


def test_it_is_that_of_the_thermal_camera_where_that_is_the_reference(calibrated):
    rig, got = calibrated.rig, calibrated.got
    rig.start(parameters={"output.reference": "thermal", "registration.mode": "scale"})
    calibrated.connect("thermal")
    assert calibrated.publishers["visible"].get_subscription_count() == 0
    calibrated.send("thermal", 60, 48, 300.0)
    image = calibrated.fuse(1, gap=5 * MS, pixels=np.full((48, 60), 100, np.uint8))
    rig.wait(lambda: got, "the calibration has come")
    assert got[0].header == image.header
    assert got[0].header.frame_id == "thermal_optical_frame"


def test_cleanup_forgets_the_calibration(calibrated):
    rig = calibrated.rig
    rig.start()
    calibrated.connect("visible")
    calibrated.send("visible", 64, 64, 500.0)
    for transition in ("deactivate", "cleanup", "configure", "activate"):
        rig.node.executor.create_task(getattr(rig.node, f"trigger_{transition}"))
        phase = {"deactivate": "inactive", "cleanup": "unconfigured", "configure": "inactive"}
        rig.wait_phase(phase.get(transition, "active"))
    calibrated.connect("visible")
    rig.wait(rig.connected, "cameras are connected again")
    calibrated.fuse(1)
    assert calibrated.got == []
