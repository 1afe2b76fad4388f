"""Between sensor_msgs/Image and numpy arrays, without copies where none are needed.

`image_view` (of `egmt_ros.pipeline`) is made for the callback: it checks the message and lays a
view over its bytes. `thermal_array` and `visible_array` are made for the worker: they bring a view
to what the engine takes, and touch pixels only where byte order, row padding or channel order ask
for it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_view import ENCODINGS, TO_BGR, ImageView, image_view

if TYPE_CHECKING:
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

__all__ = [
    "ENCODINGS",
    "ImageView",
    "array_to_image",
    "image_view",
    "thermal_array",
    "visible_array",
]


def thermal_array(view: ImageView) -> np.ndarray:
    """The thermal image: HxW uint8, uint16 or float32, native and contiguous.

    Copies only where byte order, row padding or colour channels ask for it. Of a colour image
    whose channels are all equal one is taken.

    Raises:
        InputError: reason `colour_thermal`.
    """
    array = view.array
    if array.ndim == 3:
        blue, green, red = array[..., 0], array[..., 1], array[..., 2]
        if not (np.array_equal(blue, green) and np.array_equal(green, red)):
            raise InputError(
                f"thermal image is coloured ({view.encoding}): a palette does not tell temperature;"
                " switch the camera or driver to grey output (mono8, mono16, 16UC1 or 32FC1)",
                "colour_thermal",
            )
        array = blue
    return np.require(array, array.dtype.newbyteorder("="), ["C_CONTIGUOUS", "ALIGNED"])


def visible_array(view: ImageView) -> np.ndarray:
    """The visible image: HxWx3 uint8 in the order B, G, R, or HxW uint8; contiguous.

    Copies only where row padding or channel order ask for it. 8UC3 is taken as bgr8.

    Raises:
        InputError: reason `visible_encoding`.
    """
    if view.array.dtype != np.uint8:
        raise InputError(
            f"visible image is {view.encoding}: expected 8-bit grey or colour (mono8, rgb8, bgr8,"
            " rgba8, bgra8); have the driver convert it, and check that the topics of the two"
            " cameras are not swapped",
            "visible_encoding",
        )
    if view.encoding in TO_BGR:
        return cv2.cvtColor(view.array, TO_BGR[view.encoding])
    return np.ascontiguousarray(view.array)


def array_to_image(array: np.ndarray, header: Header, encoding: str) -> Image:
    """An image message with a copy of the pixels, rows unpadded, in this machine's byte order.

    Args:
        array: HxW or HxWxC, of the encoding's type (either byte order) and channels.
        header: Taken as it is.
        encoding: One of ENCODINGS.

    Raises:
        InputError: reasons `unknown_encoding`, `encoding_mismatch`, `zero_size`.
    """
    from sensor_msgs.msg import Image

    if encoding not in ENCODINGS:
        raise InputError(
            f"cannot write the encoding {encoding!r}: expected one of {', '.join(ENCODINGS)}",
            "unknown_encoding",
        )
    dtype, channels = ENCODINGS[encoding]
    native = array.dtype.newbyteorder("=")
    if native != dtype or array.ndim not in (2, 3) or array.shape[2:] not in _tails(channels):
        raise InputError(
            f"array has shape {array.shape} and type {array.dtype}: {encoding} expects height x"
            f" width x {channels} of {dtype}",
            "encoding_mismatch",
        )
    if array.size == 0:
        raise InputError(f"array has shape {array.shape}: expected at least one pixel", "zero_size")
    height, width = array.shape[:2]
    message = Image(
        header=header,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(sys.byteorder == "big"),
        step=width * channels * dtype.itemsize,
    )
    # By far the quickest way into the message's array.array; assigning checks byte by byte.
    message.data.frombytes(memoryview(np.ascontiguousarray(array, native)).cast("B"))
    return message


def _tails(channels: int) -> tuple[tuple[int, ...], ...]:
    """What may follow height and width in a shape."""
    return ((), (1,)) if channels == 1 else ((channels,),)
