"""From what rclpy tells of publishers and subscriptions to what `egmt_ros.doctor` compares."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rclpy.duration import Infinite
from rclpy.qos import QoSProfile
from rclpy.topic_endpoint_info import TopicEndpointInfo

from egmt_ros.doctor.graph import Endpoint


def endpoints(found: Iterable[TopicEndpointInfo]) -> list[Endpoint]:
    """Those that `get_publishers_info_by_topic` and its like return."""
    return [
        endpoint(
            f"{info.node_namespace.rstrip('/')}/{info.node_name}",
            info.topic_type,
            info.qos_profile,
        )
        for info in found
    ]


def endpoint(node: str, kind: str, profile: QoSProfile) -> Endpoint:
    """A publisher or subscription.

    Args:
        node: Fully qualified name of its node.
        kind: Type of its messages, "sensor_msgs/msg/Image".
        profile: Its QoS.
    """
    return Endpoint(
        node=node,
        kind=kind,
        reliability=profile.reliability.name.lower(),
        durability=profile.durability.name.lower(),
        liveliness=profile.liveliness.name.lower(),
        deadline=_seconds(profile.deadline.nanoseconds),
    )


def _seconds(nanoseconds: int) -> float:
    """A duration as the middleware tells it; zero and the longest stand for none."""
    none = nanoseconds <= 0 or nanoseconds >= Infinite.nanoseconds
    return math.inf if none else nanoseconds / 1e9
