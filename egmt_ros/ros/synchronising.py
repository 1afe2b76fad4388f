"""What the sync.* parameters make: the matcher, and the watch for a camera that is missing."""

from __future__ import annotations

import time

from egmt_ros.node_core.matching import camera_watch, limits, nearest_pairer
from egmt_ros.node_core.optional import has_message_filters
from egmt_ros.node_core.parameters import SyncParameters
from egmt_ros.pipeline.intake import Pairer
from egmt_ros.pipeline.missing_camera import CameraWatch


def make_pairer(sync: SyncParameters) -> Pairer:
    """The matcher for a set of sync.* parameters.

    Without message_filters `exact_time` is `nearest_pairer`'s.

    Raises:
        MissingDependencyError: `approximate_time` without message_filters.
    """
    if uses_message_filters(sync):
        from egmt_ros.ros.message_filters_pairer import MessageFiltersPairer

        return MessageFiltersPairer(queue_size=sync.queue_size, **limits(sync))
    return nearest_pairer(sync)


def uses_message_filters(sync: SyncParameters) -> bool:
    """Whether `make_pairer` takes it for these parameters."""
    if sync.policy == "exact_time":
        return has_message_filters()
    return sync.policy == "approximate_time"


def make_watch(sync: SyncParameters) -> CameraWatch | None:
    """The watch for a missing camera, from now on; None if nothing is passed through."""
    return camera_watch(sync, time.monotonic_ns())
