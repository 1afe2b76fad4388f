"""Image messages of every encoding, their bytes made by hand.

`kind` is what they are made of: a namespace, or where ROS is, sensor_msgs.msg.Image.
"""

from __future__ import annotations

import array
import struct
from types import SimpleNamespace

from egmt_ros.pipeline.image_view import PACKED_YUV, PLANAR_YUV

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


def message(encoding, pixels, *, big=0, padding=0, kind=SimpleNamespace):
    """An image message whose bytes are written pixel by pixel with struct."""
    code, order = PIXELS[encoding][0], "<>"[big]
    rows = []
    for row in pixels:
        values = [value if isinstance(value, tuple) else (value,) for value in row]
        rows.append(b"".join(struct.pack(order + code, *value) for value in values))
    data = b"".join(row + b"\xa5" * padding for row in rows)
    return kind(
        height=len(rows), width=len(pixels[0]), encoding=encoding, is_bigendian=big,
        step=len(rows[0]) + padding, data=array.array("B", data),
    )  # fmt: skip


def plain_message(encoding, rows, *, big=0, padding=0, kind=SimpleNamespace):
    """An image message of an array of one value a pixel."""
    data = rows.astype(rows.dtype.newbyteorder(">" if big else "<"))
    return kind(
        height=rows.shape[0], width=rows.shape[1], encoding=encoding, is_bigendian=big,
        step=rows.shape[1] * rows.itemsize + padding,
        data=array.array("B", b"".join(row.tobytes() + b"\xa5" * padding for row in data)),
    )  # fmt: skip


def yuv_message(encoding, luma, chroma, padding=0, kind=SimpleNamespace):
    """An image message of luma HxW and chroma (U, V) of the size that the encoding has, by hand."""
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
    return kind(
        height=height, width=width, encoding=encoding, is_bigendian=0, step=step,
        data=array.array("B", data),
    )  # fmt: skip


def chroma_shape(encoding, height, width):
    across, down = (2, 1) if encoding in PACKED_YUV else PLANAR_YUV[encoding]
    return height // down, width // across, 2
