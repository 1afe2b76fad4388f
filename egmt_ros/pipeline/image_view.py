"""Encodings of sensor_msgs/Image, and views of its pixels; works with any object of its fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from egmt_ros.errors import InputError

# Encoding: (type of a channel, channels).
ENCODINGS: dict[str, tuple[np.dtype, int]] = {
    "mono8": (np.dtype(np.uint8), 1),
    "8UC1": (np.dtype(np.uint8), 1),
    "mono16": (np.dtype(np.uint16), 1),
    "16UC1": (np.dtype(np.uint16), 1),
    "32FC1": (np.dtype(np.float32), 1),
    "rgb8": (np.dtype(np.uint8), 3),
    "bgr8": (np.dtype(np.uint8), 3),
    "8UC3": (np.dtype(np.uint8), 3),
    "rgba8": (np.dtype(np.uint8), 4),
    "bgra8": (np.dtype(np.uint8), 4),
}

# What cv2.cvtColor takes; the encodings that are not here need no change of order.
TO_BGR = {
    "rgb8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGBA2BGR,
    "bgra8": cv2.COLOR_BGRA2BGR,
}


@dataclass(frozen=True, eq=False)
class ImageView:
    """The pixels of a message, in the message's own memory.

    Attributes:
        array: HxW or HxWxC view; byte order and row padding are those of the message.
        encoding: The message's encoding.
    """

    array: np.ndarray
    encoding: str


def image_view(message: Any) -> ImageView:
    """A view of an image message, made without copying and without allocating.

    Args:
        message: sensor_msgs/Image, or any object with its fields and a buffer as `data`. The view
            keeps the data alive.

    Raises:
        InputError: reasons `unknown_encoding`, `zero_size`, `step_too_small`, `data_too_short`.
    """
    encoding, width, height = message.encoding, message.width, message.height
    if encoding not in ENCODINGS:
        raise InputError(
            f"image has the encoding {encoding!r}: expected one of {', '.join(ENCODINGS)}; convert"
            " it in the driver or with image_proc",
            "unknown_encoding",
        )
    dtype, channels = ENCODINGS[encoding]
    pixel, step = dtype.itemsize * channels, message.step
    if width == 0 or height == 0:
        raise InputError(
            f"image is {width}x{height}: expected at least one pixel; check the driver", "zero_size"
        )
    if step < width * pixel:
        raise InputError(
            f"image has a step of {step} bytes: expected at least {width * pixel} for {width}"
            f" pixels of {encoding}; check the driver's step, width and encoding",
            "step_too_small",
        )
    if len(message.data) < step * height:
        raise InputError(
            f"image has {len(message.data)} bytes of data: expected {step * height} for {height}"
            f" rows of {step} bytes; the message was cut short or its sizes are wrong",
            "data_too_short",
        )
    dtype = dtype.newbyteorder(">" if message.is_bigendian else "<")
    if channels == 1:
        shape, strides = (height, width), (step, pixel)
    else:
        shape, strides = (height, width, channels), (step, pixel, dtype.itemsize)
    return ImageView(np.ndarray(shape, dtype, message.data, strides=strides), encoding)
