"""Random views of the samples: scale, crop, flip, brightness; targets follow the crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from egmt_ros.training.config import View
from egmt_ros.training.data import Sample

TOKEN = 16
"""Side of the cell of a dense target, pixels: the stride of the coarse features."""
VISIBLE_PIXELS = 20
"""Mask pixels from which an entity counts as present in a view."""

COVERED = 0.5
"""Share of a cell from which an outlined entity leaves no room for another."""


@dataclass(frozen=True)
class Batch:
    """Views for one step.

    Attributes:
        thermal: (B, 1, H, W) 0..1.
        visible: (B, 3, H, W) Y, Cr, Cb, 0..1; a thermal-only frame has black luminance.
        target: (B, E) 1, 0 or -1 (unknown).
        dense: (B, E, H/16, W/16) share of the cell that the entity covers, -1 unknown.
        salient: (B, 1, H, W) 1 on pixels of drawn entities.
        paired: (B,) 0 for thermal-only frames.
        place: (B, 5) top, left, height and width of the view as shares of the image, and 1 if it
            is mirrored.
    """

    thermal: Tensor
    visible: Tensor
    target: Tensor
    dense: Tensor
    salient: Tensor
    paired: Tensor
    place: Tensor


def make_batch(
    samples: Sequence[Sample],
    view: View,
    rng: np.random.Generator,
    overlaps: np.ndarray | None = None,
) -> Batch:
    """Make one random view of each sample.

    Args:
        samples: What to view.
        view: Size of the views.
        rng: Source of all chance.
        overlaps: (E, E) bool, True where two entities may be at one place; None: all may. Where
            an outlined entity covers most of a cell, the others that may not are absent.
    """
    columns = zip(*(_view(sample, view, rng, overlaps) for sample in samples), strict=True)
    return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))


def _view(
    sample: Sample, view: View, rng: np.random.Generator, overlaps: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    height, width = sample.thermal.shape
    fit = min(height / view.height, width / view.width)
    whole = fit <= 1.0 or rng.random() < 0.5
    if whole:  # or nearly, at whatever aspect the view has
        crop_h, crop_w = (round(side * rng.uniform(0.95, 1.0)) for side in (height, width))
    else:  # a part at about full size
        crop = min(fit, 1.0 / rng.uniform(0.7, 1.2))
        crop_h, crop_w = round(view.height * crop), round(view.width * crop)
    top, left = rng.integers(height - crop_h + 1), rng.integers(width - crop_w + 1)
    flip = rng.random() < 0.5

    def cut(image: np.ndarray, nearest: bool = False) -> np.ndarray:
        part = image[top : top + crop_h, left : left + crop_w]
        smooth = cv2.INTER_AREA if crop_h > view.height else cv2.INTER_LINEAR
        mode = cv2.INTER_NEAREST if nearest else smooth
        part = cv2.resize(part, (view.width, view.height), interpolation=mode)
        return part[:, ::-1] if flip else part

    thermal = _jitter(cut(sample.thermal).astype(np.float32) / 255.0, rng)[None]
    if sample.visible is None:
        visible = np.full((3, view.height, view.width), 0.5, np.float32)
        visible[0] = 0.0
    else:
        visible = cut(sample.visible).astype(np.float32).transpose(2, 0, 1) / 255.0
        visible[0] = _jitter(visible[0], rng)
        if rng.random() < 0.1:  # night comes
            visible[0] *= rng.uniform(0.1, 0.5)

    # Of a part only what was drawn is known: to keep the absent ones alone would teach absence.
    absent = sample.target == 0
    target = sample.target.astype(np.float32) if whole else np.full(len(absent), -1.0, np.float32)
    dense = np.full(
        (len(target), view.height // TOKEN, view.width // TOKEN), -1.0, dtype=np.float32
    )
    salient = np.zeros((1, view.height, view.width), np.float32)
    for entity, mask in sample.masks.items():
        part = np.ascontiguousarray(cut(mask, nearest=True))
        pixels = int(part.sum())
        target[entity] = 1.0 if pixels >= VISIBLE_PIXELS else -1.0 if pixels else 0.0
        cells = part.reshape(view.height // TOKEN, TOKEN, view.width // TOKEN, TOKEN)
        dense[entity] = cells.mean((1, 3), dtype=np.float32)
        salient[0] = np.maximum(salient[0], part)
    if sample.outlined and overlaps is not None:
        for entity in sample.masks:
            alone = ~overlaps[entity][:, None, None] & (dense[entity] > COVERED)
            dense[alone & (dense < 0)] = 0.0
    dense[absent] = 0.0
    paired = np.float32(sample.visible is not None)
    place = np.float32([top / height, left / width, crop_h / height, crop_w / width, flip])
    return thermal, np.ascontiguousarray(visible), target, dense, salient, paired, place


def _jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain, offset = rng.uniform(0.85, 1.15), rng.uniform(-0.06, 0.06)
    return np.clip((image - 0.5) * gain + 0.5 + offset, 0.0, 1.0).astype(np.float32)
