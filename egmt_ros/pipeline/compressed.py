"""sensor_msgs/CompressedImage: JPEG and PNG, as image_transport's plugin `compressed` sends them.

`compressed_view` is made for the callback: it reads the first bytes only. Decoding is left to the
worker. What others encode is told by the data themselves, not by the field `format`, which drivers
fill as they like.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_view import BAYER, ENCODINGS, ImageView, check_size

# The most pixels that are decoded, just above an 8K picture (7680x4320): a few hundred bytes can
# announce a hundred times as many.
MAX_PIXELS = 2**25

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"

# Segments before the picture of a JPEG; cameras write about ten.
_MAX_SEGMENTS = 500


class Format(NamedTuple):
    """What the field `format` says.

    Attributes:
        encoding: Of the image before it was compressed; empty: not said, or not known here.
        rgb: Whether red and blue are swapped in the data (old publishers; see `parse_format`).
    """

    encoding: str
    rgb: bool


def parse_format(text: str) -> Format:
    """Read `<encoding>; <codec> compressed [<order>]`, or anything else that drivers write.

    As image_transport's subscriber has it, the data of a colour image are in the order of
    OpenCV only if `compressed bgr` is said; "jpeg" or "png" alone mean so as well.

    Raises:
        InputError: reason `compressed_depth`.
    """
    if "compresseddepth" in text.lower():
        raise InputError(
            f"image has the format {text!r}: compressedDepth holds quantised inverse depth, from"
            " which the camera's values cannot be had; publish by the transport `compressed` with"
            " format png (16-bit grey stays exact), or raw",
            "compressed_depth",
        )
    head, told, rest = text.partition(";")
    encoding = head.strip()
    if not told or (encoding not in ENCODINGS and encoding not in BAYER):
        return Format("", rgb=False)
    coloured = encoding.startswith(("rgb", "bgr"))
    return Format(encoding, rgb=coloured and "compressed bgr" not in rest)


@dataclass(frozen=True, eq=False)
class CompressedView:
    """A compressed image, in the message's own memory.

    Attributes:
        data: Bytes, uint8.
        format: What its field `format` says.
        width, height: Announced by the data, pixels.
    """

    data: np.ndarray
    format: Format
    width: int
    height: int

    def decoded(self) -> ImageView:
        """Decode it. Takes milliseconds.

        Raises:
            InputError: reasons `data_too_short`, `undecodable`, `compressed_mismatch` (what was
                said to have 16 bits has 8: the rest is lost), `size_for_encoding`.
        """
        data = self.data
        if bytes(data[:3]) == _JPEG:
            _check_jpeg_end(data)
        else:
            _check_png(memoryview(data))
        try:
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        except cv2.error as error:
            raise _undecodable(str(error.err)) from error
        if image is None:
            raise _undecodable("its contents are damaged")
        if image.shape[:2] != (self.height, self.width):
            raise _undecodable(
                f"it announces {self.width}x{self.height} pixels and holds"
                f" {image.shape[1]}x{image.shape[0]}"
            )
        view = ImageView(image, _encoding_of(image, self.format))
        check_size(view.encoding, self.width, self.height)
        return view


def compressed_view(message: Any) -> CompressedView:
    """A view of a compressed image message, made without copying.

    Args:
        message: sensor_msgs/CompressedImage, or any object with its `format` and a buffer `data`.

    Raises:
        InputError: reasons `compressed_depth`, `compressed_format`, `undecodable`, `zero_size`,
            `too_large`.
    """
    told = parse_format(message.format)
    width, height = announced_size(message.data, message.format)
    if width == 0 or height == 0:
        raise InputError(f"compressed image is {width}x{height}: expected a pixel", "zero_size")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"compressed image announces {width}x{height} pixels: expected at most {MAX_PIXELS};"
            " have the driver send a smaller one",
            "too_large",
        )
    return CompressedView(np.frombuffer(message.data, np.uint8), told, width, height)


def announced_size(data: Any, told: str = "") -> tuple[int, int]:
    """Width and height in pixels, from the header of JPEG or PNG data; 0 where it says so.

    Args:
        data: A buffer of bytes.
        told: The field `format`, for the error.

    Raises:
        InputError: reasons `compressed_format` (neither JPEG nor PNG), `undecodable`.
    """
    head = memoryview(data).cast("B")
    if head[:3] == _JPEG:
        return _jpeg_size(head)
    if head[:8] == _PNG:
        if len(head) < 24 or head[12:16] != b"IHDR":
            raise _undecodable("its PNG header is missing")
        return _number(head[16:20]), _number(head[20:24])
    raise InputError(
        f"compressed image (format {told!r}, {len(head)} bytes) is neither JPEG nor PNG: expected"
        " one of them; set the publisher's format to jpeg or png, or use the transport raw",
        "compressed_format",
    )


def _jpeg_size(data: memoryview) -> tuple[int, int]:
    """From the frame header (ITU-T T.81, B.2.2); it stands behind other segments."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        while at < len(data) and data[at] == 0xFF and data[at + 1 : at + 2] == b"\xff":
            at += 1  # filling
        if at + 9 > len(data) or data[at] != 0xFF:
            break
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return _number(data[at + 7 : at + 9]), _number(data[at + 5 : at + 7])
        if kind in (0xD9, 0xDA):  # the picture begins without a frame header
            break
        at += 2 + _number(data[at + 2 : at + 4])
    raise _undecodable("its JPEG frame header is missing")


def _check_jpeg_end(data: np.ndarray) -> None:
    """A JPEG that was cut is decoded to a partly grey image by some versions of OpenCV."""
    tail = data[-4096:].tobytes().rstrip(b"\0")  # some cameras fill their buffers with zeros
    if not tail.endswith(b"\xff\xd9"):
        raise _cut_short(data.size)


def _check_png(data: memoryview) -> None:
    """All chunks to the last one, each with its checksum (PNG specification, 5.3)."""
    at = len(_PNG)
    while at + 12 <= len(data):
        end = at + 12 + _number(data[at : at + 4])
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != _number(data[end - 4 : end]):
            raise _undecodable("a checksum of the PNG is wrong")
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end
    raise _cut_short(len(data))


def _encoding_of(image: np.ndarray, told: Format) -> str:
    """The encoding of a decoded image.

    Raises:
        InputError: reason `compressed_mismatch`.
    """
    bits = 8 * image.itemsize
    if told.encoding in BAYER:
        expected, channels = BAYER[told.encoding][0], 1
    else:
        expected, channels = ENCODINGS.get(told.encoding, (image.dtype, 0))
    single = image.ndim == 2
    if channels == 1 and (image.dtype != expected or (told.encoding in BAYER and not single)):
        raise InputError(
            f"compressed image is said to be {told.encoding} and holds {bits}-bit"
            f" {'grey' if single else 'colour'}: expected what is said; publish 16 bits as png,"
            " and floats by the transport raw",
            "compressed_mismatch",
        )
    if single:
        return told.encoding if channels == 1 else f"mono{bits}"
    alpha = "a" if image.shape[2] == 4 else ""
    return f"{'rgb' if told.rgb else 'bgr'}{alpha}{bits}"


def _number(data: memoryview) -> int:
    return int.from_bytes(data, "big")


def _undecodable(why: str) -> InputError:
    return InputError(
        f"compressed image cannot be decoded: {why}; check the publisher and the network",
        "undecodable",
    )


def _cut_short(size: int) -> InputError:
    return InputError(
        f"compressed image of {size} bytes ends before its picture does: expected all of it; the"
        " message was cut short",
        "data_too_short",
    )
