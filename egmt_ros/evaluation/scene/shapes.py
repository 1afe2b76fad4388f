"""Flat shapes in image coordinates: what the geometry hands to both renderers.

Shapes are described one by one and turned into polygons all at once by ``finish``: hundreds of
small numpy calls a frame would cost more than the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SHIFT = 4  # fractional bits of the coordinates given to OpenCV
_ONE = 1 << SHIFT
_ANGLES = np.linspace(0, 2 * np.pi, 14, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_HALF = np.linspace(0, np.pi, 6)
_ARC = np.stack([np.cos(_HALF), np.sin(_HALF)], axis=1)

Point = Sequence[float]


@dataclass(frozen=True, eq=False)
class Part:
    """One filled polygon or line of an actor.

    Attributes:
        points: (n, 2) int32 pixel coordinates with SHIFT fractional bits.
        material: Name that a renderer maps to a colour or a temperature.
        shade: Factor on that colour or temperature, about 0.5..1.3.
        line: Thickness in pixels of an open line; 0: a filled polygon.
    """

    points: np.ndarray
    material: str
    shade: float
    line: int


@dataclass(frozen=True, eq=False)
class Outline:
    """A shape before it is turned into a Part; ``kind`` is "points" or "limb"."""

    kind: str
    data: np.ndarray | tuple[float, ...]
    material: str
    shade: float = 1.0
    line: int = 0


def polygon(points: np.ndarray, material: str, shade: float = 1.0) -> Outline:
    """A filled polygon of (n, 2) pixel coordinates."""
    return Outline("points", points, material, shade)


def line(points: np.ndarray, material: str, width: float, shade: float = 1.0) -> Outline:
    """An open line of ``width`` pixels."""
    return Outline("points", points, material, shade, max(1, int(round(width))))


def disc(centre: Point, rx: float, ry: float, material: str, shade: float = 1.0) -> Outline:
    """A filled ellipse with half axes ``rx``, ``ry`` in pixels."""
    points = _CIRCLE * (rx, ry)
    points += centre
    return Outline("points", points, material, shade)


def limb(
    a: Point, b: Point, ra: float, rb: float, material: str, shade: float = 1.0
) -> Outline:
    """A tapered stroke with round ends from ``a`` (radius ``ra``) to ``b`` (``rb``), pixels."""
    return Outline("limb", (a[0], a[1], b[0], b[1], ra, rb), material, shade)


def hull(
    centres: np.ndarray, radii: np.ndarray, material: str, shade: float = 1.0
) -> Outline:
    """The convex hull of discs at (n, 2) ``centres`` with (n,) ``radii``, pixels."""
    cloud = (centres[:, None, :] + _CIRCLE[None] * radii[:, None, None]).reshape(-1, 2)
    return Outline("points", convex(cloud), material, shade)


def convex(points: np.ndarray) -> np.ndarray:
    """The convex hull of (n, 2) points."""
    return cv2.convexHull(points.astype(np.float32))[:, 0, :]


def finish(outlines: list[Outline]) -> list[Part]:
    """Turn outlines into parts, in the same order."""
    limbs = [o.data for o in outlines if o.kind == "limb"]
    strokes = iter(_limbs(np.array(limbs))) if limbs else iter(())
    shapes = [next(strokes) if o.kind == "limb" else o.data for o in outlines]
    joined = np.concatenate(shapes)
    np.clip(joined, -8000, 8000, out=joined)
    whole = np.rint(joined * _ONE - _ONE // 2).astype(np.int32)
    parts, start = [], 0
    for outline, shape in zip(outlines, shapes, strict=True):
        end = start + len(shape)
        parts.append(Part(whole[start:end], outline.material, outline.shade, outline.line))
        start = end
    return parts


def _limbs(data: np.ndarray) -> np.ndarray:
    """(n, 6) rows of ax, ay, bx, by, ra, rb -> (n, 12, 2) polygons."""
    a, b = data[:, 0:2], data[:, 2:4]
    d = b - a
    length = np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-6)
    cos, sin = (d[:, 0] / length)[:, None], (d[:, 1] / length)[:, None]
    arc = np.stack(
        [-_ARC[:, 0] * sin - _ARC[:, 1] * cos, _ARC[:, 0] * cos - _ARC[:, 1] * sin], axis=2
    )
    return np.concatenate(
        [a[:, None] + arc * data[:, 4, None, None], b[:, None] - arc * data[:, 5, None, None]],
        axis=1,
    )


def bounds(parts: list[Part]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the parts in pixels."""
    points = np.concatenate([p.points for p in parts])
    low = points.min(axis=0) / _ONE
    high = points.max(axis=0) / _ONE
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
