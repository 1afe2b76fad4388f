"""What emphasising an entity does: to its objects, to others, to the rest of the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.emphasis.contrast import Figure, contrast_to_noise, figures
from egmt_ros.evaluation.fusion.confidence import Interval, mean_interval
from egmt_ros.evaluation.fusion.metrics import score_pair
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.image_files import to_grey
from egmt_ros.resources import config_path
from egmt_ros.training.data import Sample, load_split

DOSES = (0.0, 0.5, 1.0, 2.0, 4.0)
"""Emphasis of an entity; 1 is neutral."""
NEUTRAL = DOSES.index(1.0)
REACH = 16
"""How far from an object the image counts as its own, pixels: a cell of the attention."""
NOTICEABLE = 2
"""Grey levels above which a pixel counts as changed."""


@dataclass(frozen=True)
class Emphasised:
    """What was measured of one emphasised entity.

    Attributes:
        contrast: Entity whose objects are looked at -> (N, D) CNR of each object at each dose.
        frames: The same -> (N,) which frame each object is in.
        hottest: (N,) CNR of the emphasised entity's own objects where, in place of the largest
            dose, the hottest pixels were brightened until the image had changed as much.
        rest: "vif", "qabf" -> (M, D) of each frame, with the emphasised objects and what is near
            as they are at the neutral dose.
        change: (M, D) mean absolute change of each frame against the neutral dose, grey levels.
    """

    contrast: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]
    hottest: np.ndarray
    rest: dict[str, np.ndarray]
    change: np.ndarray

    def gain(self, entity: str, dose: int = -1) -> Interval:
        """Change of the objects' mean CNR against the neutral dose; frames are drawn."""
        rise = self.contrast[entity][:, dose] - self.contrast[entity][:, NEUTRAL]
        numbers = np.unique(self.frames[entity])
        means = np.array([rise[self.frames[entity] == number].mean() for number in numbers])
        return mean_interval(means[:, None])


@dataclass(frozen=True)
class EmphasisEvaluation:
    """What emphasis does on a split.

    Attributes:
        model_id: Of the engine.
        split: That was looked at.
        by_entity: Emphasised entity -> what was measured.
        absent: (K,) share of the pixels that change noticeably when an entity that is known to be
            absent is emphasised as much as can be, one for each frame and such entity.
        absent_cases: K frames and entities.
    """

    model_id: str
    split: str
    by_entity: dict[str, Emphasised]
    absent: np.ndarray
    absent_cases: list[tuple[str, str]] = field(default_factory=list)


def evaluate_emphasis(
    engine: FusionEngine,
    data: Path,
    split: str,
    masks: Mapping[str, Any],
    entities: Sequence[str] = ("person", "car"),
    progress: bool = True,
) -> EmphasisEvaluation:
    """Emphasise each of `entities` in every pair with drawn entities.

    Args:
        engine: What fuses.
        data: Folder of data sets, see `egmt_ros.training.data`.
        split: Of them.
        masks: Where class masks lie, as in config/training.yaml.
        entities: To emphasise, and whose objects are looked at.
        progress: Show a progress bar.

    Raises:
        DataError: The data cannot be used, or no pair has one of `entities` drawn.
    """
    vocabulary = load_vocabulary(config_path("vocabulary.yaml"))
    samples = [
        sample
        for sample in load_split(data, split, vocabulary, dict(masks))
        if sample.visible is not None and sample.outlined
    ]
    drawn = {name: vocabulary.names.index(name) for name in entities}
    taken = {name: _Measured(entities) for name in entities}
    absent, cases = [], []
    for number, sample in enumerate(tqdm(samples, unit="pair", disable=not progress)):
        fuse = _Fuser(engine, sample)
        objects = {
            name: figures(sample.masks[index]) if index in sample.masks else []
            for name, index in drawn.items()
        }
        for name in entities:
            if objects[name]:
                taken[name].add(number, fuse, name, objects, sample.masks[drawn[name]])
        for index in np.flatnonzero(sample.target == 0):
            name = vocabulary.names[index]
            if name in engine.names:
                change = np.abs(fuse(name, DOSES[-1]).astype(int) - fuse.neutral)
                absent.append(float((change > NOTICEABLE).mean()))
                cases.append((f"{sample.dataset}/{sample.name}", name))
    lacking = [name for name in entities if not taken[name].change]
    if lacking:
        raise DataError(
            f"no pair of {split} in {data} has a {lacking[0]!r} drawn in a class mask; give data "
            "sets with masks, as in config/training.yaml"
        )
    found = {name: measured.finish() for name, measured in taken.items()}
    return EmphasisEvaluation(engine.model_id, split, found, np.array(absent), cases)


