"""Extent of an attention map."""

from __future__ import annotations

import cv2
import numpy as np

from egmt_ros.pipeline.results import Region

SHARE_OF_PEAK = 0.05
"""Attention from which a cell belongs to the region, as a share of the map's peak."""


def attention_region(
    attention: np.ndarray, cell: int, width: int, height: int
) -> tuple[Region, float]:
    """Bound the cells that hang together with the peak of an attention map.

    Args:
        attention: (h, w) float32, not negative.
        cell: Side of a cell, pixels.
        width: Width of the image, pixels; the region is cut at its border.
        height: Height of the image, pixels.

    Returns:
        The region in pixels and the share of the attention inside it, 0..1.
    """
    strong = (attention >= SHARE_OF_PEAK * attention.max()).astype(np.uint8)
    _, components = cv2.connectedComponents(strong, connectivity=8)
    peak = np.unravel_index(int(attention.argmax()), attention.shape)
    rows, cols = np.nonzero(components == components[peak])
    top, bottom, left, right = rows.min(), rows.max() + 1, cols.min(), cols.max() + 1
    mass = float(attention[top:bottom, left:right].sum() / max(float(attention.sum()), 1e-12))
    x, y = int(left) * cell, int(top) * cell
    region = Region(x, y, min(int(right) * cell, width) - x, min(int(bottom) * cell, height) - y)
    return region, min(mass, 1.0)
