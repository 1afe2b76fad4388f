"""Quality of service of every topic of the node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

from egmt_ros.errors import ConfigError

# Profile: its reliability, and its history depth in messages. The last is rmw_qos_profile_default.
_PROFILES = {
    "sensor_data": (ReliabilityPolicy.BEST_EFFORT, 5),
    "reliable": (ReliabilityPolicy.RELIABLE, 5),
    "default": (ReliabilityPolicy.RELIABLE, 10),
}

# What a parameter qos_overrides.<topic>.<subscription|publisher>.<policy> may say; None: a depth.
_OVERRIDES: dict[QoSPolicyKind, tuple[str, ...] | None] = {
    QoSPolicyKind.RELIABILITY: ("best_effort", "reliable"),
    QoSPolicyKind.DURABILITY: ("volatile", "transient_local"),
    QoSPolicyKind.HISTORY: ("keep_last", "keep_all"),
    QoSPolicyKind.DEPTH: None,
}


def stream(profile: str, depth: int = 0) -> QoSProfile:
    """Images and labels: the last messages, nothing kept for late joiners.

    Args:
        profile: "sensor_data", "reliable" or "default", as the parameters say it.
        depth: Messages; 0: that of the profile.
    """
    reliability, own_depth = _PROFILES[profile]
    return QoSProfile(
        reliability=reliability,
        durability=DurabilityPolicy.VOLATILE,
        history=HistoryPolicy.KEEP_LAST,
        depth=depth or own_depth,
    )


def camera_info() -> QoSProfile:
    """Calibration as camera drivers send it, reliably or not."""
    return stream("sensor_data")


def latched() -> QoSProfile:
    """The vocabulary: who joins late gets the last message."""
    return QoSProfile(
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
    )


def debug() -> QoSProfile:
    """Timing topics: reliable, so that any plotting tool can join."""
    return stream("reliable", 10)


def diagnostics() -> QoSProfile:
    """As the diagnostic tools of ROS expect it."""
    return stream("reliable", 10)


def override_name(topic: str, entity: str, policy: str) -> str:
    """The parameter by which ROS overrides a policy: qos_overrides./topic.subscription.depth.

    Args:
        topic: Resolved name.
        entity: "subscription" or "publisher".
        policy: "reliability", "durability", "history" or "depth".
    """
    return f"qos_overrides.{topic}.{entity}.{policy}"


def overrides(node: Node, topic: str, entity: str) -> QoSOverridingOptions:
    """What the start values of a node override of a topic's profile, for `create_*`.

    rclpy declares a parameter for each policy named here and keeps it: naming those that nobody
    overrides would freeze the profile of the first configure transition.

    Args:
        node: Was given the start values.
        topic: As it is passed to `create_subscription` or `create_publisher`.
        entity: "subscription" or "publisher".

    Raises:
        ConfigError: a value cannot be used; one line for each.
    """
    given: Mapping[str, Any] = getattr(node, "_parameter_overrides", {})
    resolved = node.resolve_topic_name(topic)
    values = {
        kind: given[name].value
        for kind in _OVERRIDES
        if (name := override_name(resolved, entity, kind.name.lower())) in given
    }
    problems = [
        f"parameter {override_name(resolved, entity, kind.name.lower())} is {value!r}: expected"
        f" {_expected(kind)}"
        for kind, value in values.items()
        if not _usable(kind, value)
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return QoSOverridingOptions(list(values))


def _usable(kind: QoSPolicyKind, value: object) -> bool:
    allowed: Iterable[str] | None = _OVERRIDES[kind]
    if allowed is None:
        return type(value) is int and 1 <= value <= 100_000
    return value in allowed


def _expected(kind: QoSPolicyKind) -> str:
    allowed = _OVERRIDES[kind]
    return "an integer from 1 to 100000" if allowed is None else f"one of {', '.join(allowed)}"
