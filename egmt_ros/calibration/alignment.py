"""The homography that lays the edges of thermal images over those of visible ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.pipeline.registration.edges import (
    FINE_WIDTH,
    Edges,
    ImagePair,
    contrasted,
    edges_of,
)

MODELS = {"similarity": 4, "affine": 6, "homography": 8}
"""Model -> its number of parameters."""

COARSE_WIDTH = 160
"""Pixels of the visible image on the first level."""
MAX_SHIFT = 0.08
"""Largest shift that is looked for, in widths of the image: 51 pixels of 640."""
SCALES = (0.94, 0.97, 1.0, 1.03, 1.06)
ANGLES = (-2.6, -1.3, 0.0, 1.3, 2.6)
"""Degrees."""
ROUNDS = 20
CONVERGED = 0.02
"""Pixels; a step that moves no border by more is the last."""
STRIDE_FROM = 320
"""Width in pixels above which every second pixel is enough: the channels are smooth."""
RIDGE = 1e-6
LARGEST_GAIN = 10.0
LEAST_OVERLAP = 0.2
"""Share of the visible image that the thermal image must keep covered."""

_REMEDY = "give more pairs with structure, a --start nearer to the truth, or --points"


def align(pairs: Sequence[ImagePair], start: np.ndarray, model: str = "similarity") -> np.ndarray:
    """Find the one homography under which the edges of all pairs agree best.

    A grid of scales, turns and shifts around the start is searched on small images; the best is
    refined on growing ones by the enhanced correlation coefficient of Evangelidis and Psarakis,
    "Parametric image alignment using enhanced correlation coefficient maximization", IEEE TPAMI
    30(10), 2008, of edge channels less their local mean instead of grey values, added up over the
    pairs.

    Args:
        pairs: One or several, all of one thermal and one visible size.
        start: (3, 3) from thermal to visible pixels, right within 8 % of the width, 6 % in scale
            and 2.6 degrees.
        model: What is refined: `similarity` (shift, turn, scale), `affine`, or `homography`;
            the more it is free to do, the more pairs it needs.

    Returns:
        (3, 3) float64 from thermal to visible pixels, its last number 1.

    Raises:
        DataError: the images show no edges where they overlap, or slid apart.
    """
    size = pairs[0].visible.shape[1]
    fine, coarse = min(1.0, FINE_WIDTH / size), min(1.0, COARSE_WIDTH / size)
    update = np.eye(3)
    for number, level in enumerate(sorted({coarse, (coarse * fine) ** 0.5, fine})):
        edges = [_contrasted(edges_of(pair, start, level)) for pair in pairs]
        to_level = _scaling(level)
        here = to_level @ update @ np.linalg.inv(to_level)
        if number == 0:
            shown = [bool(e.thermal.any() and e.visible.any()) for e in edges]
            pairs = list(itertools.compress(pairs, shown))
            edges = list(itertools.compress(edges, shown))
            if not edges:
                raise DataError(f"no pair has edges in both images where they overlap; {_REMEDY}")
            here = _refine(edges, _search(edges), MODELS["similarity"])
        else:
            here = _refine(edges, here, MODELS[model])
        update = np.linalg.inv(to_level) @ here @ to_level
    matrix = np.linalg.inv(update) @ start
    return matrix / matrix[2, 2]


def _scaling(factor: float) -> np.ndarray:
    """Pixel coordinates (centres at whole numbers) -> those of the image resized by `factor`."""
    offset = factor / 2 - 0.5
    return np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1]])


def _contrasted(edges: Edges) -> Edges:
    everywhere = np.ones_like(edges.valid)
    return edges._replace(
        thermal=contrasted(edges.thermal, edges.valid),
        visible=contrasted(edges.visible, everywhere),
    )


def _search(edges: Sequence[Edges]) -> np.ndarray:
    """The similarity, of a grid, with the highest correlation: visible -> thermal."""
    height, width = edges[0].valid.shape
    shape = cv2.getOptimalDFTSize(2 * height), cv2.getOptimalDFTSize(2 * width)
    reach = int(np.ceil(MAX_SHIFT * width))
    centre = (width - 1) / 2, (height - 1) / 2
    visible = [np.conj(_spectrum(_centred(e.visible), shape)) for e in edges]
    best, found = -np.inf, np.eye(3)
    for scale, angle in itertools.product(SCALES, ANGLES):
        turn = np.vstack([cv2.getRotationMatrix2D(centre, angle, scale), [0, 0, 1]])
        total = np.zeros(shape)
        for e, spectrum in zip(edges, visible, strict=True):
            moved = cv2.warpPerspective(
                e.thermal, turn, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            )
            moved = _centred(moved)
            product = _spectrum(moved, shape) * spectrum
            total += np.fft.irfft2(product.sum(2), shape, axes=(0, 1)) / np.linalg.norm(moved)
        near = np.roll(total, (reach, reach), (0, 1))[: 2 * reach + 1, : 2 * reach + 1]
        row, column = np.unravel_index(int(near.argmax()), near.shape)
        if near[row, column] > best:
            best = near[row, column]
            shift = np.array([[1, 0, column - reach], [0, 1, row - reach], [0, 0, 1]], float)
            found = turn @ shift
    return found


def _spectrum(channels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.fft.rfft2(channels, shape, axes=(0, 1))


def _centred(channels: np.ndarray, axes: int | tuple[int, int] = (0, 1)) -> np.ndarray:
    return channels - channels.mean(axes)


def _refine(edges: Sequence[Edges], warp: np.ndarray, parameters: int) -> np.ndarray:
    """Climb from a warp (visible -> thermal) to the nearest highest correlation."""
    height, width = edges[0].valid.shape
    to_unit = np.linalg.inv(np.array(
        [[width / 2, 0, (width - 1) / 2], [0, width / 2, (height - 1) / 2], [0, 0, 1]]
    ))
    v, u = np.mgrid[:height, :width].astype(np.float32)
    unit = u * np.float32(2 / width) - (width - 1) / width, (v - (height - 1) / 2) * 2 / width
    stride = 1 + (width > STRIDE_FROM)
    for _ in range(ROUNDS):
        normal, right = np.zeros((parameters, parameters)), np.zeros(parameters)
        for pair in edges:
            a, b = _equations(pair, warp, unit, parameters, stride)
            normal += a
            right += b
        if not normal.any():
            raise DataError(f"there are no edges left where the images overlap; {_REMEDY}")
        step = _solve(normal, right)
        warp = warp @ np.linalg.inv(to_unit) @ _increment(step) @ to_unit
        warp /= warp[2, 2]
        if np.abs(step).max() * width / 2 < CONVERGED:
            break
    return warp


def _solve(normal: np.ndarray, right: np.ndarray) -> np.ndarray:
    # What the edges say nothing about stays as it is.
    return np.linalg.solve(normal + RIDGE * np.trace(normal) * np.eye(len(normal)), right)


def _increment(step: np.ndarray) -> np.ndarray:
    """(3, 3) in unit coordinates: shift, scale, turn; two of shear; two of perspective."""
    p = np.zeros(8)
    p[: len(step)] = step
    return np.array([
        [1 + p[2] + p[4], -p[3] + p[5], p[0]],
        [p[3] + p[5], 1 + p[2] - p[4], p[1]],
        [p[6], p[7], 1],
    ])


def _equations(
    pair: Edges, warp: np.ndarray, unit: tuple[np.ndarray, np.ndarray], count: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    """Normal equations of one ECC step, forward compositional, on every `stride`-th pixel."""
    height, width = pair.valid.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpPerspective(pair.thermal, warp, (width, height), flags=flags)
    seen = cv2.warpPerspective(pair.valid.astype(np.uint8), warp, (width, height), flags=flags)
    seen = cv2.erode(seen, np.ones((9, 9), np.uint8), borderValue=0)[::stride, ::stride] > 0
    if np.count_nonzero(seen) < seen.size * LEAST_OVERLAP:
        raise DataError(
            "the thermal image was moved out of the visible one: the edges do not tell how they"
            f" lie; {_REMEDY}"
        )
    # Sobel's weights add up to 8; a unit is half the width.
    across, down = (
        cv2.Sobel(moved, cv2.CV_32F, *order, scale=width / 16)[::stride, ::stride][seen]
        for order in ((1, 0), (0, 1))
    )
    image = _centred(moved[::stride, ::stride][seen], 0)
    template = _centred(pair.visible[::stride, ::stride][seen], 0)
    if not image.any() or not template.any():
        return np.zeros((count, count)), np.zeros(count)
    u, v = (axis[::stride, ::stride][seen][:, None] for axis in unit)
    along = u * across + v * down
    columns = [across, down, along, u * down - v * across]
    if count > 4:
        columns += [u * across - v * down, v * across + u * down]
    if count > 6:
        columns += [-u * along, -v * along]
    jacobian = np.stack([column.ravel() for column in columns])
    normal = (jacobian @ jacobian.T).astype(float)
    of_image, of_template = jacobian @ image.ravel(), jacobian @ template.ravel()
    # Equation 21 of Evangelidis and Psarakis: how much weaker the template is than the image.
    reached = _solve(normal, of_image)
    power = float((image**2).sum()) - float(of_image @ reached)
    common = float((image * template).sum()) - float(of_template @ reached)
    gain = min(power / common, LARGEST_GAIN) if common > 0 else LARGEST_GAIN
    return normal / power, (gain * of_template - of_image) / power
