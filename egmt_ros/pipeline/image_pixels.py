"""From views of messages to what the engine takes; copies and converts, so not for callbacks.

Colour is brought to 8-bit BGR by OpenCV, as cv_bridge does it. 16-bit values of a visible image
are taken as full scale and become round(value * 255 / 65535), which is cv_bridge's rule as well: a
driver that puts 12 bits into 16 has to shift them, or the image is dark.
"""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.pipeline.image_view import BAYER, ENCODINGS, PACKED_YUV, PLANAR_YUV, ImageView

_TO_BGR = {
    "rgb": cv2.COLOR_RGB2BGR,
    "rgba": cv2.COLOR_RGBA2BGR,
    "bgra": cv2.COLOR_BGRA2BGR,
    "C4": cv2.COLOR_BGRA2BGR,
}

# OpenCV calls a pattern by the second and third pixel of the second row, ROS by the first row.
_DEMOSAIC = {
    "rggb": cv2.COLOR_BayerBG2BGR,
    "bggr": cv2.COLOR_BayerRG2BGR,
    "gbrg": cv2.COLOR_BayerGR2BGR,
    "grbg": cv2.COLOR_BayerGB2BGR,
}

_UNPACK = {0: cv2.COLOR_YUV2BGR_YUY2, 1: cv2.COLOR_YUV2BGR_UYVY}
_JOIN_PLANES = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21}

# ITU-R BT.601 with luma 16..235, which OpenCV takes the other YUV formats to have; it lacks this
# one. Rows B, G, R; columns Y, U, V and what their offsets 16, 128 and 128 add up to.
_BT601 = np.array(
    [[1.1644, 2.0172, 0.0, 0.0], [1.1644, -0.3918, -0.8130, 0.0], [1.1644, 0.0, 1.5960, 0.0]]
)
_BT601[:, 3] = -_BT601[:, :3] @ (16.0, 128.0, 128.0)

# How far the chroma of a grey YUV image may be from its neutral 128.
_NEUTRAL = 1

# Types of thermal images, as numpy writes them, and what they become.
_THERMAL_TYPES = {
    "u1": np.dtype(np.uint8), "u2": np.dtype(np.uint16), "i2": np.dtype(np.float32),
    "f4": np.dtype(np.float32), "f8": np.dtype(np.float32),
}  # fmt: skip


class Viewed(Protocol):
    """The pixels of a message: an ImageView, or what can be decoded to one."""

    def decoded(self) -> ImageView:
        """Readable pixels; raises InputError."""


def thermal_array(view: Viewed) -> np.ndarray:
    """The thermal image: HxW uint8, uint16 or float32, native and contiguous.

    Grey of 8 or 16 bits and 32FC1 are taken as they are and copied only where byte order or row
    padding ask for it. 16SC1 and 64FC1 become float32. Of colour images whose channels are all
    equal one is taken, of YUV images without colour the luma.

    Raises:
        InputError: reasons `colour_thermal`, `thermal_type`, and those of `decoded`.
    """
    view = view.decoded()
    array, encoding = view.array, view.encoding
    if encoding in PACKED_YUV or encoding in PLANAR_YUV:
        array = _neutral_luma(view)
    elif array.ndim == 3 and array.shape[2] > 2 and array.dtype.kind == "u":
        blue, green, red = array[..., 0], array[..., 1], array[..., 2]
        if not (np.array_equal(blue, green) and np.array_equal(green, red)):
            raise _coloured(encoding)
        array = blue
    elif encoding in BAYER or array.ndim == 3 or array.dtype.str[1:] not in _THERMAL_TYPES:
        raise InputError(
            f"thermal image is {encoding}: expected mono8, 8UC1, mono16, 16UC1, 16SC1, 32FC1 or"
            " 64FC1 (or grey in channels of colour); have the driver convert it, and check that"
            " the topics of the two cameras are not swapped",
            "thermal_type",
        )
    return _native(array, _THERMAL_TYPES[array.dtype.str[1:]])


def visible_array(view: Viewed) -> np.ndarray:
    """The visible image: HxWx3 uint8 in the order B, G, R, or HxW uint8; contiguous.

    Copies only where the encoding, row padding or channel order ask for it. 8UC3, 8UC4, 16UC3 and
    16UC4 are taken as bgr(a); alpha is left out; 16 bits become 8 as this module says.

    Raises:
        InputError: reason `visible_encoding`, and those of `decoded`.
    """
    view = view.decoded()
    array, encoding = view.array, view.encoding
    if encoding in BAYER:
        mosaic = _native(array, BAYER[encoding][0])
        return _eight_bits(cv2.cvtColor(mosaic, _DEMOSAIC[BAYER[encoding][1]]))
    if encoding in PACKED_YUV:
        return cv2.cvtColor(array, _UNPACK[PACKED_YUV[encoding]])
    if encoding in _JOIN_PLANES:
        return cv2.cvtColorTwoPlane(array, view.chroma, _JOIN_PLANES[encoding])
    if encoding in PLANAR_YUV:
        yuv = cv2.merge((np.maximum(array, 16), view.chroma[..., 0], view.chroma[..., 1]))
        return cv2.transform(yuv, _BT601)
    kind, channels = ENCODINGS[encoding]
    if kind.kind != "u" or channels == 2 or encoding == "16UC1":
        raise InputError(
            f"visible image is {encoding}: expected grey or colour of 8 or 16 bits (mono, rgb, bgr,"
            " rgba, bgra), Bayer or YUV; have the driver convert it, and check that the topics of"
            " the two cameras are not swapped",
            "visible_encoding",
        )
    if kind.itemsize == 2:
        array = _eight_bits(_native(array, kind))
    order = encoding.rstrip("0123456789") if "C" not in encoding else encoding[-2:]
    if order in _TO_BGR:
        return cv2.cvtColor(array, _TO_BGR[order])
    return np.ascontiguousarray(array)


def _neutral_luma(view: ImageView) -> np.ndarray:
    if view.encoding in PLANAR_YUV:
        luma, chroma = view.array, view.chroma
    else:
        place = PACKED_YUV[view.encoding]
        luma, chroma = view.array[..., place], view.array[..., 1 - place]
    if chroma.min() < 128 - _NEUTRAL or chroma.max() > 128 + _NEUTRAL:
        raise _coloured(view.encoding)
    return luma


def _coloured(encoding: str) -> InputError:
    return InputError(
        f"thermal image is coloured ({encoding}): a palette does not tell temperature; switch the"
        " camera or driver to grey output (mono8, mono16, 16UC1 or 32FC1)",
        "colour_thermal",
    )


def _native(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """This machine's byte order, without padding; the array itself where it is so already."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _eight_bits(array: np.ndarray) -> np.ndarray:
    """round(value * 255 / 65535) of 16-bit images; 8-bit ones as they are."""
    return array if array.dtype == np.uint8 else cv2.convertScaleAbs(array, alpha=255 / 65535)
