"""Warps that are known, put on registered pairs, and how well the calibration finds them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.calibration.alignment import align
from egmt_ros.errors import DataError
from egmt_ros.pipeline.registration.edges import ImagePair

WIDTH, HEIGHT = 640, 480
MAX_SHIFT, MAX_SCALE, MAX_ANGLE = 16.0, 0.05, 2.0
"""Of the warps that are drawn: pixels each way, share, degrees."""
LIMIT = 1.0
"""Pixels below which a warp counts as found."""


class Trial(NamedTuple):
    """One group of pairs under one known warp.

    Attributes:
        against_known: Mean distance over the image, pixels, between where the warp that was found
            leads and where the known one does; infinite if none was found. It has the misfit of
            the pairs themselves in it.
        against_itself: The same against the known warp upon what is found without it: whether the
            warp made a difference to what is found.
    """

    against_known: float
    against_itself: float


class Count(NamedTuple):
    """Distances in short: their median, how many are below LIMIT, and of how many."""

    median: float
    below: int
    total: int

    @classmethod
    def of(cls, distances: Sequence[float]) -> Count:
        """Of at least one distance in pixels."""
        values = np.array(distances)
        return cls(float(np.median(values)), int((values < LIMIT).sum()), len(values))


def known_warp(shift: tuple[float, float], scale: float, degrees: float) -> np.ndarray:
    """(3, 3) from thermal to visible pixels of 640x480, about the centre of the image."""
    centre = (WIDTH - 1) / 2, (HEIGHT - 1) / 2
    matrix = np.vstack([cv2.getRotationMatrix2D(centre, degrees, scale), [0, 0, 1]])
    matrix[:2, 2] += shift
    return matrix


def draw_warp(rng: np.random.Generator) -> np.ndarray:
    """A known warp, drawn evenly from what is allowed."""
    shift = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2)
    scale = 1 + rng.uniform(-MAX_SCALE, MAX_SCALE)
    return known_warp((shift[0], shift[1]), scale, rng.uniform(-MAX_ANGLE, MAX_ANGLE))


def displaced(
    pair: ImagePair, matrix: np.ndarray, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> ImagePair:
    """A registered pair, as a thermal camera would see it that the matrix maps to the visible."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return pair._replace(thermal=cv2.warpPerspective(pair.thermal, matrix, size, flags=flags))


def distance(
    found: np.ndarray, expected: np.ndarray, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> float:
    """Mean distance in visible pixels, over the thermal image, between where two warps lead."""
    y, x = np.mgrid[: size[1] : 20, : size[0] : 20]
    points = np.stack([x.ravel(), y.ravel()], 1)[None].astype(float)
    apart = cv2.perspectiveTransform(points, found) - cv2.perspectiveTransform(points, expected)
    return float(np.hypot(*apart[0].T).mean())


def try_warp(pairs: Sequence[ImagePair], matrix: np.ndarray, model: str) -> Trial:
    """Displace registered pairs of 640x480 by a known warp, and find it again from scratch."""
    try:
        found = align([displaced(pair, matrix) for pair in pairs], np.eye(3), model)
    except DataError:
        return Trial(float("inf"), float("inf"))
    try:
        itself = align(pairs, np.eye(3), model)
    except DataError:
        return Trial(distance(found, matrix), float("inf"))
    return Trial(distance(found, matrix), distance(found, itself @ matrix))
