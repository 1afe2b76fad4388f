"""What the sync.* parameters make: the matcher, and the watch for a camera that is missing."""

from __future__ import annotations

import time

from egmt_ros.pipeline.intake import Pairer
from egmt_ros.pipeline.missing_camera import CameraWatch
from egmt_ros.pipeline.pairing import NearestPairer
from egmt_ros.ros.parameters import SyncParameters, nanoseconds
from egmt_ros.ros.requirements import has_message_filters


def make_pairer(sync: SyncParameters) -> Pairer:
    """The matcher for a set of sync.* parameters.

    `exact_time` needs no message_filters: equal stamps are what `NearestPairer` pairs without a
    gap.

    Raises:
        MissingDependencyError: `approximate_time` without message_filters.
    """
    common = {
        "max_gap": 0 if sync.policy == "exact_time" else nanoseconds(sync.max_gap),
        "wait": nanoseconds(sync.wait),
        "thermal_offset": nanoseconds(sync.thermal_offset),
        "visible_offset": nanoseconds(sync.visible_offset),
    }
    if uses_message_filters(sync):
        from egmt_ros.ros.message_filters_pairer import MessageFiltersPairer

        return MessageFiltersPairer(queue_size=sync.queue_size, **common)
    return NearestPairer(
        reuse_thermal=sync.reuse_thermal, max_waiting=sync.queue_size, **common
    )


def uses_message_filters(sync: SyncParameters) -> bool:
    """Whether `make_pairer` takes it for these parameters."""
    if sync.policy == "exact_time":
        return has_message_filters()
    return sync.policy == "approximate_time"


def make_watch(sync: SyncParameters) -> CameraWatch | None:
    """The watch for a missing camera, from now on; None if nothing is passed through."""
    if sync.on_missing != "passthrough":
        return None
    return CameraWatch(nanoseconds(sync.missing_timeout), time.monotonic_ns())
