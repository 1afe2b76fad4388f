"""Random views of the samples: scale, crop, flip, brightness, faults; targets follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from egmt_ros.training.camera_faults import with_fault, without_fault
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
        shown_thermal: (B, 1, H, W) what the fused image is to show of the thermal image.
        shown_visible: (B, 1, H, W) the same of the visible luminance.
        lone: (B,) 1 where one camera shows nothing; the other one is then shown for both.
        target: (B, E) 1, 0 or -1 (unknown).
        dense: (B, E, H/16, W/16) share of the cell that the entity covers, -1 unknown.
        salient: (B, 1, H, W) 1 on pixels of drawn entities.
        outlined: (B,) 1 where they were drawn as outlines, 0 where as boxes or not at all.
        paired: (B,) 0 for thermal-only frames.
    """

    thermal: Tensor
    visible: Tensor
    shown_thermal: Tensor
    shown_visible: Tensor
    lone: Tensor
    target: Tensor
    dense: Tensor
    salient: Tensor
    outlined: Tensor
    paired: Tensor


def make_batch(
    samples: Sequence[Sample],
    view: View,
    rng: np.random.Generator,
    overlaps: np.ndarray | None = None,
    faults: float = 0.0,
) -> Batch:
    """Make one random view of each sample.

    Args:
        samples: What to view.
        view: Size of the views.
        rng: Source of all chance.
        overlaps: (E, E) bool, True where two entities may be at one place; None: all may. Where
            an outlined entity covers most of a cell, the others that may not are absent.
        faults: Share of the pairs that get a camera fault, 0..1.
    """
    columns = zip(*(_view(sample, view, rng, overlaps, faults) for sample in samples), strict=True)
    return Batch(*(torch.from_numpy(np.stack(column)) for column in columns))


def _view(
    sample: Sample,
    view: View,
    rng: np.random.Generator,
    overlaps: np.ndarray | None,
    faults: float,
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

    thermal = _jitter(cut(sample.thermal).astype(np.float32) / 255.0, rng)
    if sample.visible is None:
        visible = np.full((3, view.height, view.width), 0.5, np.float32)
        visible[0] = 0.0
    else:
        visible = cut(sample.visible).astype(np.float32).transpose(2, 0, 1) / 255.0
        visible[0] = _jitter(visible[0], rng)
    if sample.visible is not None and rng.random() < faults:
        seen = with_fault(thermal, visible, rng)
    else:
        seen = without_fault(thermal, visible)

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
    if seen.lost:  # what the other camera does not show cannot be found
        remaining = sample.by_modality["visible" if seen.lost == "thermal" else "thermal"]
        target = np.where(target == 1, remaining, target).astype(np.float32)
        dense[remaining != 1] = -1.0
    dense[absent] = 0.0
    return (
        np.ascontiguousarray(seen.thermal[None]),
        np.ascontiguousarray(seen.visible),
        np.ascontiguousarray(seen.shown_thermal[None]),
        np.ascontiguousarray(seen.shown_visible[None]),
        np.float32(bool(seen.lost)),
        target,
        dense,
        salient,
        np.float32(sample.outlined),
        np.float32(sample.visible is not None),
    )


def _jitter(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain, offset = rng.uniform(0.85, 1.15), rng.uniform(-0.06, 0.06)
    return np.clip((image - 0.5) * gain + 0.5 + offset, 0.0, 1.0).astype(np.float32)
