"""Quality of service of every topic of the node."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

_RELIABILITY = {
    "best_effort": ReliabilityPolicy.BEST_EFFORT,
    "reliable": ReliabilityPolicy.RELIABLE,
}


def stream(reliability: str, depth: int) -> QoSProfile:
    """Images and labels: the last `depth` messages, nothing kept for late joiners."""
    return QoSProfile(
        reliability=_RELIABILITY[reliability],
        durability=DurabilityPolicy.VOLATILE,
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
    )


def camera_info() -> QoSProfile:
    """Calibration as camera drivers send it, reliably or not."""
    return stream("best_effort", 5)


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
