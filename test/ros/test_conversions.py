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
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array
from egmt_ros.pipeline.image_view import BAYER, ENCODINGS, PACKED_YUV, PLANAR_YUV, image_view
from egmt_ros.ros.conversions import array_to_image

Image = pytest.importorskip("sensor_msgs.msg").Image
Header = pytest.importorskip("std_msgs.msg").Header

# What two rows of two pixels hold, channel by channel as the encoding orders them.
GREY8 = [[0, 1], [127, 255]]
GREY16 = [[0, 1], [258, 65535]]
FLOAT = [[-273.5, 0.0], [36.6, 1e30]]
COLOUR = [[(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (250, 251, 252)]]
COLOUR_ALPHA = [[(1, 2, 3, 99), (4, 5, 6, 0)], [(7, 8, 9, 255), (250, 251, 252, 1)]]
SIGNED = [[-128, -1], [0, 127]]
COLOUR16 = [[(257, 514, 771), (0, 65535, 128)], [(129, 385, 386), (1, 2, 3)]]
COLOUR_ALPHA16 = [[(*pixel, 99) for pixel in row] for row in COLOUR16]


def channels(count, rows):
    """The same value in so many channels of each pixel."""
    return rows if count == 1 else [[(value,) * count for value in row] for row in rows]


PIXELS = {
    "mono8": ("B", GREY8), "mono16": ("H", GREY16),
    "rgb8": ("3B", COLOUR), "bgr8": ("3B", COLOUR),
    "rgba8": ("4B", COLOUR_ALPHA), "bgra8": ("4B", COLOUR_ALPHA),
    "rgb16": ("3H", COLOUR16), "bgr16": ("3H", COLOUR16),
    "rgba16": ("4H", COLOUR_ALPHA16), "bgra16": ("4H", COLOUR_ALPHA16),
    **{
        f"{name}C{count}": (f"{count}{code}", channels(count, rows))
        for name, code, rows in (
            ("8U", "B", GREY8), ("8S", "b", SIGNED), ("16U", "H", GREY16), ("16S", "h", SIGNED),
            ("32S", "i", SIGNED), ("32F", "f", FLOAT), ("64F", "d", FLOAT),
        )
        for count in range(1, 5)
    },
    "8UC3": ("3B", COLOUR), "8UC4": ("4B", COLOUR_ALPHA),
    "16UC3": ("3H", COLOUR16), "16UC4": ("4H", COLOUR_ALPHA16),
}  # fmt: skip
PADDING = [0, 1, 6]
EIGHT_BIT_COLOUR = ["rgb8", "bgr8", "8UC3", "rgba8", "bgra8", "8UC4"]
SIXTEEN_BIT_COLOUR = ["rgb16", "bgr16", "16UC3", "rgba16", "bgra16", "16UC4"]


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


def plain_message(encoding, rows, *, big=0, padding=0):
    """An Image of an array of one value a pixel."""
    data = rows.astype(rows.dtype.newbyteorder(">" if big else "<"))
    image = Image(height=rows.shape[0], width=rows.shape[1], encoding=encoding, is_bigendian=big)
    image.step = rows.shape[1] * rows.itemsize + padding
    image.data.frombytes(b"".join(row.tobytes() + b"\xa5" * padding for row in data))
    return image


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


def yuv_message(encoding, luma, chroma, padding=0):
    """An Image of luma HxW and chroma (U, V) of the size that the encoding has, by hand."""
    height, width = luma.shape
    lines = []
    if encoding in PACKED_YUV:
        for y, uv in zip(luma.tolist(), chroma.tolist(), strict=True):
            pairs = [(y[2 * i], y[2 * i + 1], *uv[i]) for i in range(width // 2)]
            if PACKED_YUV[encoding]:
                lines += [bytes(v for y0, y1, u, w in pairs for v in (u, y0, w, y1))]
            else:
                lines += [bytes(v for y0, y1, u, w in pairs for v in (y0, u, y1, w))]
        step = 2 * width + padding
        data = b"".join(line + b"\xa5" * padding for line in lines)
    else:
        step = width + padding
        planes = chroma[..., ::-1] if encoding == "nv21" else chroma
        data = b"".join(row.tobytes() + b"\xa5" * padding for row in luma)
        of_chroma = 2 * padding if encoding == "nv24" else padding
        data += b"".join(row.tobytes() + b"\xa5" * of_chroma for row in planes)
    image = Image(height=height, width=width, encoding=encoding, step=step)
    image.data.frombytes(data)
    return image


def chroma_shape(encoding, height, width):
    across, down = (2, 1) if encoding in PACKED_YUV else PLANAR_YUV[encoding]
    return height // down, width // across, 2


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


@pytest.mark.parametrize("encoding", [*PACKED_YUV, "nv12", "nv21"])
def test_yuv_of_odd_size_is_refused(encoding):
    data = array.array("B", bytes(200))
    sizes = [(5, 4)] if encoding in PACKED_YUV else [(5, 4), (4, 5)]
    for width, height in sizes:
        image = Image(width=width, height=height, encoding=encoding, step=10, data=data)
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


# cv_bridge ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", PIXELS)
def test_equals_cv_bridge(encoding):
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    image = message(encoding, PIXELS[encoding][1])
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
        image = plain_message(encoding, rng.integers(0, np.iinfo(kind).max, (8, 8)).astype(kind))
    else:
        luma = rng.integers(16, 236, (8, 8), np.uint8)
        chroma = rng.integers(16, 241, chroma_shape(encoding, 8, 8), np.uint8)
        image = yuv_message(encoding, luma, chroma)
    try:
        expected = cv_bridge.CvBridge().imgmsg_to_cv2(image, "bgr8")
    except cv_bridge.CvBridgeError as error:
        pytest.skip(f"this cv_bridge does not read {encoding}: {error}")
    np.testing.assert_array_equal(visible_array(image_view(image)), expected)
