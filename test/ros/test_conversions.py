"""Arrays written as ROS image messages, read again, and beside cv_bridge."""

from __future__ import annotations

import array
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array
from egmt_ros.pipeline.image_view import BAYER, ENCODINGS, image_view
from egmt_ros.ros.conversions import array_to_image

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline"))
from image_messages import (  # noqa: E402
    PIXELS,
    chroma_shape,
    message,
    plain_message,
    yuv_message,
)

Image = pytest.importorskip("sensor_msgs.msg").Image
Header = pytest.importorskip("std_msgs.msg").Header


@pytest.mark.parametrize("encoding", PIXELS)
def test_a_written_message_holds_the_very_bytes(encoding):
    pixels = np.array(PIXELS[encoding][1], ENCODINGS[encoding][0])
    header = Header(frame_id="camera")
    image = array_to_image(pixels, header, encoding)
    native = message(
        encoding, PIXELS[encoding][1], big=int(sys.byteorder == "big"), kind=Image
    )
    native.header = header
    assert image == native
    assert isinstance(image.data, array.array)


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a[:, ::-1],
        lambda a: np.asfortranarray(a),
        lambda a: a.astype(a.dtype.newbyteorder(">")),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: a[..., None],
    ],
    ids=["reversed", "fortran", "big-endian", "strided", "one-channel"],
)
def test_any_memory_layout_is_written_rightly(layout):
    source = layout(np.arange(12, dtype=np.uint16).reshape(3, 4) * 1000)
    image = array_to_image(source, Header(), "mono16")
    np.testing.assert_array_equal(thermal_array(image_view(image)), source.reshape(3, 4))


def test_a_written_message_does_not_follow_its_array():
    pixels = np.zeros((2, 2), np.uint8)
    image = array_to_image(pixels, Header(), "mono8")
    pixels[:] = 9
    assert image.data.tolist() == [0, 0, 0, 0]


@given(data=st.data(), encoding=st.sampled_from(sorted(ENCODINGS)))
def test_round_trip(data, encoding):
    dtype, channels = ENCODINGS[encoding]
    shape = data.draw(npst.array_shapes(min_dims=2, max_dims=2, max_side=9))
    shape += (channels,) if channels > 1 else ()
    pixels = data.draw(npst.arrays(dtype, shape))
    image = array_to_image(pixels, Header(), encoding)
    view = image_view(image)
    np.testing.assert_array_equal(view.array, pixels)
    assert np.shares_memory(view.array, np.frombuffer(image.data, np.uint8))


@pytest.mark.parametrize(
    ("pixels", "encoding", "reason"),
    [
        (np.zeros((2, 2), np.uint8), "yuv422", "unknown_encoding"),
        (np.zeros((2, 2), np.uint16), "mono8", "encoding_mismatch"),
        (np.zeros((2, 2), np.uint8), "bgr8", "encoding_mismatch"),
        (np.zeros((2, 2, 4), np.uint8), "bgr8", "encoding_mismatch"),
        (np.zeros((2, 2, 3), np.uint8), "mono8", "encoding_mismatch"),
        (np.zeros(4, np.uint8), "mono8", "encoding_mismatch"),
        (np.zeros((0, 2), np.uint8), "mono8", "zero_size"),
    ],
)
def test_an_array_that_does_not_fit_its_encoding_is_not_written(pixels, encoding, reason):
    with pytest.raises(InputError) as caught:
        array_to_image(pixels, Header(), encoding)
    assert caught.value.reason == reason


# cv_bridge ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", PIXELS)
def test_equals_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    image = message(encoding, PIXELS[encoding][1], kind=Image)
    bridge = cv_bridge.CvBridge()
    np.testing.assert_array_equal(image_view(image).array, bridge.imgmsg_to_cv2(image))
    if encoding in ("rgb8", "bgr8", "rgba8", "bgra8", "rgb16", "bgr16", "rgba16", "bgra16"):
        expected = bridge.imgmsg_to_cv2(image, "bgr8")
        np.testing.assert_array_equal(visible_array(image_view(image)), expected)
    pixels = np.array(PIXELS[encoding][1], ENCODINGS[encoding][0])
    assert array_to_image(pixels, Header(), encoding).data == bridge.cv2_to_imgmsg(
        pixels, encoding
    ).data


@pytest.mark.parametrize("encoding", [*BAYER, "yuv422", "yuv422_yuy2"])
def test_colours_equal_those_of_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    rng = np.random.default_rng(1)
    if encoding in BAYER:
        kind = BAYER[encoding][0]
        rows = rng.integers(0, np.iinfo(kind).max, (8, 8)).astype(kind)
        image = plain_message(encoding, rows, kind=Image)
    else:
        luma = rng.integers(16, 236, (8, 8), np.uint8)
        chroma = rng.integers(16, 241, chroma_shape(encoding, 8, 8), np.uint8)
        image = yuv_message(encoding, luma, chroma, kind=Image)
    try:
        expected = cv_bridge.CvBridge().imgmsg_to_cv2(image, "bgr8")
    except cv_bridge.CvBridgeError as error:
        pytest.skip(f"this cv_bridge does not read {encoding}: {error}")
    np.testing.assert_array_equal(visible_array(image_view(image)), expected)
