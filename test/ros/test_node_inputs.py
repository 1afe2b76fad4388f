"""What cameras send, over real DDS: every encoding, compressed images, changes in mid-stream."""

from __future__ import annotations

import array

import cv2
import numpy as np
import pytest

from egmt_ros.pipeline.frames import Side

MS = 1_000_000
START = 1_700_000_000_000_000_000
BASE = "/egmt_fusion"
COMPRESSED = {"input.thermal.transport": "compressed", "input.visible.transport": "compressed"}

BLUE = np.full((64, 64, 3), (200, 20, 10), np.uint8)
COUNTS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 3 + 7000


def png(pixels):
    return cv2.imencode(".png", pixels)[1].tobytes()


def jpeg(pixels):
    return cv2.imencode(".jpg", pixels)[1].tobytes()


class Stream:
    """Sends pairs 100 ms apart and waits for what becomes of each."""

    def __init__(self, rig):
        self.rig = rig
        self.number = 0

    @property
    def stamp(self):
        return START + self.number * 100 * MS

    def fused(self, thermal=None, visible=None):
        """The output of a pair; (pixels, encoding) of each side."""
        count = len(self.rig.messages["image"]) + 1
        self._send(thermal, visible)
        self.rig.wait(lambda: len(self.rig.messages["image"]) == count, f"{count} are fused")
        image = self.rig.messages["image"][-1]
        assert image.header.stamp.nanosec == self.stamp % 1_000_000_000
        self.number += 1
        return image

    def refused(self, guilty, reason, thermal=None, visible=None):
        """A pair that is refused on the account of one side, the first with this reason."""
        self._send(thermal, visible)
        self.number += 1
        self.rig.wait(
            lambda: self.rig.account(guilty).get(f"rejected.{reason}") == 1, f"{guilty}: {reason}"
        )

    def _send(self, thermal, visible):
        for side, given in (("thermal", thermal), ("visible", visible)):
            self.rig.send(side, self.stamp, *(given or ()))


class CompressedCameras:
    """Publishers of compressed images in place of the rig's cameras."""

    def __init__(self, rig, topics):
        from rclpy.qos import qos_profile_sensor_data
        from sensor_msgs.msg import CompressedImage

        self.kind = CompressedImage
        self.rig = rig
        rig.cameras = {
            side: rig.tester.create_publisher(CompressedImage, topic, qos_profile_sensor_data)
            for side, topic in topics.items()
        }
        rig.wait(rig.connected, "cameras and listener are connected")

    def send(self, side, stamp, data, told):
        message = self.kind(format=told, data=array.array("B", data))
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        message.header.frame_id = f"{side}_optical_frame"
        self.rig.cameras[side].publish(message)


def start_compressed(rig, parameters=(), topics=None, **kwargs):
    rig.start(parameters={**COMPRESSED, **dict(parameters)}, ready=False, **kwargs)
    rig.wait_phase("active")
    default = {side: f"{BASE}/input/{side}/image/compressed" for side in ("thermal", "visible")}
    return CompressedCameras(rig, topics or default)


def wait_images(rig, count):
    rig.wait(lambda: len(rig.messages["image"]) >= count, f"{count} images have come")


def test_compressed_images_are_fused_with_every_thermal_bit(rig):
    cameras = start_compressed(rig, {"thermal.range_mode": "frame"})
    cameras.send("thermal", START, png(COUNTS), "16UC1; png compressed ")
    cameras.send("visible", START, png(BLUE), "rgb8; png compressed bgr8")
    wait_images(rig, 1)
    np.testing.assert_array_equal(rig.engine.thermal[-1], COUNTS)
    image = rig.messages["image"][0]
    assert (image.encoding, image.width, image.height) == ("bgr8", 64, 64)
    assert image.header.frame_id == "visible_optical_frame"
    np.testing.assert_array_equal(np.frombuffer(image.data, np.uint8).reshape(64, 64, 3), BLUE)
    cameras.send("thermal", START + 100 * MS, jpeg(np.full((64, 64), 90, np.uint8)), "jpeg")
    cameras.send("visible", START + 100 * MS, jpeg(BLUE), "bgr8; jpeg compressed bgr8")
    wait_images(rig, 2)
    assert rig.engine.thermal[-1].dtype == np.uint8
    rig.settled(thermal=2, visible=2)
    rig.wait(lambda: rig.reported("visible")["fused"] == 2, "diagnostics say so")
    for side, told in (("thermal", "jpeg"), ("visible", "bgr8; jpeg compressed bgr8")):
        values = rig.status(f"{side} input")[1]
        assert values["topic"] == f"{BASE}/input/{side}/image/compressed"
        assert (values["encoding"], values["width"], values["height"]) == (told, "64", "64")
        assert values["publishers"] == "1"


