"""CompressedImage messages: what is read of them at once, what is decoded, what is refused."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.pipeline.compressed import (
    MAX_PIXELS,
    Format,
    announced_size,
    compressed_view,
    parse_format,
)
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array

# 48 wide, 32 high; smooth, so that JPEG keeps it nearly, with a blue, a green and a red field.
COLOUR = np.zeros((32, 48, 3), np.uint8)
COLOUR[:, :16], COLOUR[:, 16:32], COLOUR[:, 32:] = (200, 20, 10), (10, 180, 30), (20, 30, 220)
GREY = np.arange(32 * 48, dtype=np.uint16).reshape(32, 48)
COUNTS = GREY * 40 + 3000
REASONS = {
    "compressed_depth", "compressed_format", "compressed_mismatch", "data_too_short",
    "size_for_encoding", "too_large", "undecodable", "zero_size",
}  # fmt: skip


def encoded(pixels, codec):
    done, data = cv2.imencode(f".{codec}", pixels)
    assert done
    return data.tobytes()


def message(data, told=""):
    return SimpleNamespace(format=told, data=data)


def refused(reason, data, told="", match=""):
    with pytest.raises(InputError, match=match or None) as caught:
        compressed_view(message(data, told)).decoded()
    assert caught.value.reason == reason


JPEG, PNG = encoded(COLOUR, "jpg"), encoded(COLOUR, "png")


@pytest.mark.parametrize(
    ("text", "encoding", "rgb"),
    [
        ("jpeg", "", False), ("png", "", False), ("", "", False), ("jpg; whatever", "", False),
        ("bgr8; jpeg compressed bgr8", "bgr8", False),
        ("rgb8; jpeg compressed bgr8", "rgb8", False),
        ("rgb8;jpeg compressed rgb8", "rgb8", True),
        ("rgb8; jpeg compressed ", "rgb8", True),
        ("bgra8; png compressed bgr8", "bgra8", False),
        ("mono8; jpeg compressed ", "mono8", False),
        ("16UC1; png compressed ", "16UC1", False),
        ("bayer_rggb8; png compressed ", "bayer_rggb8", False),
    ],
)  # fmt: skip
def test_the_format_is_read_as_image_transport_writes_it(text, encoding, rgb):
    assert parse_format(text) == Format(encoding, rgb)


@pytest.mark.parametrize("wrap", [bytes, bytearray, lambda b: memoryview(b), np.frombuffer])
def test_a_view_is_made_without_copying_or_decoding(wrap):
    data = np.frombuffer(PNG, np.uint8) if wrap is np.frombuffer else wrap(PNG)
    view = compressed_view(message(data, "bgr8; png compressed bgr8"))
    assert (view.width, view.height) == (48, 32)
    assert np.shares_memory(view.data, np.frombuffer(data, np.uint8))


def test_png_gives_the_very_pixels():
    for told in ("png", "bgr8; png compressed bgr8", "rgb8; png compressed bgr8", ""):
        view = compressed_view(message(PNG, told))
        np.testing.assert_array_equal(visible_array(view), COLOUR)
    swapped = compressed_view(message(PNG, "rgb8; png compressed rgb8"))
    np.testing.assert_array_equal(visible_array(swapped), COLOUR[..., ::-1])


@pytest.mark.parametrize("told", ["jpeg", "bgr8; jpeg compressed bgr8", "png"])
def test_jpeg_gives_nearly_the_pixels_whatever_the_format_calls_it(told):
    view = compressed_view(message(JPEG, told))
    assert (view.width, view.height) == (48, 32)
    visible = visible_array(view)
    assert visible.shape == COLOUR.shape and visible.flags.c_contiguous
    for column in (4, 24, 44):
        assert np.abs(visible[16, column].astype(int) - COLOUR[16, column]).max() <= 12
    swapped = visible_array(compressed_view(message(JPEG, "bgr8; jpeg compressed rgb8")))
    np.testing.assert_array_equal(swapped, visible[..., ::-1])


@pytest.mark.parametrize("codec", ["jpg", "png"])
def test_grey_stays_grey(codec):
    pixels = (GREY // 8).astype(np.uint8)
    for told in (codec, f"mono8; {codec} compressed "):
        view = compressed_view(message(encoded(pixels, codec), told))
        for convert in (visible_array, thermal_array):
            assert convert(view).dtype == np.uint8
            assert np.abs(convert(view).astype(int) - pixels).max() <= (4 if codec == "jpg" else 0)


@pytest.mark.parametrize("told", ["png", "16UC1; png compressed ", "mono16; png compressed "])
def test_16_bit_png_keeps_every_bit_of_a_thermal_image(told):
    thermal = thermal_array(compressed_view(message(encoded(COUNTS, "png"), told)))
    assert thermal.dtype == np.uint16 and thermal.flags.c_contiguous
    np.testing.assert_array_equal(thermal, COUNTS)


def test_16_bit_colour_becomes_8_bit():
    pixels = COLOUR.astype(np.uint16) * 257
    view = compressed_view(message(encoded(pixels, "png"), "rgb16; png compressed bgr16"))
    np.testing.assert_array_equal(visible_array(view), COLOUR)


def test_alpha_is_left_out():
    pixels = np.dstack([COLOUR, np.full(COLOUR.shape[:2], 7, np.uint8)])
    for told, expected in (("png", COLOUR), ("rgba8; png compressed rgb8", COLOUR[..., ::-1])):
        view = compressed_view(message(encoded(pixels, "png"), told))
        np.testing.assert_array_equal(visible_array(view), expected)


def test_a_bayer_mosaic_is_demosaiced_after_decoding():
    rows = np.zeros((8, 8), np.uint8)
    rows[::2, ::2], rows[1::2, 1::2] = 200, 50
    rows[::2, 1::2] = rows[1::2, ::2] = 100
    view = compressed_view(message(encoded(rows, "png"), "bayer_rggb8; png compressed "))
    assert (visible_array(view) == (50, 100, 200)).all()
    small = encoded(rows[:2, :2], "png")
    refused("size_for_encoding", small, "bayer_rggb8; png compressed ", "3x3")


def test_a_colour_palette_is_no_thermal_image():
    with pytest.raises(InputError, match="coloured") as caught:
        thermal_array(compressed_view(message(PNG, "png")))
    assert caught.value.reason == "colour_thermal"


# Refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told", ["16UC1; compressedDepth png", "32FC1; compressedDepth rvl", "16UC1; compressedDepth"]
)
def test_compressed_depth_is_refused_with_what_to_do(told):
    data = bytes(12) + encoded(COUNTS, "png")  # behind its header is a PNG
    refused("compressed_depth", data, told, "inverse depth.*format png")


@pytest.mark.parametrize("told", ["16UC1; jpeg compressed ", "mono16; jpeg compressed "])
def test_16_bits_that_jpeg_cut_to_8_are_refused(told):
    data = encoded((GREY // 8).astype(np.uint8), "jpg")
    refused("compressed_mismatch", data, told, "said to be .*16.* holds 8-bit grey")
    refused("compressed_mismatch", JPEG, told, "holds 8-bit colour")


def test_floats_cannot_be_compressed():
    refused("compressed_mismatch", encoded(COUNTS, "png"), "32FC1; png compressed ", "raw")


@pytest.mark.parametrize("data", [b"", b"\0", b"RIFF0000WEBP", b"II*\0" + bytes(40), b"\xff\xd8"])
def test_what_is_neither_jpeg_nor_png_is_refused(data):
    refused("compressed_format", data, "tiff", "'tiff'.*neither JPEG nor PNG")


@pytest.mark.parametrize("whole", [JPEG, PNG], ids=["jpeg", "png"])
def test_an_image_that_was_cut_is_refused_wherever_it_was(whole):
    for length in range(3, len(whole) - 1):
        with pytest.raises(InputError) as caught:
            compressed_view(message(whole[:length])).decoded()
        assert caught.value.reason in ("data_too_short", "undecodable", "compressed_format")
    refused("data_too_short", whole[: len(whole) * 3 // 4], match="cut short")


def test_zeros_behind_a_jpeg_do_no_harm():
    view = compressed_view(message(JPEG + bytes(100), "jpeg"))
    np.testing.assert_array_equal(view.decoded().array, cv2.imdecode(np.frombuffer(JPEG, "u1"), -1))


def test_a_damaged_png_is_refused_by_its_checksum():
    damaged = bytearray(PNG)
    damaged[len(PNG) // 2] ^= 1
    refused("undecodable", bytes(damaged), match="checksum")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_header(width, height):
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)


def jpeg_header(width, height, before=b""):
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8" + before + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame


@pytest.mark.parametrize(
    "data",
    [
        png_header(60000, 60000) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""),
        png_header(2**31 - 1, 2**31 - 1),
        jpeg_header(65535, 65535) + b"\xff\xd9",
    ],
    ids=["png", "png-2**31", "jpeg"],
)
def test_a_bomb_is_refused_before_anything_is_allocated(data):
    tracemalloc.start()
    with pytest.raises(InputError, match=f"at most {MAX_PIXELS}") as caught:
        compressed_view(message(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "too_large" and peak < 100_000


def test_the_announced_size():
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 5) + b"hello"
    assert announced_size(jpeg_header(640, 480, comment * 10)) == (640, 480)
    assert announced_size(jpeg_header(640, 480, b"\xff\xff\xff" + comment)) == (640, 480)
    assert announced_size(png_header(8192, 8192)) == (8192, 8192)
    for header in (jpeg_header(0, 480), png_header(640, 0)):
        refused("zero_size", header)
    for header in (
        jpeg_header(640, 480, comment * 1000),  # a header that does not end
        b"\xff\xd8\xff\xda\x00\x02" + bytes(50), b"\xff\xd8" + b"\xff" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(40),
    ):  # fmt: skip
        refused("undecodable", header, match="header is missing")


def test_a_picture_of_another_size_than_announced_is_refused():
    view = compressed_view(message(PNG))
    object.__setattr__(view, "height", 31)
    with pytest.raises(InputError, match="announces 48x31.*holds 48x32"):
        view.decoded()


@settings(max_examples=150)
@given(data=st.data(), whole=st.sampled_from([JPEG, PNG]), told=st.text(max_size=30))
def test_any_data_give_an_image_or_an_input_error(data, whole, told):
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    length = data.draw(st.integers(0, len(broken)))
    broken = bytes(broken[:length]) + data.draw(st.binary(max_size=9))
    try:
        view = compressed_view(message(broken, told))
        image = view.decoded().array
    except InputError as error:
        assert error.reason in REASONS
    else:
        assert image.shape[:2] == (view.height, view.width)
