"""Where the images of a camera come, by transport, and whether they come by another one."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from egmt_ros.pipeline.frames import Side
from egmt_ros.ros.diagnostics import WARN, InputState, Report, Source, Status

# What input.*.transport may be: its message.
TRANSPORTS = {"raw": Image, "compressed": CompressedImage}


def image_topic(node: Node, side: Side, transport: str) -> str:
    """Where the images of a camera come, resolved.

    With transport compressed that is the camera's topic and `/compressed`, as image_transport
    names it: whoever remaps `~/input/<side>/image` remaps both, also to a name that ends so
    already. `~/input/<side>/image/compressed` can be remapped by itself as well.
    """
    raw = f"~/input/{side.value}/image"
    if transport == "raw":
        return node.resolve_topic_name(raw)
    own = f"{raw}/compressed"
    resolved = node.resolve_topic_name(own)
    if resolved != node.resolve_topic_name(own, only_expand=True):
        return resolved
    return f"{node.resolve_topic_name(raw).removesuffix('/compressed')}/compressed"


def transport_source(
    node: Node, side: Side, state: InputState, transport: Callable[[], str]
) -> Source:
    """Warns while nobody is heard and a publisher is there whom the other transport would hear.

    Args:
        node: Subscribes.
        side, state: Of the input.
        transport: The one in use.
    """

    def tell(report: Report) -> Status | None:
        if report.configured_since is None or state.matched():
            return None
        (other,) = set(TRANSPORTS) - {transport()}
        for topic in dict.fromkeys((state.topic, image_topic(node, side, other))):
            if _published(node, topic, TRANSPORTS[other]):
                return Status(
                    WARN,
                    f"{topic} has {other} images, and input.{side.value}.transport is"
                    f" {transport()}: set it to {other} (read by configure)",
                )
        return None

    return tell


def _published(node: Node, topic: str, kind: type) -> bool:
    name = f"sensor_msgs/msg/{kind.__name__}"
    return any(info.topic_type == name for info in node.get_publishers_info_by_topic(topic))