@pytest.mark.parametrize("by_itself", [False, True], ids=["base", "compressed"])
def test_compressed_topics_follow_remappings_as_image_transport_has_them(rig, by_itself):
    own = "~/input/visible/image" + ("/compressed" if by_itself else "")
    topic = "/front/image_raw/compressed"
    rule = f"{own}:={topic if by_itself else topic.removesuffix('/compressed')}"
    topics = {"thermal": f"{BASE}/input/thermal/image/compressed", "visible": topic}
    cameras = start_compressed(rig, topics=topics, cli_args=["--ros-args", "-r", rule])
    cameras.send("thermal", START, png(np.full((64, 64), 90, np.uint8)), "png")
    cameras.send("visible", START, png(BLUE), "png")
    wait_images(rig, 1)
    assert rig.status("visible input")[1]["topic"] == topic


@pytest.mark.parametrize("remapped", [False, True], ids=["beside", "remapped"])
def test_images_of_the_other_transport_are_a_warning_that_names_the_parameter(rig, remapped):
    from rclpy.parameter import Parameter
    from sensor_msgs.msg import CompressedImage

    own, topic = "~/input/thermal/image", "/front/image_raw/compressed"
    rule = f"{own}:={topic}" if remapped else f"{own}:={topic.removesuffix('/compressed')}"
    rig.start(ready=False, cli_args=["--ros-args", "-r", rule])
    rig.wait_phase("active")
    camera = rig.tester.create_publisher(CompressedImage, topic, 5)

    def message():
        return rig.status("thermal input")[0].message if rig.messages["diagnostics"] else ""

    advice = f"{topic} has compressed images, and input.thermal.transport is raw: set it to"
    rig.wait(lambda: advice in message(), "the warning names the parameter")
    assert rig.status("thermal input")[0].level == b"\x01"
    assert "transport" not in rig.status("visible input")[0].message
    rig.node.trigger_deactivate()
    rig.node.trigger_cleanup()
    rig.node.set_parameters([Parameter("input.thermal.transport", value="compressed")])
    rig.node.trigger_configure()
    rig.wait(lambda: rig.status("thermal input")[1]["matched"] == "1", "they are heard")
    assert rig.status("thermal input")[1]["topic"] == topic
    assert "transport" not in message()
    rig.tester.destroy_publisher(camera)


def test_bad_compressed_images_are_rejected_by_reason_and_the_next_good_pair_is_fused(rig):
    cameras = start_compressed(rig)
    whole = png(BLUE)
    bomb = bytearray(whole)
    bomb[16:24] = (60000).to_bytes(4, "big") * 2
    bad = {
        "compressed_depth": (bytes(12) + whole, "16UC1; compressedDepth png"),
        "compressed_format": (b"not an image", "h264"),
        "too_large": (bytes(bomb), "png"),
    }
    for number, (data, told) in enumerate(bad.values(), 1):  # found bad in the callback
        cameras.send("visible", START, data, told)
        rig.wait(lambda n=number: rig.account("visible")["rejected"] == n, f"rejected: {told}")
    decoded = {
        "data_too_short": (whole[: len(whole) - 20], "png"),
        "compressed_mismatch": (jpeg(BLUE), "mono16; jpeg compressed "),
    }
    for number, (data, told) in enumerate(decoded.values(), 4):  # in the worker
        stamp = START + number * 100 * MS
        cameras.send("thermal", stamp, png(np.full((64, 64), 90, np.uint8)), "png")
        cameras.send("visible", stamp, data, told)
        rig.wait(lambda n=number: rig.account("visible")["rejected"] == n, f"rejected: {told}")
    counts = rig.account("visible")
    for reason in (*bad, *decoded):
        assert counts[f"rejected.{reason}"] == 1, counts
    assert rig.account("thermal")["rejected.partner_rejected"] == 2
    cameras.send("thermal", START + 2000 * MS, png(np.full((64, 64), 90, np.uint8)), "png")
    cameras.send("visible", START + 2000 * MS, whole, "png")
    wait_images(rig, 1)
    rig.settled(thermal=3, visible=6)


def test_the_transport_can_be_changed_between_two_configurations(rig):
    from rclpy.parameter import Parameter

    rig.start()
    Stream(rig).fused()
    (refused,) = rig.node.set_parameters([Parameter("input.visible.transport", value="compressed")])
    assert not refused.successful and "cleanup" in refused.reason
    rig.node.trigger_deactivate()
    rig.node.trigger_cleanup()
    parameters = [Parameter(name, value=value) for name, value in COMPRESSED.items()]
    assert rig.node.set_parameters_atomically(parameters).successful
    rig.node.trigger_configure()
    rig.node.trigger_activate()
    topics = {side: f"{BASE}/input/{side}/image/compressed" for side in ("thermal", "visible")}
    cameras = CompressedCameras(rig, topics)
    for side in topics:
        grey = np.full((64, 64), 90, np.uint8)
        cameras.send(side, START + 5000 * MS, png(grey), "mono8; png compressed ")
    wait_images(rig, 2)
    assert rig.messages["image"][-1].encoding == "mono8"