def brighten_hottest(fused: np.ndarray, thermal: np.ndarray, change: float) -> np.ndarray:
    """Whiten the hottest pixels, hottest first, until the image has changed as much.

    Args:
        fused: (H, W) uint8.
        thermal: (H, W), what is hot.
        change: Mean absolute change to reach, grey levels.

    Returns:
        (H, W) uint8.
    """
    order = np.argsort(-thermal.ravel().astype(np.float64), kind="stable")
    flat = fused.ravel().astype(np.int64)
    reached = np.cumsum(255 - flat[order])
    count = int(np.searchsorted(reached, change * flat.size))
    flat[order[:count]] = 255
    return flat.reshape(fused.shape).astype(np.uint8)


class _Fuser:
    """Fuses one pair with any emphasis."""

    def __init__(self, engine: FusionEngine, sample: Sample) -> None:
        self.engine = engine
        self.thermal = sample.thermal
        self.luminance = np.ascontiguousarray(sample.visible[..., 0])
        self.visible = cv2.cvtColor(sample.visible, cv2.COLOR_YCrCb2BGR)
        self.neutral = self._grey(None)

    def __call__(self, entity: str, dose: float) -> np.ndarray:
        return self._grey(self.engine.emphasis({entity: dose}))

    def _grey(self, weights: np.ndarray | None) -> np.ndarray:
        fused = self.engine.fuse(self.thermal, self.visible, entity_weights=weights)
        return to_grey(fused.image)

    def quality(self, fused: np.ndarray) -> dict[str, float]:
        images = (torch.from_numpy(i).float()[None, None] for i in (self.thermal, self.luminance))
        scores = score_pair(*images, torch.from_numpy(fused).float()[None, None])
        return {"vif": scores.vif.item(), "qabf": scores.qabf.item()}


class _Measured:
    """Collects what is measured of one emphasised entity."""

    def __init__(self, entities: Sequence[str]) -> None:
        self.contrast: dict[str, list[list[float]]] = {name: [] for name in entities}
        self.frames: dict[str, list[int]] = {name: [] for name in entities}
        self.hottest: list[float] = []
        self.rest: dict[str, list[list[float]]] = {"vif": [], "qabf": []}
        self.change: list[list[float]] = []

    def add(
        self,
        number: int,
        fuse: _Fuser,
        emphasised: str,
        objects: Mapping[str, list[Figure]],
        mask: np.ndarray,
    ) -> None:
        images = [fuse(emphasised, dose) if dose != 1.0 else fuse.neutral for dose in DOSES]
        for name, own in objects.items():
            self.contrast[name] += [[contrast_to_noise(i, one) for i in images] for one in own]
            self.frames[name] += [number] * len(own)
        changes = [float(np.abs(i.astype(int) - fuse.neutral).mean()) for i in images]
        self.change.append(changes)
        instead = brighten_hottest(fuse.neutral, fuse.thermal, changes[-1])
        self.hottest += [contrast_to_noise(instead, figure) for figure in objects[emphasised]]
        near = cv2.dilate(mask, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) != 0
        rows = [fuse.quality(np.where(near, fuse.neutral, image)) for image in images]
        for metric, column in self.rest.items():
            column.append([row[metric] for row in rows])

    def finish(self) -> Emphasised:
        doses = len(DOSES)
        return Emphasised(
            {name: np.array(rows).reshape(-1, doses) for name, rows in self.contrast.items()},
            {name: np.array(rows, int) for name, rows in self.frames.items()},
            np.array(self.hottest),
            {metric: np.array(rows) for metric, rows in self.rest.items()},
            np.array(self.change),
        )
