"""Views of image messages: the values, in the memory of the message, or an error with a reason."""

from __future__ import annotations

import array
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array
from egmt_ros.pipeline.image_view import BAYER, ENCODINGS, PACKED_YUV, PLANAR_YUV, image_view

sys.path.insert(0, str(Path(__file__).parent))
from image_messages import COLOUR, GREY8, GREY16, PADDING, PIXELS, message  # noqa: E402


def memory(image):
    return np.frombuffer(image.data, np.uint8)


EVERY = sorted([*ENCODINGS, *BAYER, *PACKED_YUV, *PLANAR_YUV])
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
    encoding=st.sampled_from(EVERY) | st.text(max_size=8),
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
        assert error.reason in (
            "unknown_encoding", "zero_size", "size_for_encoding", "step_too_small",
            "data_too_short",
        )  # fmt: skip
        return
    assert view.array.shape[:2] == (height, width)
    assert np.may_share_memory(view.array, np.frombuffer(data, np.uint8))
    view.array.tobytes()  # reads every pixel
    for convert in (thermal_array, visible_array):
        try:
            assert convert(view).shape[:2] == (height, width)
        except InputError as error:
            assert error.reason in ("colour_thermal", "thermal_type", "visible_encoding")


@pytest.mark.parametrize("encoding", [*PACKED_YUV, "nv12", "nv21"])
def test_yuv_of_odd_size_is_refused(encoding):
    data = array.array("B", bytes(200))
    sizes = [(5, 4)] if encoding in PACKED_YUV else [(5, 4), (4, 5)]
    for width, height in sizes:
        image = SimpleNamespace(
            width=width, height=height, encoding=encoding, is_bigendian=0, step=10, data=data
        )
        with pytest.raises(InputError, match=f"{width}x{height}.*even width") as caught:
            image_view(image)
        assert caught.value.reason == "size_for_encoding"


@pytest.mark.parametrize(("encoding", "needed"), [("nv12", 24), ("nv21", 24), ("nv24", 48)])
def test_planar_yuv_needs_its_second_plane(encoding, needed):
    fields = dict(width=4, height=4, step=4, is_bigendian=0, encoding=encoding)
    image_view(SimpleNamespace(data=bytes(needed), **fields))
    with pytest.raises(InputError, match=f"expected {needed}") as caught:
        image_view(SimpleNamespace(data=bytes(needed - 1), **fields))
    assert caught.value.reason == "data_too_short"
