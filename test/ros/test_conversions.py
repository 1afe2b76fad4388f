"""Image conversions against hand-made bytes, in both byte orders and with padded rows."""

from __future__ import annotations

import array
import struct
import sys
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from egmt_ros.errors import InputError
from egmt_ros.ros.conversions import (
    ENCODINGS,
    array_to_image,
    image_view,
    thermal_array,
    visible_array,
)

Image = pytest.importorskip("sensor_msgs.msg").Image
Header = pytest.importorskip("std_msgs.msg").Header

# What two rows of two pixels hold, channel by channel as the encoding orders them.
GREY8 = [[0, 1], [127, 255]]
GREY16 = [[0, 1], [258, 65535]]
FLOAT = [[-273.5, 0.0], [36.6, 1e30]]
COLOUR = [[(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (250, 251, 252)]]
COLOUR_ALPHA = [[(1, 2, 3, 99), (4, 5, 6, 0)], [(7, 8, 9, 255), (250, 251, 252, 1)]]
PIXELS = {
    "mono8": ("B", GREY8), "8UC1": ("B", GREY8),
    "mono16": ("H", GREY16), "16UC1": ("H", GREY16),
    "32FC1": ("f", FLOAT),
    "rgb8": ("3B", COLOUR), "bgr8": ("3B", COLOUR), "8UC3": ("3B", COLOUR),
    "rgba8": ("4B", COLOUR_ALPHA), "bgra8": ("4B", COLOUR_ALPHA),
}  # fmt: skip
PADDING = [0, 1, 6]


def message(encoding, pixels, *, big=0, padding=0):
    """An Image whose bytes are written pixel by pixel with struct."""
    code, order = PIXELS[encoding][0], "<>"[big]
    rows = []
    for row in pixels:
        values = [value if isinstance(value, tuple) else (value,) for value in row]
        rows.append(b"".join(struct.pack(order + code, *value) for value in values))
    data = b"".join(row + b"\xa5" * padding for row in rows)
    image = Image(
        height=len(rows), width=len(pixels[0]), encoding=encoding, is_bigendian=big,
        step=len(rows[0]) + padding,
    )  # fmt: skip
    image.data.frombytes(data)
    return image


def memory(image):
    return np.frombuffer(image.data, np.uint8)


every_layout = [
    pytest.param(encoding, big, padding, id=f"{encoding}-{'big' if big else 'little'}-{padding}")
    for encoding in PIXELS for big in (0, 1) for padding in PADDING
]  # fmt: skip


def test_every_encoding_has_its_bytes_here():
    assert set(PIXELS) == set(ENCODINGS)


@pytest.mark.parametrize(("encoding", "big", "padding"), every_layout)
def test_a_view_shows_the_values_in_the_memory_of_the_message(encoding, big, padding):
    image = message(encoding, PIXELS[encoding][1], big=big, padding=padding)
    view = image_view(image)
    assert view.encoding == encoding
    expected = np.array(PIXELS[encoding][1], ENCODINGS[encoding][0])
    np.testing.assert_array_equal(view.array, expected)
    assert np.shares_memory(view.array, memory(image))
    assert view.array.__array_interface__["data"][0] == image.data.buffer_info()[0]


@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "mono16", "16UC1", "32FC1"])
def test_thermal_is_native_and_contiguous_and_copied_only_if_it_must(encoding, big, padding):
    image = message(encoding, PIXELS[encoding][1], big=big, padding=padding)
    thermal = thermal_array(image_view(image))
    expected = np.array(PIXELS[encoding][1], ENCODINGS[encoding][0])
    np.testing.assert_array_equal(thermal, expected)
    assert thermal.dtype == expected.dtype and thermal.dtype.isnative
    assert thermal.flags.c_contiguous and thermal.flags.aligned
    foreign = expected.itemsize > 1 and big != (sys.byteorder == "big")
    assert np.shares_memory(thermal, memory(image)) == (not padding and not foreign)


@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "8UC3", "rgba8", "bgra8"])
def test_visible_colour_is_blue_green_red(encoding, big, padding):
    image = message(encoding, PIXELS[encoding][1], big=big, padding=padding)
    visible = visible_array(image_view(image))
    colours = np.array(COLOUR, np.uint8)
    np.testing.assert_array_equal(visible, colours[..., ::-1] if "rgb" in encoding else colours)
    assert visible.dtype == np.uint8 and visible.flags.c_contiguous
    in_place = encoding in ("bgr8", "8UC3") and not padding
    assert np.shares_memory(visible, memory(image)) == in_place


@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_visible_grey_stays_grey(encoding, padding):
    image = message(encoding, GREY8, padding=padding)
    visible = visible_array(image_view(image))
    np.testing.assert_array_equal(visible, np.array(GREY8, np.uint8))
    assert np.shares_memory(visible, memory(image)) == (not padding)


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda b: np.frombuffer(b, "u1")])
def test_data_may_be_any_buffer(wrap):
    data = wrap(bytes(range(6)))
    fields = dict(encoding="mono8", width=2, height=2, step=3, is_bigendian=0, data=data)
    assert image_view(SimpleNamespace(**fields)).array.tolist() == [[0, 1], [3, 4]]


def test_a_view_keeps_the_data_of_a_message_that_is_gone():
    view = image_view(message("mono16", GREY16))
    assert view.array.tolist() == GREY16


def test_more_data_than_needed_is_accepted():
    image = message("mono8", GREY8)
    image.data.frombytes(b"more")
    assert image_view(image).array.tolist() == GREY8


# Writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", PIXELS)
def test_a_written_message_holds_the_very_bytes(encoding):
    pixels = np.array(PIXELS[encoding][1], ENCODINGS[encoding][0])
    header = Header(frame_id="camera")
    image = array_to_image(pixels, header, encoding)
    native = message(encoding, PIXELS[encoding][1], big=int(sys.byteorder == "big"))
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
    view = image_view(array_to_image(pixels, Header(), encoding))
    np.testing.assert_array_equal(view.array, pixels)


@given(
    pixels=npst.arrays(
        st.sampled_from([np.uint8, np.uint16]), npst.array_shapes(min_dims=2, max_dims=2)
    ),
    padding=st.integers(0, 5),
    big=st.booleans(),
)
def test_round_trip_over_foreign_layouts(pixels, padding, big):
    encoding = "mono8" if pixels.itemsize == 1 else "mono16"
    image = message(encoding, pixels.tolist(), big=int(big), padding=padding)
    np.testing.assert_array_equal(thermal_array(image_view(image)), pixels)


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


# Bad messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason", "named"),
    [
        ({"encoding": "yuv999"}, "unknown_encoding", "'yuv999'"),
        ({"encoding": ""}, "unknown_encoding", "''"),
        ({"width": 0}, "zero_size", "0x2"),
        ({"height": 0}, "zero_size", "2x0"),
        ({"step": 3}, "step_too_small", "3 bytes.*at least 4"),
        ({"step": 0}, "step_too_small", "0 bytes"),
        ({"width": 3}, "step_too_small", "at least 6"),
        ({"encoding": "32FC1"}, "step_too_small", "at least 8"),
        ({"height": 3}, "data_too_short", "8 bytes of data: expected 12"),
        ({"step": 5}, "data_too_short", "expected 10"),
        ({"data": array.array("B", [1] * 7)}, "data_too_short", "7 bytes"),
        ({"data": array.array("B")}, "data_too_short", "0 bytes"),
    ],
)
def test_a_bad_message_is_refused_with_its_reason(changes, reason, named):
    image = message("mono16", GREY16)
    for name, value in changes.items():
        setattr(image, name, value)
    with pytest.raises(InputError, match=named) as caught:
        image_view(image)
    assert caught.value.reason == reason


def test_absurd_sizes_are_refused_without_allocating():
    image = message("bgr8", COLOUR)
    image.width = image.height = image.step = 2**32 - 1
    for step, reason in ((2**32 - 1, "step_too_small"), (0, "step_too_small")):
        image.step = step
        with pytest.raises(InputError) as caught:
            image_view(image)
        assert caught.value.reason == reason
    image.width, image.step = 1, 2**32 - 1
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        image_view(image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "data_too_short"
    assert peak < 100_000


@given(
    width=st.integers(0, 2**32 - 1) | st.integers(0, 8),
    height=st.integers(0, 2**32 - 1) | st.integers(0, 8),
    step=st.integers(0, 2**32 - 1) | st.integers(0, 40),
    big=st.integers(0, 255),
    encoding=st.sampled_from(sorted(ENCODINGS)) | st.text(max_size=8),
    data=st.binary(max_size=200),
)
def test_any_message_gives_a_view_of_its_data_or_an_input_error(
    width, height, step, big, encoding, data
):
    image = SimpleNamespace(
        width=width, height=height, step=step, is_bigendian=big, encoding=encoding, data=data
    )
    try:
        view = image_view(image)
    except InputError as error:
        assert error.reason in ("unknown_encoding", "zero_size", "step_too_small", "data_too_short")
        return
    assert view.array.shape[:2] == (height, width)
    view.array.sum()  # reads every pixel
    for convert in (thermal_array, visible_array):
        try:
            assert convert(view).shape[:2] == (height, width)
        except InputError as error:
            assert error.reason in ("colour_thermal", "visible_encoding")


@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_thermal_pixel_that_is_not_finite_is_left_to_the_repair(bad, big):
    view = image_view(message("32FC1", [[20.0, bad], [21.0, 22.0]], big=big))
    np.testing.assert_array_equal(thermal_array(view), np.float32([[20.0, bad], [21.0, 22.0]]))


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "8UC3", "rgba8", "bgra8"])
def test_a_thermal_palette_is_refused_and_grey_in_colour_channels_is_taken(encoding):
    with pytest.raises(InputError, match="mono16") as caught:
        thermal_array(image_view(message(encoding, PIXELS[encoding][1])))
    assert caught.value.reason == "colour_thermal"
    alpha = (7,) if "a8" in encoding else ()
    grey = [[(value, value, value, *alpha) for value in row] for row in GREY8]
    thermal = thermal_array(image_view(message(encoding, grey)))
    np.testing.assert_array_equal(thermal, np.array(GREY8, np.uint8))
    assert thermal.flags.c_contiguous


@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "32FC1"])
def test_a_visible_image_of_16_bits_or_floats_is_refused(encoding):
    with pytest.raises(InputError, match=f"{encoding}.*swapped") as caught:
        visible_array(image_view(message(encoding, PIXELS[encoding][1])))
    assert caught.value.reason == "visible_encoding"


# cv_bridge ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", PIXELS)
def test_equals_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    image = message(encoding, PIXELS[encoding][1])
    bridge = cv_bridge.CvBridge()
    np.testing.assert_array_equal(image_view(image).array, bridge.imgmsg_to_cv2(image))
    if encoding in ("rgb8", "bgr8", "rgba8", "bgra8"):
        expected = bridge.imgmsg_to_cv2(image, "bgr8")
        np.testing.assert_array_equal(visible_array(image_view(image)), expected)
    pixels = np.array(PIXELS[encoding][1], ENCODINGS[encoding][0])
    assert array_to_image(pixels, Header(), encoding).data == bridge.cv2_to_imgmsg(
        pixels, encoding
    ).data
