"""Fusion without a network, to compare with.

Mean, max, Laplacian pyramid, guided filter fusion, and the sources themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from egmt_ros.evaluation.fusion.guided_filter import guided_filter_fusion

LEVELS = 4


def mean(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Average of two (H, W) uint8 images."""
    return np.round((thermal.astype(np.float32) + visible) / 2).astype(np.uint8)


def maximum(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Pixelwise maximum of two (H, W) uint8 images."""
    return np.maximum(thermal, visible)


def laplacian(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Laplacian pyramid: stronger detail at each level, average at the top.

    Burt and Adelson, "The Laplacian pyramid as a compact image code", 1983.
    """
    pyramids = [_pyramid(image.astype(np.float32)) for image in (thermal, visible)]
    levels = [np.where(np.abs(a) >= np.abs(b), a, b) for a, b in zip(*pyramids, strict=True)]
    fused = (pyramids[0][-1] + pyramids[1][-1]) / 2
    for level in reversed(levels[:-1]):
        fused = cv2.pyrUp(fused, dstsize=level.shape[::-1]) + level
    return np.clip(np.round(fused), 0, 255).astype(np.uint8)


def _pyramid(image: np.ndarray) -> list[np.ndarray]:
    levels = []
    for _ in range(LEVELS):
        smaller = cv2.pyrDown(image)
        levels.append(image - cv2.pyrUp(smaller, dstsize=image.shape[::-1]))
        image = smaller
    return [*levels, image]


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "mean": mean,
    "max": maximum,
    "laplacian": laplacian,
    "gff": guided_filter_fusion,
    "thermal": lambda thermal, visible: thermal,
    "visible": lambda thermal, visible: visible,
}
