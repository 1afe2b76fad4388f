"""The few fields of serialised (CDR) messages that a replay needs, read without deserialising."""

from __future__ import annotations

import struct

from egmt_ros.errors import BagError

_ENCAPSULATION = 4  # bytes before the first field: representation identifier and options


def _byte_order(data: bytes | memoryview, size: int) -> str:
    if len(data) < _ENCAPSULATION + size:
        raise BagError(
            f"Serialised message of {len(data)} bytes is too short; expected at least "
            f"{_ENCAPSULATION + size}. The bag is damaged or the message has another type."
        )
    return "<" if data[1] & 1 else ">"


def header_stamp(data: bytes | memoryview) -> int:
    """Stamp in ns of a serialised message whose first field is a std_msgs/Header or a Time."""
    order = _byte_order(data, 8)
    seconds, nanoseconds = struct.unpack_from(order + "iI", data, _ENCAPSULATION)
    return seconds * 1_000_000_000 + nanoseconds


def with_header_stamp(data: bytes | memoryview, stamp: int) -> bytes:
    """The same message with another stamp, ns; its first field is a std_msgs/Header or a Time."""
    order = _byte_order(data, 8)
    changed = bytearray(data)
    struct.pack_into(order + "iI", changed, _ENCAPSULATION, *divmod(stamp, 1_000_000_000))
    return bytes(changed)


def float64(data: bytes | memoryview) -> float:
    """Value of a serialised std_msgs/Float64."""
    return struct.unpack_from(_byte_order(data, 8) + "d", data, _ENCAPSULATION)[0]
