"""The pose of the thermal camera from tf2, where tf2_ros is installed."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable

from rclpy.node import Node
from rclpy.time import Time

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.registration.plane import Pose, make_pose

REFRESH = 1.0
"""Seconds after which the pose is looked up again."""
MOVED = 1e-4
"""Metres or radians by which it must have changed to count: tables are made anew then."""


def load_tf2():
    """The module tf2_ros.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module("tf2_ros")
    except ImportError as error:
        raise ConfigError(
            "registration.mode is 'camera_info', registration.translation and"
            f" registration.rotation are empty, and tf2_ros cannot be imported ({error}): expected"
            " the pose of the thermal camera from one of them; set registration.translation, or"
            " install the package tf2_ros of your ROS"
        ) from error


class Transforms:
    """Looks up the pose in tf, once a second: a mount does not move while it is whole.

    Args:
        node: Owns the subscriptions to /tf and /tf_static.
        now: Steady clock, s.

    Raises:
        ConfigError: tf2_ros is not installed.
    """

    def __init__(self, node: Node, now: Callable[[], float] = time.monotonic) -> None:
        self._tf2 = load_tf2()
        self._now = now
        self._buffer = self._tf2.Buffer()
        self._listener = self._tf2.TransformListener(self._buffer, node)
        self._known: tuple[tuple[str, str], float, Pose] | None = None

    def pose(self, visible: str, thermal: str) -> Pose:
        """Of the thermal camera in the visible one's frame. One thread at a time.

        Raises:
            InputError: tf does not know it, or a frame has no name, reason `no_transform`.
        """
        frames, now = (visible, thermal), self._now()
        known = self._known if self._known and self._known[0] == frames else None
        if known and now - known[1] < REFRESH:
            return known[2]
        pose = self._look_up(visible, thermal, known[2] if known else None)
        if known and not pose.differs(known[2], MOVED):
            pose = known[2]
        self._known = (frames, now, pose)
        return pose

    def _look_up(self, visible: str, thermal: str, otherwise: Pose | None) -> Pose:
        try:
            if not visible or not thermal:
                raise InputError("a camera_info has no frame_id", "no_transform")
            found = self._buffer.lookup_transform(visible, thermal, Time()).transform
            at, turn = found.translation, found.rotation
            return make_pose((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
        except (self._tf2.TransformException, ConfigError, InputError) as error:
            if otherwise is not None:
                return otherwise
            raise InputError(
                f"tf does not tell how the frame {thermal!r} (of the thermal camera_info) stands to"
                f" {visible!r} (of the visible one): {error}; publish it, by"
                f" static_transform_publisher --frame-id {visible} --child-frame-id {thermal}, or"
                " set registration.translation and registration.rotation",
                "no_transform",
            ) from error

    def close(self) -> None:
        """Listen no more."""
        self._listener.unregister()
