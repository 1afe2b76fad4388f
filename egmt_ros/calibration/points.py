"""A homography from points that somebody found in both images."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.errors import DataError

LEAST_POINTS = 4
OUTLIER = 3.0
"""Pixels of the visible image beyond which a point is left out."""


class PointFit(NamedTuple):
    """A homography and how well it fits.

    Attributes:
        matrix: (3, 3) from thermal to visible pixels.
        distances: (N,) of every point, pixels of the visible image.
        used: (N,) bool; the others are outliers.
    """

    matrix: np.ndarray
    distances: np.ndarray
    used: np.ndarray


def read_points(path: Path) -> np.ndarray:
    """Read correspondences: a line each, thermal x and y, visible x and y, # for comments.

    Returns:
        (N, 4) float64, at least four.

    Raises:
        DataError: the file is missing, or a line is not four finite numbers, or there are too few.
    """
    if not path.is_file():
        raise DataError(f"there is no point file {path}; give one with lines 'xt yt xv yv'")
    points = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file ({error}); give lines 'xt yt xv yv'") from error
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            values = []
        if len(values) != 4 or not np.isfinite(values).all():
            raise DataError(
                f"{path}, line {number} is {line.strip()!r}; expected four numbers: x and y in the"
                " thermal image, x and y in the visible one"
            )
        points.append(values)
    if len(points) < LEAST_POINTS:
        raise DataError(f"{path} has {len(points)} points; expected at least {LEAST_POINTS}")
    return np.array(points)


def fit_points(points: np.ndarray) -> PointFit:
    """Fit a homography; single wrong points are found out (RANSAC) and left out.

    Args:
        points: (N, 4), N at least 4: thermal x and y, visible x and y.

    Raises:
        DataError: no homography fits them, as for points on one line.
    """
    thermal, visible = points[:, :2], points[:, 2:]
    matrix, used = cv2.findHomography(thermal, visible, cv2.RANSAC, OUTLIER)
    if matrix is None or not np.isfinite(matrix).all():
        raise DataError(
            f"no homography fits the {len(points)} points; expected some that do not lie on one"
            " line, spread over the image"
        )
    mapped = cv2.perspectiveTransform(thermal[None], matrix)[0]
    distances = np.hypot(*(mapped - visible).T)
    return PointFit(matrix, distances, used.ravel() > 0)
