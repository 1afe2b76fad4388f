"""Two calibrated cameras that look at a plane: where one sees what the other sees."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.registration.cameras import CameraModel


@dataclass(frozen=True)
class Pose:
    """Where the thermal camera is, in the optical frame of the visible one.

    It is what `static_transform_publisher` takes with the visible camera's frame as --frame-id and
    the thermal one's as --child-frame-id, both optical (REP 103: x to the right, y down, z ahead).

    Attributes:
        translation: Its position, metres.
        rotation: Its orientation, a quaternion x, y, z, w of length 1.
    """

    translation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3): turns directions of the thermal camera into those of the visible one."""
        x, y, z, w = self.rotation
        return np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ])

    def differs(self, other: Pose, by: float) -> bool:
        """Whether they are more than `by` apart, metres or radians."""
        moved = np.subtract(self.translation, other.translation)
        turned = 2 * np.arccos(min(1.0, abs(float(np.dot(self.rotation, other.rotation)))))
        return float(np.linalg.norm(moved)) > by or turned > by


@dataclass(frozen=True)
class CameraPair:
    """Both cameras and how they stand to each other."""

    thermal: CameraModel
    visible: CameraModel
    pose: Pose


def make_pose(translation: tuple[float, ...], rotation: tuple[float, ...]) -> Pose:
    """Check a position and a quaternion, and scale the quaternion to length 1.

    Raises:
        ConfigError: they are not three and four finite numbers, or the quaternion is far from
            length 1, as rounded ones are not.
    """
    if len(translation) != 3 or not np.isfinite(translation).all():
        raise ConfigError(f"translation is {list(translation)}: expected x y z, metres")
    length = float(np.linalg.norm(rotation)) if len(rotation) == 4 else 0.0
    if not abs(length - 1) < 0.01:
        raise ConfigError(
            f"rotation is {list(rotation)}: expected a quaternion x y z w of length 1, '0 0 0 1'"
            " for cameras that look the same way"
        )
    return Pose(tuple(map(float, translation)), tuple(float(v) / length for v in rotation))


def parse_pose(translation: str, rotation: str) -> Pose | None:
    """What registration.translation and registration.rotation say.

    Args:
        translation: Three numbers with blanks or commas; empty: 0 0 0.
        rotation: Four numbers with blanks or commas; empty: 0 0 0 1.

    Returns:
        None if both are empty.

    Raises:
        ConfigError: they are not such numbers.
    """
    if not translation.strip() and not rotation.strip():
        return None
    return make_pose(
        _numbers("translation", translation) or (0.0, 0.0, 0.0),
        _numbers("rotation", rotation) or (0.0, 0.0, 0.0, 1.0),
    )


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in re.split(r"[\s,;\[\]]+", text) if word)
    except ValueError:
        raise ConfigError(f"{name} is {text!r}: expected numbers with blanks or commas") from None


def plane_points(cameras: CameraPair, depth: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in the thermal image each pixel of the visible image is seen.

    The pixel's ray meets the plane that stands across the visible camera's axis; that point is
    projected into the thermal camera. Without distortion this is the homography that the plane
    induces (Hartley and Zisserman, "Multiple View Geometry", 2nd edition, section 13.1).

    Args:
        depth: From the visible camera to the plane along its axis, metres, above 0.

    Returns:
        x, y, seen, each (H, W) of the visible image; x and y mean nothing where not `seen`.
    """
    x, y, seen = cameras.visible.rays()
    points = np.stack([x, y, np.ones_like(x)], -1) * depth - cameras.pose.translation
    points = points @ cameras.pose.matrix  # the inverse turn, from the right
    u, v, before = cameras.thermal.project(*np.moveaxis(points, -1, 0))
    return u, v, seen & before
