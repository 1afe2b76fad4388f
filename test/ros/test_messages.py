"""From results to messages."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from builtin_interfaces.msg import Time  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from egmt_ros.node_core import outgoing  # noqa: E402
from egmt_ros.node_core.outgoing import ModelIdentity  # noqa: E402
from egmt_ros.node_core.parameters import EntityParameters  # noqa: E402
from egmt_ros.pipeline.frames import Side  # noqa: E402
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region  # noqa: E402
from egmt_ros.ros import messages  # noqa: E402

MODEL = ModelIdentity("m@1", "hash", "encoder", "cpu", "torch", ("a", "b"), (0.4, 0.6))


def result(**changes):
    values = {
        "image": np.zeros((8, 16, 3), np.uint8),
        "scores": {},
        "labels": (),
        "attention": np.zeros((2, 1, 2), np.float32),
        "attention_cell": 8,
        "timings": {},
    }
    return FusionResult(**{**values, **changes})


def test_attention_maps_are_scaled_to_their_own_peak():
    maps = np.array([[[0.5, 0.25]], [[0.0, 0.0]], [[1e-6, 1e-6]]], np.float32)
    message = messages.attention(maps, Header(frame_id="camera"), MODEL)
    assert list(message.data) == [255, 128, 0, 0, 255, 255]
    assert (message.rows, message.cols, list(message.indices)) == (1, 2, [0, 1, 2])
    assert message.header.frame_id == "camera"


def test_a_label_without_a_region_says_so():
    label = EntityLabel(1, "b", 0.7, True, None, 0.0, 0.5)
    message = outgoing.label_array(
        messages.TYPES,
        result(labels=(label,)),
        header=Header(),
        stamps={Side.THERMAL: Time(sec=1), Side.VISIBLE: Time(sec=2)},
        model=MODEL,
        entities=EntityParameters(max_labels=5, threshold=-1.0, publish_all=False),
    )
    (sent,) = message.labels
    assert sent.region_source == sent.REGION_NONE
    assert (sent.region.width, sent.region.height, sent.region_mass) == (0, 0, 0.0)
    assert (message.width, message.height) == (16, 8)
    assert (message.thermal_stamp.sec, message.visible_stamp.sec) == (1, 2)
    assert message.mode == message.FUSED


@pytest.mark.parametrize(
    "side, mode, stamps",
    [(Side.THERMAL, "THERMAL_ONLY", (7, 0)), (Side.VISIBLE, "VISIBLE_ONLY", (0, 7))],
)
def test_of_a_camera_that_is_missing_the_stamp_is_0_and_the_mode_says_so(side, mode, stamps):
    message = outgoing.label_array(
        messages.TYPES,
        result(),
        header=Header(),
        stamps={side: Time(sec=7)},
        model=MODEL,
        entities=EntityParameters(max_labels=5, threshold=-1.0, publish_all=False),
    )
    assert message.mode == getattr(message, mode)
    assert (message.thermal_stamp.sec, message.visible_stamp.sec) == stamps


def test_a_grey_image_is_mono8():
    grey = messages.fused_image(result(image=np.full((2, 3), 7, np.uint8)), Header())
    assert (grey.encoding, grey.step, bytes(grey.data)) == ("mono8", 3, b"\x07" * 6)


@pytest.mark.parametrize(
    ("threshold", "present", "region"),
    [
        (-1.0, [True, True, False], [True, False, False]),
        (0.8, [True, False, False], [True, False, False]),
        (0.95, [False, False, False], [False, False, False]),
        (0.1, [True, True, True], [True, False, False]),
    ],
)
def test_only_a_label_that_is_present_has_a_region(threshold, present, region):
    labels = (
        EntityLabel(0, "a", 0.9, True, Region(1, 2, 3, 4), 0.7, 0.5),
        EntityLabel(1, "b", 0.7, True, None, 0.0, 0.5),
        EntityLabel(2, "c", 0.2, False, None, 0.0, 0.5),
    )
    sent = outgoing.label_array(
        messages.TYPES,
        result(labels=labels),
        header=Header(),
        stamps={},
        model=MODEL,
        entities=EntityParameters(max_labels=5, threshold=threshold, publish_all=True),
    ).labels
    assert [label.present for label in sent] == present
    assert [label.region_source == label.REGION_ATTENTION for label in sent] == region
    assert [label.region.width > 0 for label in sent] == region
    assert [label.region_mass > 0 for label in sent] == region
