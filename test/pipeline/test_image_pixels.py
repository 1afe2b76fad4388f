"""Pixels of views for the network: in both byte orders, with padded rows, of every encoding."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array
from egmt_ros.pipeline.image_view import BAYER, ENCODINGS, PACKED_YUV, PLANAR_YUV, image_view

sys.path.insert(0, str(Path(__file__).parent))
from image_messages import (  # noqa: E402
    COLOUR,
    COLOUR16,
    EIGHT_BIT_COLOUR,
    FLOAT,
    GREY8,
    GREY16,
    PADDING,
    PIXELS,
    SIGNED,
    SIXTEEN_BIT_COLOUR,
    channels,
    chroma_shape,
    message,
    plain_message,
    yuv_message,
)


def memory(image):
    return np.frombuffer(image.data, np.uint8)


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
@pytest.mark.parametrize("encoding", EIGHT_BIT_COLOUR)
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


@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_thermal_pixel_that_is_not_finite_is_left_to_the_repair(bad, big):
    view = image_view(message("32FC1", [[20.0, bad], [21.0, 22.0]], big=big))
    np.testing.assert_array_equal(thermal_array(view), np.float32([[20.0, bad], [21.0, 22.0]]))


@pytest.mark.parametrize("encoding", EIGHT_BIT_COLOUR)
def test_a_thermal_palette_is_refused_and_grey_in_colour_channels_is_taken(encoding):
    with pytest.raises(InputError, match="mono16") as caught:
        thermal_array(image_view(message(encoding, PIXELS[encoding][1])))
    assert caught.value.reason == "colour_thermal"
    alpha = (7,) if "4B" in PIXELS[encoding] else ()
    grey = [[(value, value, value, *alpha) for value in row] for row in GREY8]
    thermal = thermal_array(image_view(message(encoding, grey)))
    np.testing.assert_array_equal(thermal, np.array(GREY8, np.uint8))
    assert thermal.flags.c_contiguous


NOT_VISIBLE = ["16UC1", "8UC2", "16UC2", *(e for e in ENCODINGS if e[:-1].endswith(("SC", "FC")))]


@pytest.mark.parametrize("encoding", NOT_VISIBLE)
def test_a_visible_image_of_counts_or_floats_is_refused_by_name(encoding):
    with pytest.raises(InputError, match=f"{encoding}.*swapped") as caught:
        visible_array(image_view(message(encoding, PIXELS[encoding][1])))
    assert caught.value.reason == "visible_encoding"


NOT_THERMAL = [
    "8SC1", "32SC1",
    *(e for e in ENCODINGS if e.endswith("C2") or (e[:-1].endswith(("SC", "FC")) and e[-1] != "1")),
]  # fmt: skip


@pytest.mark.parametrize("encoding", NOT_THERMAL)
def test_a_thermal_image_of_a_type_that_no_camera_has_is_refused_by_name(encoding):
    with pytest.raises(InputError, match=f"{encoding}.*swapped") as caught:
        thermal_array(image_view(message(encoding, PIXELS[encoding][1])))
    assert caught.value.reason == "thermal_type"


def test_every_other_encoding_is_taken_on_either_side():
    for convert, refused in ((thermal_array, NOT_THERMAL), (visible_array, NOT_VISIBLE)):
        for encoding in set(ENCODINGS) - set(refused):
            rows = channels(ENCODINGS[encoding][1], [[1, 2], [3, 4]])
            assert convert(image_view(message(encoding, rows))).shape[:2] == (2, 2), encoding


# More bits, more types --------------------------------------------------------------------------


def scaled(values):
    """16 bits to 8 by the stated rule, in whole numbers: 65535 / 255 is 257, which is odd."""
    return ((np.asarray(values, np.int64) + 128) // 257).astype(np.uint8)


@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize("encoding", SIXTEEN_BIT_COLOUR)
def test_16_bit_colour_becomes_8_bit_blue_green_red(encoding, big, padding):
    image = message(encoding, PIXELS[encoding][1], big=big, padding=padding)
    visible = visible_array(image_view(image))
    colours = scaled(COLOUR16)
    assert colours[0, 0].tolist() == [1, 2, 3] and colours[1, 0].tolist() == [1, 1, 2]
    np.testing.assert_array_equal(visible, colours[..., ::-1] if "rgb" in encoding else colours)
    assert visible.dtype == np.uint8 and visible.flags.c_contiguous


@pytest.mark.parametrize("big", [0, 1])
def test_every_16_bit_grey_value_becomes_the_nearest_8_bit_one(big):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    visible = visible_array(image_view(message("mono16", values.tolist(), big=big)))
    np.testing.assert_array_equal(visible, scaled(values))
    assert (visible.min(), visible.max()) == (0, 255)


@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("big", [0, 1])
@pytest.mark.parametrize(("encoding", "rows"), [("16SC1", SIGNED), ("64FC1", FLOAT)])
def test_signed_and_double_thermal_images_become_float(encoding, rows, big, padding):
    thermal = thermal_array(image_view(message(encoding, rows, big=big, padding=padding)))
    assert thermal.dtype == np.float32 and thermal.dtype.isnative and thermal.flags.c_contiguous
    np.testing.assert_array_equal(thermal, np.float32(rows))


@pytest.mark.parametrize("encoding", SIXTEEN_BIT_COLOUR)
def test_16_bit_grey_in_colour_channels_keeps_its_bits(encoding):
    grey = channels(ENCODINGS[encoding][1], GREY16)
    thermal = thermal_array(image_view(message(encoding, grey, big=1)))
    assert thermal.dtype == np.uint16
    np.testing.assert_array_equal(thermal, np.uint16(GREY16))
    with pytest.raises(InputError, match="coloured"):
        thermal_array(image_view(message(encoding, PIXELS[encoding][1])))


# Bayer ------------------------------------------------------------------------------------------


def mosaic(pattern, colour, shape):
    """What a sensor with this pattern sees of one colour, {"r": ..., "g": ..., "b": ...}."""
    rows = np.zeros(shape, np.uint16)
    for place, filtered in enumerate(pattern):
        rows[place // 2 :: 2, place % 2 :: 2] = colour[filtered]
    return rows


@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (3, 3)])
@pytest.mark.parametrize("padding", PADDING)
@pytest.mark.parametrize("encoding", BAYER)
def test_bayer_gives_back_the_colour_that_its_pattern_saw(encoding, padding, shape):
    kind, pattern = BAYER[encoding]
    colour = {"r": 200, "g": 100, "b": 50}
    rows = mosaic(pattern, colour, shape).astype(kind) * kind.type(1 if kind.itemsize == 1 else 257)
    for big in (0, 1):
        image = plain_message(encoding, rows, big=big, padding=padding)
        view = image_view(image)
        assert np.shares_memory(view.array, memory(image))
        visible = visible_array(view)
        assert visible.dtype == np.uint8 and visible.shape == (*shape, 3)
        np.testing.assert_array_equal(visible, np.broadcast_to([50, 100, 200], visible.shape))


def test_bayer_patterns_are_named_by_their_first_row():
    # One red pixel is lit; where the pattern has it, the picture is red.
    rows = np.zeros((8, 8), np.uint8)
    rows[2, 3] = 255
    blue, green, red = visible_array(image_view(plain_message("bayer_grbg8", rows)))[2, 3]
    assert (blue, green, red) == (0, 0, 255)


@pytest.mark.parametrize("encoding", BAYER)
def test_bayer_is_no_thermal_image_and_needs_neighbours(encoding):
    kind = BAYER[encoding][0]
    with pytest.raises(InputError, match=encoding) as caught:
        thermal_array(image_view(plain_message(encoding, np.zeros((4, 4), kind))))
    assert caught.value.reason == "thermal_type"
    for shape in ((2, 8), (8, 2), (1, 1)):
        with pytest.raises(InputError, match="3x3") as caught:
            image_view(plain_message(encoding, np.zeros(shape, kind)))
        assert caught.value.reason == "size_for_encoding"


# YUV --------------------------------------------------------------------------------------------


def bt601(y, u, v):
    """ITU-R BT.601 with luma 16..235 and chroma 16..240: B, G, R."""
    y, u, v = 255 / 219 * (max(y, 16) - 16), (u - 128) * 255 / 112, (v - 128) * 255 / 112
    green = y - 0.114 / 0.587 * 0.886 * u - 0.299 / 0.587 * 0.701 * v
    return np.clip([y + 0.886 * u, green, y + 0.701 * v], 0, 255)


@given(
    encoding=st.sampled_from([*PACKED_YUV, *PLANAR_YUV]),
    y=st.integers(0, 255), u=st.integers(0, 255), v=st.integers(0, 255), padding=st.integers(0, 5),
)  # fmt: skip
def test_yuv_of_one_colour_is_that_colour(encoding, y, u, v, padding):
    luma = np.full((4, 6), y, np.uint8)
    chroma = np.empty(chroma_shape(encoding, 4, 6), np.uint8)
    chroma[...] = u, v
    image = yuv_message(encoding, luma, chroma, padding)
    view = image_view(image)
    assert np.shares_memory(view.array, memory(image))
    visible = visible_array(view)
    assert visible.dtype == np.uint8 and visible.shape == (4, 6, 3)
    assert visible.flags.c_contiguous and (visible == visible[0, 0]).all()
    assert np.abs(visible[0, 0] - bt601(y, u, v)).max() <= 2


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("encoding", [*PACKED_YUV, *PLANAR_YUV])
def test_each_pixel_has_its_own_luma_and_its_own_colour(encoding, padding):
    luma = np.arange(16, 16 + 8 * 24, 8, dtype=np.uint8).reshape(4, 6)
    chroma = np.full(chroma_shape(encoding, 4, 6), 128, np.uint8)
    chroma[-1, -1] = 90, 200  # only the lower right corner has a colour
    visible = visible_array(image_view(yuv_message(encoding, luma, chroma, padding)))
    across, down = (2, 1) if encoding in PACKED_YUV else PLANAR_YUV[encoding]
    for row in range(4):
        for column in range(6):
            corner = row >= 4 - down and column >= 6 - across
            expected = bt601(int(luma[row, column]), *((90, 200) if corner else (128, 128)))
            assert np.abs(visible[row, column] - expected).max() <= 2, (row, column)


@pytest.mark.parametrize("encoding", [*PACKED_YUV, *PLANAR_YUV])
def test_thermal_yuv_without_colour_is_its_luma_and_with_colour_refused(encoding):
    luma = np.arange(24, dtype=np.uint8).reshape(4, 6)
    chroma = np.full(chroma_shape(encoding, 4, 6), 128, np.uint8)
    chroma[0, 0, 0] = 127
    thermal = thermal_array(image_view(yuv_message(encoding, luma, chroma, padding=3)))
    np.testing.assert_array_equal(thermal, luma)
    assert thermal.flags.c_contiguous
    chroma[0, 0, 1] = 150
    with pytest.raises(InputError, match=f"coloured.*{encoding}") as caught:
        thermal_array(image_view(yuv_message(encoding, luma, chroma)))
    assert caught.value.reason == "colour_thermal"
