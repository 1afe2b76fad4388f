"""By how much a thermal image lies beside the visible one as a whole, quickly."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.pipeline.registration.edges import contrasted, edge_channels

WIDTH = 200
"""Pixels to which wider images are reduced."""
LEAST_WIDTH = 48
ORIENTATIONS = 4
REACH = 1 / 16
"""Largest shift that is looked for, in widths of the image: 40 pixels of 640."""
LEAST_CORRELATION = 0.1
"""Below it the images have nothing in common that tells; `egmt evaluate registration` shows how
images of different scenes fare."""


class Shift(NamedTuple):
    """How far the thermal image lies to the right and below, pixels of the full images.

    `correlation` is that of the edges, -1..1, after the shift is undone.
    """

    right: float
    below: float
    correlation: float


class SmallPair(NamedTuple):
    """A registered pair, reduced: (h, w) each, and the factor by which it was."""

    thermal: np.ndarray
    visible: np.ndarray
    valid: np.ndarray
    factor: float


def reduce_pair(
    thermal: np.ndarray, visible: np.ndarray, outside: np.ndarray | None = None
) -> SmallPair | None:
    """Copy what an estimate needs; about a millisecond at 640x480.

    Args:
        thermal: (H, W) uint8, uint16 or float32.
        visible: (H, W, 3) BGR or (H, W) uint8.
        outside: (H, W) uint8, 1 where there is no thermal image.

    Returns:
        None for images too small to tell anything.
    """
    height, width = thermal.shape
    factor = min(1.0, WIDTH / width)
    size = round(width * factor), round(height * factor)
    if min(size) < LEAST_WIDTH:
        return None
    small = cv2.resize(thermal, size, interpolation=cv2.INTER_AREA)
    seen = cv2.resize(visible, size, interpolation=cv2.INTER_AREA)
    if seen.ndim == 3:
        seen = cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY)
    valid = np.ones(small.shape, bool)
    if outside is not None:
        valid = cv2.resize(outside, size, interpolation=cv2.INTER_NEAREST) == 0
    # With factor 1 OpenCV may hand back the image itself.
    return SmallPair(small.copy() if small is thermal else small, seen, valid, factor)


def estimate_shift(pair: SmallPair) -> Shift | None:
    """The shift under which the edges of both images correlate best.

    The same edge channels as in the calibration, correlated by Fourier transforms.

    Returns:
        None if the images have no common structure, or lie farther apart than REACH.
    """
    thermal = contrasted(edge_channels(pair.thermal, pair.valid, ORIENTATIONS), pair.valid)
    visible = contrasted(edge_channels(pair.visible, pair.valid, ORIENTATIONS), pair.valid)
    norm = float(np.linalg.norm(thermal) * np.linalg.norm(visible))
    if norm == 0:
        return None
    height, width = pair.valid.shape
    reach = round(REACH * width)
    shape = cv2.getOptimalDFTSize(height + reach), cv2.getOptimalDFTSize(width + reach)
    total = sum(
        cv2.mulSpectrums(
            _spectrum(thermal[..., i], shape), _spectrum(visible[..., i], shape), 0, conjB=True
        )
        for i in range(ORIENTATIONS)
    )
    around = np.roll(cv2.idft(total, flags=cv2.DFT_SCALE), (reach, reach), (0, 1))
    around = around[: 2 * reach + 1, : 2 * reach + 1] / norm
    row, column = np.unravel_index(int(around.argmax()), around.shape)
    inside = 0 < row < 2 * reach and 0 < column < 2 * reach
    if not inside or around[row, column] < LEAST_CORRELATION:
        return None
    down = vertex(*around[row - 1 : row + 2, column])
    across = vertex(*around[row, column - 1 : column + 2])
    return Shift(
        float(column - reach + across) / pair.factor,
        float(row - reach + down) / pair.factor,
        float(around[row, column]),
    )


def vertex(before: float, at: float, after: float) -> float:
    """Where the parabola through three neighbours has its maximum, -0.5 .. 0.5."""
    bend = before - 2 * at + after
    return 0.0 if bend >= 0 else float(0.5 * (before - after) / bend)


def _spectrum(channel: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    padded = np.zeros(shape, np.float32)
    padded[: channel.shape[0], : channel.shape[1]] = channel
    return cv2.dft(padded)
