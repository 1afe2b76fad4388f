"""Faulty images: wrong sizes of the data, huge ones, encodings that change, noise of all kinds.

Over real DDS, but for the fuzzed messages, which are handed to the node's callback in its
executor's thread: thousands of them would take DDS too long.
"""

from __future__ import annotations

import array
import random

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from egmt_ros.pipeline.frames import Side  # noqa: E402

MS = 1_000_000
PATIENCE = 40.0
WHOLE = 64 * 64 * 3


@pytest.mark.parametrize("side", ["thermal", "visible"])
def test_truncated_and_oversized_frames(campaign, side):
    """Too few bytes are refused; bytes beyond the last row are none of our business."""
    campaign.start()
    bytes_a_row = 64 if side == "thermal" else 192
    whole = 64 * bytes_a_row
    short = [0, 1, bytes_a_row, whole - bytes_a_row, whole - 1]
    wrong = [
        {"step": bytes_a_row - 1}, {"step": 0}, {"step": 2**32 - 1}, {"height": 2**32 - 1},
        {"width": 2**32 - 1}, {"width": 0}, {"height": 0}, {"height": 65},
        {"width": 2**31, "height": 2**31, "step": 2**31},
    ]  # fmt: skip

    def spoil(number):
        for changes in [{"data": bytes(n)} for n in short] + wrong:
            rejected = campaign.counts()[side]["rejected"]
            campaign.send_pair(**{side: changes})
            campaign.wait_count(side, "rejected", rejected + 1)
            campaign.arrived()
        campaign.good_pair()
        for extra in (1, bytes_a_row, whole):
            stamp = campaign.send_pair(**{side: {"data": bytes(whole + extra)}})
            campaign.arrived()
            campaign.rig.wait(
                lambda s=stamp: s in campaign.fused() or campaign.counts()[side]["rejected"],
                "bytes too many have an outcome", PATIENCE,
            )  # fmt: skip

    campaign.repeat(spoil)
    assert campaign.counts()[side]["rejected"] >= 3 * (len(short) + len(wrong))


def test_8k_images(campaign):
    """7680x4320: 33 and 100 MB a frame, more than the shared memory of the middleware."""
    rig = campaign.rig
    # Sending 100 MB may take longer than the first of a pair usually waits.
    reliable = {
        "input.thermal.qos": "reliable", "input.visible.qos": "reliable", "sync.wait": 10.0,
    }  # fmt: skip
    rig.start(parameters=reliable, ready=False)
    for side, camera in list(rig.cameras.items()):
        rig.tester.destroy_publisher(camera)
        rig.cameras[side] = rig.tester.create_publisher(
            Image, f"{rig.base}/input/{side}/image", 5
        )
    rig.wait_phase("active")
    rig.wait(rig.connected, "cameras and listener are connected", PATIENCE)
    campaign.good_pair()
    campaign.stamp += 100 * MS
    for side, shape, encoding in (("thermal", (4320, 7680), "mono8"),
                                  ("visible", (4320, 7680, 3), "bgr8")):  # fmt: skip
        message = Image(height=4320, width=7680, encoding=encoding, step=int(np.prod(shape[1:])))
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(campaign.stamp, 10**9)
        message.data.frombytes(bytes(int(np.prod(shape))))
        rig.cameras[side].publish(message)
        campaign.sent[side] += 1
        campaign.arrived()
    rig.wait(lambda: campaign.stamp in campaign.fused(), "8K is fused", PATIENCE)
    assert rig.messages["image"][-1].width == 7680
    campaign.survived()


ENCODINGS = [
    ("thermal", "mono8", np.full((64, 64), 9, np.uint8), True),
    ("thermal", "mono16", np.full((64, 64), 9, np.uint16), False),
    ("thermal", "32FC1", np.full((64, 64), 9, np.float32), False),
    ("thermal", "64FC1", np.full((64, 64), 9, np.float64), None),
    ("thermal", "rgb8", np.zeros((64, 64, 3), np.uint8) + np.uint8([9, 80, 200]), False),
    ("thermal", "8UC3", np.zeros((64, 64, 3), np.uint8), True),
    ("visible", "bgr8", np.full((64, 64, 3), 9, np.uint8), True),
    ("visible", "rgba8", np.full((64, 64, 4), 9, np.uint8), True),
    ("visible", "mono8", np.full((64, 64), 9, np.uint8), True),
    ("visible", "bgr16", np.full((64, 64, 3), 9, np.uint16), None),
    ("visible", "16SC7", np.full((64, 64), 9, np.int16), False),
    ("visible", "", np.full((64, 64), 9, np.uint8), False),
    ("visible", "mono8\n{}%s", np.full((64, 64), 9, np.uint8), False),
    ("visible", "é" * 500, np.full((64, 64), 9, np.uint8), False),
]


