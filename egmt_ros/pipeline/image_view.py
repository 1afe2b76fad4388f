"""Encodings of sensor_msgs/Image, and views of its pixels; works with any object of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from egmt_ros.errors import InputError

_U8, _U16 = np.dtype(np.uint8), np.dtype(np.uint16)

_CV_TYPES = {
    "8U": _U8, "8S": np.dtype(np.int8), "16U": _U16, "16S": np.dtype(np.int16),
    "32S": np.dtype(np.int32), "32F": np.dtype(np.float32), "64F": np.dtype(np.float64),
}  # fmt: skip

# Encodings of which each pixel has its own values: (type of a channel, channels).
ENCODINGS: dict[str, tuple[np.dtype, int]] = {
    "mono8": (_U8, 1), "rgb8": (_U8, 3), "bgr8": (_U8, 3), "rgba8": (_U8, 4), "bgra8": (_U8, 4),
    "mono16": (_U16, 1), "rgb16": (_U16, 3), "bgr16": (_U16, 3),
    "rgba16": (_U16, 4), "bgra16": (_U16, 4),
    **{f"{name}C{n}": (kind, n) for name, kind in _CV_TYPES.items() for n in range(1, 5)},
}  # fmt: skip

# One value a pixel, behind a filter of one colour: (type, the first two pixels of the first row
# and of the second one).
BAYER: dict[str, tuple[np.dtype, str]] = {
    f"bayer_{pattern}{bits}": (kind, pattern)
    for pattern in ("rggb", "bggr", "gbrg", "grbg")
    for bits, kind in ((8, _U8), (16, _U16))
}

# 4:2:2, two bytes a pixel: which of them is the luma. Neighbours share U and V (V4L2, packed YUV).
PACKED_YUV = {"uyvy": 1, "yuv422": 1, "yuyv": 0, "yuv422_yuy2": 0}

# A plane of luma, then one of interleaved chroma: how many pixels share it across and down (V4L2,
# semi-planar YUV).
PLANAR_YUV = {"nv12": (2, 2), "nv21": (2, 2), "nv24": (1, 1)}

KNOWN = (
    "mono8, mono16, rgb, bgr, rgba or bgra of 8 or 16 bits, bayer_rggb8 and its like, uyvy, yuyv,"
    " nv12, nv21, nv24, or a type of OpenCV (8UC3, 16UC1, 32FC1)"
)


@dataclass(frozen=True, eq=False)
class ImageView:
    """The pixels of a message, in the message's own memory.

    Attributes:
        array: HxW or HxWxC view; byte order and row padding are those of the message. Of a Bayer
            image the mosaic, HxW; of packed YUV its two bytes a pixel, HxWx2; of planar YUV the
            luma, HxW.
        encoding: The message's encoding.
        chroma: Of planar YUV the second plane, H'xW'x2; otherwise None.
    """

    array: np.ndarray
    encoding: str
    chroma: np.ndarray | None = None

    def decoded(self) -> ImageView:
        """The view itself: its pixels are readable as they are."""
        return self


def image_view(message: Any) -> ImageView:
    """A view of an image message, made without copying and without allocating.

    Args:
        message: sensor_msgs/Image, or any object with its fields and a buffer as `data`. The view
            keeps the data alive. `step` of planar YUV is that of the luma plane; the chroma of
            nv24 has rows of twice the step (as V4L2 and libcamera have it).

    Raises:
        InputError: reasons `unknown_encoding`, `zero_size`, `size_for_encoding`, `step_too_small`,
            `data_too_short`.
    """
    encoding, width, height = message.encoding, message.width, message.height
    dtype, channels = _layout(encoding)
    check_size(encoding, width, height)
    pixel, step = dtype.itemsize * channels, message.step
    if step < width * pixel:
        raise InputError(
            f"image has a step of {step} bytes: expected at least {width * pixel} for {width}"
            f" pixels of {encoding}; check the driver's step, width and encoding",
            "step_too_small",
        )
    across, down = PLANAR_YUV.get(encoding, (0, 0))
    chroma_step = 0 if not across else 2 * step // across
    expected = step * height + (chroma_step * (height // down) if down else 0)
    if len(message.data) < expected:
        raise InputError(
            f"image has {len(message.data)} bytes of data: expected {expected} for {height}"
            f" rows of {step} bytes of {encoding}; the message was cut short or its sizes are"
            " wrong",
            "data_too_short",
        )
    dtype = dtype.newbyteorder(">" if message.is_bigendian else "<")
    if channels == 1:
        shape, strides = (height, width), (step, pixel)
    else:
        shape, strides = (height, width, channels), (step, pixel, dtype.itemsize)
    array = np.ndarray(shape, dtype, message.data, strides=strides)
    if not across:
        return ImageView(array, encoding)
    shape, strides = (height // down, width // across, 2), (chroma_step, 2, 1)
    chroma = np.ndarray(shape, dtype, message.data, step * height, strides)
    return ImageView(array, encoding, chroma)


def check_size(encoding: str, width: int, height: int) -> None:
    """Refuse a size in pixels that an encoding cannot have.

    Raises:
        InputError: reasons `zero_size`, `size_for_encoding`.
    """
    if width == 0 or height == 0:
        raise InputError(
            f"image is {width}x{height}: expected at least one pixel; check the driver", "zero_size"
        )
    across, down = (2, 1) if encoding in PACKED_YUV else PLANAR_YUV.get(encoding, (1, 1))
    if width % across or height % down:
        sides = "width" if down == 1 else "width and height"
        raise InputError(
            f"image is {width}x{height} and {encoding}, whose neighbours share a colour: expected"
            f" an even {sides}; check the driver's size and encoding",
            "size_for_encoding",
        )
    if encoding in BAYER and min(width, height) < 3:
        raise InputError(
            f"image is {width}x{height} and {encoding}: expected at least 3x3 pixels to find"
            " colours between; check the driver's size and encoding",
            "size_for_encoding",
        )


def _layout(encoding: str) -> tuple[np.dtype, int]:
    """(type, channels) of an encoding's array."""
    if encoding in ENCODINGS:
        return ENCODINGS[encoding]
    if encoding in BAYER:
        return BAYER[encoding][0], 1
    if encoding in PACKED_YUV:
        return _U8, 2
    if encoding in PLANAR_YUV:
        return _U8, 1
    raise InputError(
        f"image has the encoding {encoding!r}: expected {KNOWN}; convert it in the driver or with"
        " image_proc",
        "unknown_encoding",
    )