def test_the_encodings_of_both_cameras_change_in_mid_stream(rig):
    rig.start(parameters={"thermal.range_mode": "frame"})
    stream = Stream(rig)
    mosaic = np.full((64, 64), 100, np.uint8)
    mosaic[::2, ::2], mosaic[1::2, 1::2] = 10, 200  # of bayer_rggb8: as BLUE, but green 100
    packed = np.full((64, 64, 2), 128, np.uint8)
    expected = {"bgr8": (200, 20, 10), "rgb16": (200, 20, 10), "bayer_rggb8": (200, 100, 10)}
    for pixels, encoding in (
        (BLUE, "bgr8"), (BLUE[..., ::-1].astype(np.uint16) * 257, "rgb16"),
        (mosaic, "bayer_rggb8"), (packed, "uyvy"), (packed, "yuv422_yuy2"), (BLUE, "bgr8"),
    ):  # fmt: skip
        image = stream.fused(visible=(np.ascontiguousarray(pixels), encoding))
        assert image.encoding == "bgr8"
        colour = expected.get(encoding, (130, 130, 130))
        assert tuple(image.data[:3]) == colour, encoding
    assert stream.fused(visible=(np.full((64, 64), 1000, np.uint16), "mono16")).encoding == "mono8"
    for pixels, encoding, taken in (
        (COUNTS, "mono16", np.uint16), (COUNTS.astype(np.float32), "32FC1", np.float32),
        (COUNTS.astype(np.int16), "16SC1", np.float32), (packed, "yuyv", np.uint8),
        (COUNTS, "16UC1", np.uint16),
    ):  # fmt: skip
        stream.fused(thermal=(pixels, encoding))
        assert rig.engine.thermal[-1].dtype == taken, encoding
    stream.refused("thermal", "colour_thermal", thermal=(BLUE, "bgr8"))
    stream.refused("visible", "visible_encoding", visible=(COUNTS, "16UC1"))
    stream.fused()
    rig.settled(thermal=stream.number, visible=stream.number)


def test_a_smoothed_range_starts_afresh_when_the_thermal_encoding_changes(rig):
    rig.start(parameters={"thermal.range_mode": "percentile", "thermal.time_constant": 100.0})
    stream = Stream(rig)
    grey = np.tile(np.arange(64, dtype=np.uint8), (64, 1))
    for pixels, encoding, low, high in (
        (grey, "mono8", 0, 63), (COUNTS, "mono16", 7000, 7000 + 3 * 4095), (grey, "mono8", 0, 63),
    ):  # fmt: skip
        stream.fused(thermal=(pixels, encoding))
        limits = rig.engine.ranges[-1]
        assert low <= limits.low < limits.high <= high
        assert limits.high - limits.low > 0.9 * (high - low)


def test_the_resolution_of_both_cameras_changes_in_mid_stream(rig):
    rig.start()
    stream = Stream(rig)

    def images(width, height):
        return {
            "thermal": (np.full((height, width), 90, np.uint8), "mono8"),
            "visible": (np.full((height, width, 3), 90, np.uint8), "bgr8"),
        }

    for width, height in ((64, 64), (96, 80), (33, 47), (640, 480), (64, 64)):
        image = stream.fused(**images(width, height))
        assert (image.width, image.height) == (width, height)
        rig.wait(lambda: len(rig.messages["entities"]) == stream.number, "its labels have come")
        labels = rig.messages["entities"][-1]
        assert (labels.width, labels.height) == (width, height)
    # One camera changes before the other: only those pairs are refused, with the remedy.
    stream.refused("visible", "size_mismatch", thermal=images(96, 80)["thermal"])
    assert "registration.mode" in rig.node._inputs.states[Side.VISIBLE].last_reject
    image = stream.fused(**images(96, 80))
    assert (image.width, image.height) == (96, 80)
    rig.settled(thermal=stream.number, visible=stream.number)
    rig.wait(lambda: rig.reported("visible")["fused"] == 6, "diagnostics are up to date")
    assert rig.status("visible input")[1]["width"] == "96"


def test_the_real_engine_follows_the_resolution(rig):
    pytest.importorskip("torch", reason="torch is not installed")
    from egmt_ros.node_core.processing import load_engine

    class Loader:
        load = staticmethod(load_engine)

    small = {"model.warm_up_width": 64, "model.warm_up_height": 64, "model.runtime": "torch"}
    rig.start(Loader, parameters=small, ready=False)
    rig.wait(lambda: rig.node.phase == "active", "the network is loaded", timeout=60.0)
    rig.wait(rig.connected, "all are connected", timeout=20.0)
    for number, (width, height) in enumerate(((64, 64), (96, 80), (64, 64))):
        stamp = START + number * 100 * MS
        rig.send("thermal", stamp, np.full((height, width), 90, np.uint8) + eye(height, width))
        rig.send("visible", stamp, np.dstack([eye(height, width)] * 3))
        rig.wait(lambda n=number + 1: len(rig.messages["image"]) == n, "it is fused", timeout=60.0)
        image = rig.messages["image"][-1]
        assert (image.width, image.height) == (width, height)
    rig.settled(thermal=3, visible=3)


def eye(height, width):
    """Something with edges."""
    return np.eye(height, width, dtype=np.uint8) * 100