def test_encodings_switched_in_mid_stream(campaign):
    """With every frame another; what can be fused is, the rest is rejected, by side."""
    campaign.start()

    def switch(number):
        for side, encoding, pixels, fusable in ENCODINGS:
            before = campaign.counts()
            image = {"pixels": pixels, "encoding": encoding}
            stamp = campaign.send_pair(**{side: image})
            campaign.arrived()
            campaign.rig.wait(
                lambda s=side, pair=stamp, known=before[side]["rejected"]: (
                    pair in campaign.fused() or campaign.counts()[s]["rejected"] > known
                ),
                f"{encoding} has an outcome", PATIENCE,
            )  # fmt: skip
            campaign.good_pair()  # ends the wait for the partner of what was rejected
            campaign.settled()
            after = campaign.counts()[side]["rejected"]
            if fusable is not None:
                assert (stamp in campaign.fused()) == fusable, encoding
                assert after == before[side]["rejected"] + (not fusable), encoding

    campaign.repeat(switch)


def test_resolutions_switched_in_mid_stream(campaign):
    """Both cameras change, and one before the other: sizes that differ are rejected, by name."""
    campaign.start()

    def switch(number):
        for height, width in ((48, 80), (128, 96), (64, 64), (33, 47)):
            rejected = campaign.counts()["visible"]["rejected"]
            colour = {"pixels": np.full((height, width, 3), 7, np.uint8)}
            grey = {"pixels": np.full((height, width), 7, np.uint8)}
            if (height, width) != (64, 64):
                campaign.send_pair(visible=colour)
                campaign.wait_count("visible", "rejected", rejected + 1)
            stamp = campaign.send_pair(thermal=grey, visible=colour)
            campaign.rig.wait(lambda s=stamp: s in campaign.fused(), "it is fused", PATIENCE)
            image = campaign.rig.messages["image"][-1]
            assert (image.height, image.width) == (height, width)

    campaign.repeat(switch)


NAMES = ["mono8", "mono16", "rgb8", "bgr8", "rgba8", "bgra8", "rgb16", "32FC1", "8UC1", "16UC1",
         "16SC1", "64FC3", "bayer_rggb8", "bayer_gbrg16", "yuv422", "yuv422_yuy2", "nv12", "nv21",
         "nv24", "8UC", "99XC0", "32FC999999999"]  # fmt: skip


@st.composite
def messages(draw):
    """Any Image: nearly right ones, and fields at random."""
    small = st.integers(0, 40)
    field = st.one_of(small, st.sampled_from([2**16, 2**31 - 1, 2**31, 2**32 - 1]))
    length = st.one_of(st.integers(0, 6000), st.sampled_from([40 * 40, 40 * 40 * 3]))
    message = Image(
        height=draw(field), width=draw(field), step=draw(st.one_of(field, st.integers(0, 400))),
        encoding=draw(st.one_of(st.sampled_from(NAMES), st.text(max_size=12))),
        is_bigendian=draw(st.integers(0, 255)),
    )  # fmt: skip
    message.header.stamp.sec = draw(st.one_of(small, st.integers(-(2**31), 2**31 - 1)))
    message.header.stamp.nanosec = draw(st.one_of(st.just(0), st.integers(0, 2**32 - 1)))
    message.header.frame_id = draw(st.text(max_size=6))
    seed = draw(st.integers(0, 2**16))
    message.data = array.array("B", random.Random(seed).randbytes(draw(length)))
    return message


def test_thousands_of_fuzzed_messages(campaign):
    """Injected at the callback, in the executor's thread, for both sides. Nothing may raise."""
    campaign.start(parameters={"registration.mode": "scale", "thermal.range_mode": "percentile"})
    rig = campaign.rig
    executor = rig._spinners[-1][0]
    batch = []

    @settings(max_examples=400, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(messages())
    def collect(message):
        batch.extend((side, message) for side in (Side.THERMAL, Side.VISIBLE))

    def inject(number):
        def all_of_them():
            for side, message in batch:
                rig.node._inputs._on_image(side, message)

        batch.clear()
        collect()
        done = executor.create_task(all_of_them)
        rig.wait(done.done, "all are handed over", PATIENCE)
        assert done.exception() is None, done.exception()
        for side, _ in batch:
            campaign.sent[side.value] += 1
        batch.clear()
        campaign.send_pair()  # shows that the clocks are right again; may be dropped as the first
        campaign.arrived()

    campaign.repeat(inject)
    assert sum(campaign.sent.values()) > 2000
    assert sum(counts["rejected"] for counts in campaign.counts().values()) > 1000
    assert campaign.rig.node._fusing.alive
