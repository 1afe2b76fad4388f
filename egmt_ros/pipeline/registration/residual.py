"""How far the edges of registered pairs are still apart, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.pipeline.registration.edges import FINE_WIDTH, Edges, ImagePair, edges_of
from egmt_ros.pipeline.registration.shift import vertex

BLOCKS_ACROSS = 8
REACH = 8
"""Pixels each way, at 640 pixels of width, in which the thermal edges of a block are looked for."""
LEAST_CORRELATION = 0.25
LEAST_COVER = 0.9
"""Share of a block that the thermal image must cover."""


class Residual(NamedTuple):
    """Shifts that remain, in pixels of the visible image.

    Attributes:
        median, p90: Of the lengths, NaN if no block could be measured.
        measured: Blocks whose edges agree clearly, at one shift.
        blocks: Blocks that the thermal image covers.
    """

    median: float
    p90: float
    measured: int
    blocks: int


def measure_residual(pairs: Sequence[ImagePair], matrix: np.ndarray) -> Residual:
    """Measure the shift of each block that would make its edges agree best, over all pairs.

    It is what is left of an alignment, and it is parallax too: of things nearer or farther than
    what the homography is right for. A block counts if the correlation has a clear maximum that
    does not lie at the border of what is searched.

    Args:
        pairs: One or several, all of one thermal and one visible size.
        matrix: (3, 3) from thermal to visible pixels.
    """
    level = min(1.0, FINE_WIDTH / pairs[0].visible.shape[1])
    edges = [edges_of(pair, matrix, level) for pair in pairs]
    height, width = edges[0].valid.shape
    side = width // BLOCKS_ACROSS
    lengths, blocks = [], 0
    for top in range(REACH, height - side - REACH + 1, side):
        for left in range(REACH, width - side - REACH + 1, side):
            if edges[0].valid[top : top + side, left : left + side].mean() < LEAST_COVER:
                continue
            blocks += 1
            shift = _shift(edges, top, left, side)
            if shift is not None:
                lengths.append(np.hypot(*shift) / level)
    if not lengths:
        return Residual(float("nan"), float("nan"), 0, blocks)
    median, p90 = np.quantile(lengths, (0.5, 0.9))
    return Residual(float(median), float(p90), len(lengths), blocks)


def _shift(edges: Sequence[Edges], top: int, left: int, side: int) -> tuple[float, float] | None:
    """Rows and columns by which the thermal edges of a block are off; None if they do not say."""
    total = np.zeros((2 * REACH + 1, 2 * REACH + 1), np.float32)
    for pair in edges:
        block = pair.visible[top : top + side, left : left + side]
        around = pair.thermal[
            top - REACH : top + side + REACH, left - REACH : left + side + REACH
        ]
        block, around = block - block.mean((0, 1)), around - around.mean((0, 1))
        norm = float(np.linalg.norm(block) * np.linalg.norm(around[REACH:-REACH, REACH:-REACH]))
        if norm > 0:
            for channel in range(block.shape[2]):
                total += cv2.matchTemplate(
                    np.ascontiguousarray(around[..., channel]),
                    np.ascontiguousarray(block[..., channel]),
                    cv2.TM_CCORR,
                ) / np.float32(norm)
    row, column = np.unravel_index(int(total.argmax()), total.shape)
    if total[row, column] < LEAST_CORRELATION * len(edges):
        return None
    if not (0 < row < 2 * REACH and 0 < column < 2 * REACH):
        return None
    down = vertex(*total[row - 1 : row + 2, column])
    across = vertex(*total[row, column - 1 : column + 2])
    return row - REACH + down, column - REACH + across
