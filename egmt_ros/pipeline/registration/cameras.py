"""The geometry of a calibrated camera: from its pixels to rays and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from egmt_ros.errors import InputError

RADIAL, FISHEYE = "radial", "fisheye"
MODELS = {
    "plumb_bob": RADIAL,
    "rational_polynomial": RADIAL,
    "equidistant": FISHEYE,
    "fisheye": FISHEYE,
}
"""Distortion model as sensor_msgs/CameraInfo names it -> the formula."""

COEFFICIENTS = {RADIAL: 8, FISHEYE: 4}
_FARTHEST = 10.0
"""Tangent of the angle from the axis beyond which no pixel is looked for."""
_TURNS = 6
_MISS = 0.05
"""Pixels between a pixel and its ray's projection beyond which the ray is not believed."""


@dataclass(frozen=True)
class CameraModel:
    """A pinhole camera with distortion, for images as the camera sends them.

    Pixel centres have whole coordinates. Rays are (x, y, 1) in the camera's optical frame of REP
    103: x to the right, y down, z ahead.

    Attributes:
        width, height: Of the images, pixels.
        fx, fy, cx, cy: Focal lengths and principal point, pixels of the images.
        formula: `radial`: the rational model of Brown and Claus/Fitzgibbon with k1 k2 p1 p2 k3 k4
            k5 k6, of which plumb_bob is the first five; `fisheye`: the equidistant model of
            Kannala and Brandt with k1 k2 k3 k4. As in OpenCV, calib3d.
        coefficients: 8 or 4 of them.
        frame_id: The optical frame.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    formula: str = RADIAL
    coefficients: tuple[float, ...] = (0.0,) * 8
    frame_id: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.width, self.height

    def rays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where each pixel looks.

        Returns:
            x, y, seen, each (height, width): (x, y, 1) is the ray where `seen`; elsewhere the
            distortion has no inverse, or the pixel looks sideways or back.
        """
        rows, columns = np.mgrid[: self.height, : self.width].astype(float)
        x, y = self._straight((columns - self.cx) / self.fx, (rows - self.cy) / self.fy)
        u, v, seen = self.project(x, y, np.ones_like(x))
        seen &= np.hypot(u - columns, v - rows) < _MISS
        return x, y, seen

    def project(
        self, x: np.ndarray, y: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where points in the optical frame are seen.

        Args:
            x, y, z: Coordinates, of one shape.

        Returns:
            u, v, seen, of that shape: pixels, which may lie outside of the image, where `seen`;
            the other points are behind the camera, or beyond where the distortion folds back.
        """
        before = z > 1e-9
        depth = np.where(before, z, 1.0)
        x, y = np.where(before, x / depth, 0.0), np.where(before, y / depth, 0.0)
        radius = np.hypot(x, y)
        seen = before & (radius <= self._reach())
        x, y = np.where(seen, x, 0.0), np.where(seen, y, 0.0)
        x, y = self._distort(x, y, np.where(seen, radius, 0.0))
        return self.fx * x + self.cx, self.fy * y + self.cy, seen

    def _distort(
        self, x: np.ndarray, y: np.ndarray, radius: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        away = np.where(radius > 0, radius, 1.0)
        factor = np.where(radius > 0, self._scaled(radius) / away, 1.0)
        aside, below = self._tangential(x, y)
        return factor * x + aside, factor * y + below

    def _tangential(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p1, p2 = self.coefficients[2:4] if self.formula == RADIAL else (0.0, 0.0)
        square = x**2 + y**2
        return (
            2 * p1 * x * y + p2 * (square + 2 * x**2),
            p1 * (square + 2 * y**2) + 2 * p2 * x * y,
        )

    def _straight(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Undo `_distort`: what is radial by a table, what is tangential, and small, by turns."""
        tangents = self._tangents()
        tangents = tangents[tangents <= self._reach()]
        scaled = self._scaled(tangents)
        along, down = x, y
        for _ in range(_TURNS if any(self._tangential(1.0, 1.0)) else 1):
            aside, below = self._tangential(along, down) if along is not x else (0.0, 0.0)
            there = x - aside, y - below
            radius = np.hypot(*there)
            away = np.where(radius > 0, radius, 1.0)
            factor = np.where(radius > 0, np.interp(radius, scaled, tangents) / away, 1.0)
            along, down = there[0] * factor, there[1] * factor
        return along, down

    def _scaled(self, radius: np.ndarray) -> np.ndarray:
        """The distance from the axis at which the distortion puts a ray of this tangent."""
        if self.formula == FISHEYE:
            angle = np.arctan(radius)
            square = angle**2
            k1, k2, k3, k4 = self.coefficients
            return angle * (1 + square * (k1 + square * (k2 + square * (k3 + square * k4))))
        square = radius**2
        k1, k2, _, _, k3, k4, k5, k6 = self.coefficients
        above = 1 + square * (k1 + square * (k2 + square * k3))
        return radius * above / (1 + square * (k4 + square * (k5 + square * k6)))

    def _reach(self) -> float:
        """Tangent up to which what is farther from the axis is also seen farther from it.

        Beyond it the polynomial bends back, and would show what lies outside of the view a second
        time within.
        """
        radius = self._tangents()
        falls = np.flatnonzero(np.diff(self._scaled(radius)) <= 0)
        return float(radius[falls[0]]) if falls.size else float(radius[-1])

    def _tangents(self) -> np.ndarray:
        if self.formula == FISHEYE:
            return np.tan(np.linspace(0, np.arctan(_FARTHEST), 10000))
        return np.linspace(0, _FARTHEST, 20000)


def camera_model(
    *,
    width: int,
    height: int,
    k: Sequence[float],
    distortion_model: str,
    d: Sequence[float],
    binning: tuple[int, int] = (0, 0),
    roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    frame_id: str = "",
    topic: str = "camera_info",
) -> CameraModel:
    """Make a camera model of what a sensor_msgs/CameraInfo says of raw images.

    A region of interest is taken off first, and then pixels are joined to super-pixels, as the
    message defines it; the centre of a super-pixel is that of the pixels it was joined from.

    Args:
        width, height: Of the whole sensor, pixels.
        k: Nine numbers, row by row, of the whole sensor at full resolution.
        distortion_model, d: Its name and coefficients; none, or all 0: no distortion.
        binning: Pixels that are joined, across and down; 0 stands for 1.
        roi: Offset across, offset down, width, height; width and height 0: everything.
        frame_id: The optical frame.
        topic: For the errors.

    Raises:
        InputError: the camera is not calibrated, reason `uncalibrated`; or something cannot be
            used, reason `bad_camera_info`.
    """

    def refuse(what: str, expected: str) -> InputError:
        return InputError(f"{topic}: {what}; expected {expected}", "bad_camera_info")

    k, d = [float(v) for v in k], [float(v) for v in d]
    if not any(k):
        raise InputError(
            f"{topic}: the camera is not calibrated (K is all 0); calibrate it with"
            " camera_calibration and have its driver send the result, or set registration.mode to"
            " homography with a file of egmt calibrate",
            "uncalibrated",
        )
    if len(k) != 9 or not np.isfinite(k).all() or k[0] <= 0 or k[4] <= 0:
        raise refuse(f"K is {k}", "nine finite numbers with focal lengths above 0")
    if k[1] or k[3] or k[6] or k[7] or k[8] != 1:
        raise refuse(f"K is {k}", "[fx 0 cx 0 fy cy 0 0 1]")
    left, top, across, down = roi if roi[2] and roi[3] else (roi[0], roi[1], width, height)
    if width < 1 or height < 1 or left + across > width or top + down > height:
        if (left, top) == (0, 0) or roi[2]:
            raise refuse(
                f"width x height is {width}x{height} and roi is {tuple(roi)} (offsets, width,"
                " height)", "a size above 0 with the region inside of it",
            )
        across, down = width - left, height - top
    bins = max(1, binning[0]), max(1, binning[1])
    size = across // bins[0], down // bins[1]
    if min(size) < 1:
        raise refuse(f"binning is {tuple(binning)} of {across}x{down} pixels", "less")
    formula, coefficients = _distortion(distortion_model, d, refuse)
    return CameraModel(
        *size,
        k[0] / bins[0],
        k[4] / bins[1],
        (k[2] - left + 0.5) / bins[0] - 0.5,
        (k[5] - top + 0.5) / bins[1] - 0.5,
        formula,
        coefficients,
        frame_id,
    )


def read_camera_info(message: Any, topic: str) -> CameraModel:
    """The model of a sensor_msgs/CameraInfo of raw images, of ROS or read from a bag.

    Raises:
        InputError: As `camera_model`; `topic` is named.
    """
    roi = message.roi
    return camera_model(
        width=message.width,
        height=message.height,
        k=message.k,
        distortion_model=message.distortion_model,
        d=message.d,
        binning=(message.binning_x, message.binning_y),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
        frame_id=message.header.frame_id,
        topic=topic,
    )


def _distortion(name: str, d: list[float], refuse) -> tuple[str, tuple[float, ...]]:
    if not any(d):
        # The fisheye formula distorts even then: its radius is the angle, not the tangent.
        formula = MODELS.get(name, RADIAL) if d else RADIAL
        return formula, (0.0,) * COEFFICIENTS[formula]
    if name not in MODELS:
        raise refuse(f"distortion_model is {name!r}", f"one of {', '.join(MODELS)}")
    formula = MODELS[name]
    count = COEFFICIENTS[formula]
    if not np.isfinite(d).all():
        raise refuse(f"D is {d}", "finite numbers")
    if any(d[count:]) or (formula == FISHEYE and len(d) != 4) or len(d) < 4:
        most = "4" if formula == FISHEYE else "4 to 8"
        raise refuse(f"D has {len(d)} numbers: {d}", f"{most} for {name}")
    return formula, (*d[:count], *(0.0,) * (count - len(d)))
