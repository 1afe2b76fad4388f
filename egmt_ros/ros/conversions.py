"""From numpy arrays to sensor_msgs/Image; the other way is `egmt_ros.pipeline.message_view`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_view import ENCODINGS

if TYPE_CHECKING:
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

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
