"""Pinhole view shared by both cameras of the generated scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NEAR = 0.35  # metres; points nearer than this are projected as if they were here


@dataclass(frozen=True)
class View:
    """A level pinhole camera beside the road.

    World axes: x to the right, y up from the ground, z forward, metres; the camera stands at
    (0, height, 0). Both cameras of the scene share the view, so the pair is registered.

    Attributes:
        width: Image width in pixels.
        height: Image height in pixels.
        focal: Focal length in pixels.
        cx: Column of the vanishing point of the road.
        cy: Row of the horizon.
        eye: Height of the camera above the ground in metres.
    """

    width: int
    height: int
    focal: float
    cx: float
    cy: float
    eye: float = 1.65

    @classmethod
    def street(cls, width: int, height: int) -> View:
        """The view of the street scene for an image of ``width`` x ``height`` pixels."""
        return cls(
            width=width,
            height=height,
            focal=0.95 * max(width, height),
            cx=0.57 * width,
            cy=0.46 * height,
        )

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project (n, 3) world points to (n, 2) float pixel coordinates."""
        z = np.maximum(points[:, 2], NEAR)
        out = np.empty((len(points), 2))
        out[:, 0] = self.cx + self.focal * points[:, 0] / z
        out[:, 1] = self.cy + self.focal * (self.eye - points[:, 1]) / z
        return out

    def scale(self, depth: float) -> float:
        """Pixels per metre at ``depth`` metres."""
        return self.focal / max(depth, NEAR)
