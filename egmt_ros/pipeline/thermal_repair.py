"""Dead pixels, rows and columns of a thermal image: found, counted and filled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.errors import InputError

# An image with a larger share of NaN and infinite pixels is not worth repairing.
LARGEST_SHARE = 0.25
# More lines beside each other than this are no defect but a border, an overlay or a closed shutter.
LONGEST_RUN = 4

# Share of the pixels of a dead line that have its value: dead lines across it spoil a few.
_EQUAL = 0.95
# How far a dead line is from its neighbours, in what these differ from each other.
_AT_ODDS = 4.0


class DeadLines(NamedTuple):
    """Indices of dead rows and columns, ascending."""

    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()


def fill_non_finite(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Fill NaN and infinite pixels with the mean of the nearest finite ones around them.

    Args:
        image: HxW; other types than float pass as they are.

    Returns:
        The image, a copy if anything was filled, and how many pixels were filled.

    Raises:
        InputError: more than LARGEST_SHARE of the pixels are not finite; reason `not_finite`.
    """
    # NaN passes through both, infinity is one of them: mostly no mask is needed.
    if image.dtype.kind != "f" or np.isfinite(image.min()) and np.isfinite(image.max()):
        return image, 0
    finite = np.isfinite(image)
    count = image.size - int(np.count_nonzero(finite))
    if count > LARGEST_SHARE * image.size:
        raise InputError(
            f"thermal image has {count} of {image.size} pixels that are NaN or infinite, expected"
            f" at most {LARGEST_SHARE:.0%}, which are repaired: check the driver and the camera",
            "not_finite",
        )
    known = image[finite]
    low, high = known.min(), known.max()
    filled = np.where(finite, image, np.float32(0.0))
    weight = finite.astype(np.float32)
    missing, size = ~finite, 3
    while True:
        # Means over a window, of pixels and of what is known of them; it grows until all is known.
        share = cv2.boxFilter(weight, -1, (size, size), borderType=cv2.BORDER_CONSTANT)
        mean = cv2.boxFilter(filled, -1, (size, size), borderType=cv2.BORDER_CONSTANT)
        reached = missing & (share > 0.5 / (size * size))
        filled[reached] = np.clip(mean[reached] / share[reached], low, high)
        missing &= ~reached
        if not missing.any():
            return filled, count
        weight[reached] = 1.0
        size = 2 * size + 1


def find_dead_lines(image: np.ndarray) -> DeadLines:
    """Rows and columns of one value that is at odds with the lines beside them.

    Black borders, saturated areas and images of one value have no dead lines.

    Args:
        image: HxW uint8, uint16 or finite float32.
    """
    return DeadLines(tuple(_dead_rows(image)), tuple(_dead_rows(image.T)))


def fill_dead_lines(image: np.ndarray, lines: DeadLines) -> np.ndarray:
    """A copy whose dead lines are interpolated between the lines beside them.

    Args:
        image: HxW uint8, uint16 or finite float32.
        lines: Of `find_dead_lines`.
    """
    image = image.copy()
    for view, dead in ((image, lines.rows), (image.T, lines.columns)):
        for start, end in _runs(dead):
            view[start:end] = _between(view, start, end)
    return image


def _dead_rows(image: np.ndarray) -> list[int]:
    height, width = image.shape
    if min(height, width) < 4:
        return []
    # Even columns against odd ones tell as much as all neighbours, at half the price.
    equal = image[:, 1::2] == image[:, : width - width % 2 : 2]
    candidates = np.flatnonzero(np.count_nonzero(equal, axis=1) >= _EQUAL * equal.shape[1])
    dead: list[int] = []
    for start, end in _runs(candidates):
        if end - start <= LONGEST_RUN:
            dead += [row for row in range(start, end) if _is_dead(image, row, start, end)]
    return dead


def _is_dead(image: np.ndarray, row: int, start: int, end: int) -> bool:
    """Whether a row of the run of suspicious rows start..end-1 is dead."""
    line = image[row].astype(np.float64)
    value = np.median(line)
    if np.count_nonzero(line == value) < _EQUAL * line.size:
        return False
    height = image.shape[0]
    if 0 < start and end < height:
        beside = image[start - 1], image[end]
    elif end + 1 < height:
        beside = image[end], image[end + 1]
    elif start >= 2:
        beside = image[start - 2], image[start - 1]
    else:
        return False
    first, second = (other.astype(np.float64) for other in beside)
    usual = np.mean(np.abs(first - second))
    distance = min(np.mean(np.abs(first - value)), np.mean(np.abs(second - value)))
    # Beside lines of one value themselves nothing can be told.
    varied = np.ptp(first) > 0.0 and np.ptp(second) > 0.0
    return bool(varied and distance > _AT_ODDS * usual)


def _between(image: np.ndarray, start: int, end: int) -> np.ndarray:
    """Rows start..end-1 from the rows beside them; at the border, the one row there is."""
    above = image[start - 1 if start else end].astype(np.float64)
    below = image[end if end < image.shape[0] else start - 1].astype(np.float64)
    share = np.arange(1, end - start + 1)[:, None] / (end - start + 1)
    rows = above + share * (below - above)
    return rows if image.dtype.kind == "f" else np.rint(rows)


def _runs(indices: np.ndarray | tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of each run of consecutive indices."""
    indices = np.asarray(indices, int)
    if indices.size:
        for run in np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1):
            yield int(run[0]), int(run[-1]) + 1
