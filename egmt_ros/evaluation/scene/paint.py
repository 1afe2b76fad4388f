"""Drawing shapes onto a picture, behind whatever static thing stands nearer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import cv2
import numpy as np

from egmt_ros.evaluation.scene.shapes import SHIFT, Part

_ONE = 1 << SHIFT


def draw(
    canvas: np.ndarray,
    parts: Iterable[Part],
    inks: Mapping[str, tuple[float, ...]],
    depth_map: np.ndarray,
    depth: float,
    shading: float = 1.0,
) -> None:
    """Draw parts onto ``canvas`` (uint8, in place) where nothing static is nearer than ``depth``.

    Args:
        canvas: (h, w) or (h, w, 3) uint8.
        parts: Shapes, in painting order.
        inks: material -> colour, 0..255.
        depth_map: (h, w) float32 metres of the static street.
        depth: Distance of the parts in metres.
        shading: How much of each part's shade is applied, 0..1.
    """
    parts = list(parts)
    if not parts:
        return
    h, w = canvas.shape[:2]
    points = np.concatenate([p.points for p in parts])
    margin = 2 + max(p.line for p in parts)
    low = points.min(axis=0) // _ONE - margin
    high = points.max(axis=0) // _ONE + margin + 1
    x0, y0 = max(int(low[0]), 0), max(int(low[1]), 0)
    x1, y1 = min(int(high[0]), w), min(int(high[1]), h)
    if x0 >= x1 or y0 >= y1:
        return
    window = canvas[y0:y1, x0:x1]
    hidden = depth_map[y0:y1, x0:x1] < depth - 0.2
    before = window.copy() if hidden.any() else None
    points -= np.array([x0 * _ONE, y0 * _ONE], np.int32)
    start = 0
    for part in parts:
        factor = 1.0 + (part.shade - 1.0) * shading
        ink = tuple(min(255.0, c * factor) for c in inks[part.material])
        end = start + len(part.points)
        moved = points[start:end]
        start = end
        if part.line:
            cv2.polylines(window, [moved], False, ink, part.line, cv2.LINE_AA, SHIFT)
        else:
            cv2.fillPoly(window, [moved], ink, cv2.LINE_AA, SHIFT)
    if before is not None:
        np.copyto(window, before, where=hidden if canvas.ndim == 2 else hidden[..., None])


def glow_sprite(size: int = 192) -> np.ndarray:
    """A round glow, (size, size) uint8: a bright core, a soft halo, faint streaks."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    r = np.hypot(x, y)
    angle = np.arctan2(y, x)
    streaks = 0.75 + 0.25 * np.cos(6 * angle + 0.6) ** 8
    halo = 0.32 / (1 + (r / 0.13) ** 2) * streaks
    level = np.exp(-((r / 0.1) ** 2)) + halo
    level *= np.clip((1 - r) / 0.6, 0, 1) ** 1.5
    return np.clip(level * 255, 0, 255).astype(np.uint8)


def add_glow(
    canvas: np.ndarray,
    sprite: np.ndarray,
    centre: tuple[float, float],
    radius: float,
    colour: tuple[float, float, float],
) -> None:
    """Add a glow of ``radius`` pixels in ``colour`` (BGR, 0..1) to an 8-bit picture."""
    h, w = canvas.shape[:2]
    size = max(3, int(round(2 * radius)))
    left, top = int(round(centre[0] - size / 2)), int(round(centre[1] - size / 2))
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size, w), min(top + size, h)
    if x0 >= x1 or y0 >= y1 or max(colour) < 0.02:
        return
    scaled = cv2.resize(sprite, (size, size), interpolation=cv2.INTER_AREA)
    patch = np.ascontiguousarray(scaled[y0 - top : y1 - top, x0 - left : x1 - left])
    tinted = cv2.merge([cv2.convertScaleAbs(patch, alpha=c) for c in colour])
    window = canvas[y0:y1, x0:x1]
    cv2.add(window, tinted, dst=window)
