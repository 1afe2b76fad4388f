"""Message types of bags: the standard ones, egmt_msgs, and whatever a bag itself defines."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError, MissingDependencyError
from egmt_ros.resources import messages_source

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
ENTITIES = "egmt_msgs/msg/EntityLabelArray"
ENTITY = "egmt_msgs/msg/EntityLabel"
DEPTH = 10  # of the QoS history that is noted for ordinary topics


def require_rosbags() -> None:
    """Raises MissingDependencyError where the package `rosbags` is not installed."""
    try:
        import rosbags  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "bags need the Python package `rosbags`, which is not installed; "
            "run `pip install rosbags`."
        ) from error


def messages_folder() -> Path:
    """The folder that holds egmt_msgs' msg/*.msg files.

    Raises:
        BagError: It was not found.
    """
    folder = messages_source()
    if folder is None:
        raise BagError(
            "the message definitions of egmt_msgs were not found; run from a checkout, "
            "or install egmt_ros again."
        )
    return folder / "msg"


@lru_cache(maxsize=1)
def typestore() -> Any:
    """The typestore of ROS 2 Jazzy's messages and egmt_msgs; shared, made once."""
    require_rosbags()
    return new_typestore()


def new_typestore() -> Any:
    """A fresh typestore, to which the types of one bag may be added."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for path in sorted(messages_folder().glob("*.msg")):
        types.update(get_types_from_msg(path.read_text("utf8"), f"egmt_msgs/msg/{path.stem}"))
    store.register(types)
    return store


def time_message(stamp: int) -> Any:
    """builtin_interfaces/Time of a time in nanoseconds."""
    seconds, nanoseconds = divmod(int(stamp), 1_000_000_000)
    return typestore().types["builtin_interfaces/msg/Time"](seconds, nanoseconds)


def header_message(stamp: int, frame_id: str) -> Any:
    """std_msgs/Header of a time in nanoseconds."""
    return typestore().types["std_msgs/msg/Header"](time_message(stamp), frame_id)


def image_message(image: Any, stamp: int, frame_id: str, encoding: str | None = None) -> Any:
    """sensor_msgs/Image of an array.

    Args:
        image: (h, w) uint8 or uint16, or (h, w, 3) uint8 BGR.
        stamp: Nanoseconds.
        frame_id: Frame of the camera.
        encoding: Default: mono8, mono16 or bgr8 by the array's shape and type.
    """
    import numpy as np

    image = np.ascontiguousarray(image)
    if encoding is None:
        if image.ndim == 3:
            encoding = "bgr8"
        else:
            encoding = "mono16" if image.dtype == np.uint16 else "mono8"
    if image.dtype.byteorder == ">" or (image.dtype.byteorder == "=" and sys.byteorder == "big"):
        image = image.astype(image.dtype.newbyteorder("<"))
    height, width = image.shape[:2]
    return typestore().types[IMAGE](
        header=header_message(stamp, frame_id),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=image.strides[0],
        data=image.reshape(-1).view(np.uint8),
    )


def qos_profile(latched: bool, best_effort: bool) -> Any:
    """The QoS that is noted in a bag for a topic."""
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    endless = QosTime(9223372036, 854775807)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else DEPTH,
        reliability=QosReliability.BEST_EFFORT if best_effort else QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=endless,
        lifespan=endless,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=endless,
        avoid_ros_namespace_conventions=False,
    )
