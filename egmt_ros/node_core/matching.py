"""What the sync.* parameters make without ROS: a matcher, the watch for a missing camera."""

from __future__ import annotations

from egmt_ros.errors import ConfigError
from egmt_ros.node_core.parameters import SyncParameters, nanoseconds
from egmt_ros.pipeline.missing_camera import CameraWatch
from egmt_ros.pipeline.pairing import NearestPairer


def limits(sync: SyncParameters) -> dict[str, int]:
    """`max_gap`, `wait`, `thermal_offset` and `visible_offset` of any matcher, ns."""
    return {
        "max_gap": 0 if sync.policy == "exact_time" else nanoseconds(sync.max_gap),
        "wait": nanoseconds(sync.wait),
        "thermal_offset": nanoseconds(sync.thermal_offset),
        "visible_offset": nanoseconds(sync.visible_offset),
    }


def nearest_pairer(sync: SyncParameters) -> NearestPairer:
    """The matcher for `nearest` and `exact_time`: equal stamps are nearest without a gap.

    Raises:
        ConfigError: The policy is `approximate_time`, which is message_filters'.
    """
    if sync.policy == "approximate_time":
        raise ConfigError(
            "parameter sync.policy is 'approximate_time', which only a running node has: expected"
            " nearest or exact_time, or evaluate the bag with --live"
        )
    return NearestPairer(
        reuse_thermal=sync.reuse_thermal, max_waiting=sync.queue_size, **limits(sync)
    )


def camera_watch(sync: SyncParameters, now: int) -> CameraWatch | None:
    """The watch for a missing camera from `now` on, steady ns; None if nothing is passed through.
    """
    if sync.on_missing != "passthrough":
        return None
    return CameraWatch(nanoseconds(sync.missing_timeout), now)
