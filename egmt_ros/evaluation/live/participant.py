"""What the player and the recorder have in common: a ROS node, message classes, a CSV log."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError


@contextmanager
def ros_node(name: str) -> Iterator[Any]:
    """A plain rclpy node of this process; signals stay with the process's own handlers."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(name, enable_rosout=False, start_parameter_services=False)
    try:
        yield node
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


def message_class(msgtype: str) -> Any:
    """The Python class of a ROS type name such as "sensor_msgs/msg/Image".

    Raises:
        EgmtError: The message package is not installed, or has no such type.
    """
    package, _, name = msgtype.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError) as error:
        raise EgmtError(
            f"Message type {msgtype} is not installed ({error}). Install the package {package} or "
            "leave out the topics of this type."
        ) from error


def begins_with_stamp(kind: Any) -> bool:
    """Whether ``cdr.header_stamp`` can read the stamp of this message class."""
    fields = list(kind.get_fields_and_field_types().values())
    return bool(fields) and fields[0] in ("std_msgs/Header", "builtin_interfaces/Time")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a table with a line of column names."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
