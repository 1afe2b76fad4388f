"""Contrast of drawn objects to what surrounds them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

SMALLEST = 60
"""Pixels from which an object counts."""
MARGIN = 0.25
"""Width of the surroundings, as a share of the larger side of the object's box."""
NOISE_FLOOR = 2.0
"""Least standard deviation of the surroundings, grey levels: a flat night sky has none."""


class Figure(NamedTuple):
    """One object of an entity.

    Attributes:
        pixels: (H, W) bool, the object.
        around: (H, W) bool, its box with a margin, without any object of the entity.
    """

    pixels: np.ndarray
    around: np.ndarray


def figures(mask: np.ndarray) -> list[Figure]:
    """Split a mask into its objects: connected parts of at least `SMALLEST` pixels.

    Args:
        mask: (H, W), not 0 on the entity's pixels.

    Returns:
        The objects whose surroundings have as many pixels at least.
    """
    drawn = mask != 0
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(drawn.astype(np.uint8))
    found = []
    for label in range(1, count):
        x, y, width, height, area = boxes[label]
        if area < SMALLEST:
            continue
        margin = max(4, round(MARGIN * max(width, height)))
        around = np.zeros_like(drawn)
        top, left = max(0, y - margin), max(0, x - margin)
        around[top : y + height + margin, left : x + width + margin] = True
        around &= ~drawn
        if around.sum() >= SMALLEST:
            found.append(Figure(labels == label, around))
    return found


def contrast_to_noise(image: np.ndarray, figure: Figure) -> float:
    """|mean of the object - mean of its surroundings| / standard deviation of the surroundings.

    The contrast-to-noise ratio (CNR) of imaging; a dark object counts as a bright one does.

    Args:
        image: (H, W) uint8.
        figure: The object.
    """
    around = image[figure.around].astype(np.float64)
    difference = abs(image[figure.pixels].mean() - around.mean())
    return float(difference / max(around.std(), NOISE_FLOOR))
