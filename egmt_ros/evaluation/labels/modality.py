"""Labels split by what each image of a pair shows by itself.

`<dataset>/labels_by_modality.json`: name -> {"infrared" | "visible" | "fusion": {class: boxes}},
how many boxes people drew on that image alone. It holds numbers, no places: where things are
comes from class masks or from boxes.json (see `entity_regions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from egmt_ros.entities.annotations import read_object
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.labels.label_bootstrap import Estimate, wilson_estimate
from egmt_ros.resources import config_path
from egmt_ros.training.config import load_training_config
from egmt_ros.training.data import load_split

FILE = "labels_by_modality.json"
SHOWN = ("both", "thermal alone", "visible alone", "neither")


@dataclass(frozen=True)
class ShownScore:
    """How often an entity is reported on the frames that show it in one way.

    Attributes:
        entity: Name.
        shown: One of SHOWN: the images on which people boxed it. "neither" holds only frames
            without a box on any image whose label is "absent" too.
        frames: Number of frames.
        labelled: Frames among them whose label is "present".
        reported: Frames whose score reaches the threshold.
        rate: Frame recall; for "neither" the specificity. With Wilson's interval.
    """

    entity: str
    shown: str
    frames: int
    labelled: int
    reported: int
    rate: Estimate


@dataclass(frozen=True)
class PointingScore:
    """How often the attention's peak lies on the entity.

    Attributes:
        entity: Name.
        dataset: Name.
        region: What "on the entity" means.
        frames: Frames with such a region.
        hits: Frames whose peak lies in it.
        rate: hits / frames, with Wilson's interval.
        chance: Mean share of the image that the regions cover: what a random point reaches.
    """

    entity: str
    dataset: str
    region: str
    frames: int
    hits: int
    rate: Estimate
    chance: float | None


def read_box_counts(folder: Path, vocabulary: Vocabulary) -> dict[str, dict[str, dict[str, int]]]:
    """Read labels_by_modality.json: name -> image -> entity -> boxes; empty without the file.

    Classes that the vocabulary lacks are left out.

    Raises:
        DataError: The file is not JSON or of another shape.
    """
    path = folder / FILE
    found = {}
    for name, images in read_object(path).items():
        found[name] = {
            image: _entity_counts(f"{path}: {name}", images, image, vocabulary)
            for image in ("infrared", "visible", "fusion")
        }
    return found


def shown_in(counts: dict[str, dict[str, int]], entity: str) -> str | None:
    """Say on which image an entity was boxed: one of SHOWN, or None for the fused one alone."""
    thermal, visible = counts["infrared"].get(entity, 0), counts["visible"].get(entity, 0)
    if thermal and visible:
        return "both"
    if thermal or visible:
        return "thermal alone" if thermal else "visible alone"
    return None if counts["fusion"].get(entity, 0) else "neither"


def score_shown(
    entity: str,
    threshold: float,
    truth: np.ndarray,
    scores: np.ndarray,
    shown: Sequence[str | None],
) -> list[ShownScore]:
    """Score one entity for each way of being shown.

    Args:
        entity: Name.
        threshold: Score from which it counts as present.
        truth: (N,) 1, 0 or -1; decides nothing but "neither".
        scores: (N,) 0..1.
        shown: N of SHOWN, or None for frames to leave out.
    """
    table = []
    for way in SHOWN:
        chosen = np.array([s == way for s in shown], bool)
        if way == "neither":
            chosen &= truth == 0
        frames, reported = int(chosen.sum()), int((scores[chosen] >= threshold).sum())
        right = frames - reported if way == "neither" else reported
        labelled = int((truth[chosen] == 1).sum())
        rate = wilson_estimate(right, frames)
        table.append(ShownScore(entity, way, frames, labelled, reported, rate))
    return table


def score_pointing(
    entity: str, dataset: str, region: str, peaks: np.ndarray, masks: Sequence[np.ndarray | None]
) -> PointingScore:
    """Count the frames whose attention peak lies on the entity: the pointing game.

    Zhang et al., "Top-down neural attention by excitation backprop", IJCV 126, 2018; no margin of
    tolerance is added here. Frames without a region (None, or an empty one) are left out.

    Args:
        entity: Name.
        dataset: Name.
        region: What the masks are.
        peaks: (N, 2) x, y in whole pixels.
        masks: N (H, W), not 0 where the entity is, or None.
    """
    hits, shares = 0, []
    for (x, y), mask in zip(peaks, masks, strict=True):
        if mask is None or not mask.any():
            continue
        hits += bool(mask[y, x])
        shares.append(float((mask != 0).mean()))
    rate = wilson_estimate(hits, len(shares))
    chance = float(np.mean(shares)) if shares else None
    return PointingScore(entity, dataset, region, len(shares), hits, rate, chance)


def entity_regions(
    folder: Path, split: str, entity: str, vocabulary: Vocabulary
) -> dict[str, dict[str, np.ndarray]]:
    """Where an entity is in the frames of a split: what the region is -> stem -> (H, W) uint8.

    - "infrared boxes": of boxes.json, which people drew on the thermal image.
    - "mask pixels": the entity's pixels of the class masks, drawn on the registered pair.
    - "boxes around mask parts": bounding boxes of their 8-connected parts; they stand for boxes
      where none were kept.

    Which folder holds class masks is said by `masks` of config/training.yaml.

    Args:
        folder: Data set.
        split: "train", "val" or "test".
        entity: Name; one of the vocabulary.
        vocabulary: Resolves the class names of the files.

    Returns:
        Only frames where the entity is present and drawn.

    Raises:
        DataError: A file is damaged, or a mask differs in size from its image.
    """
    masks = load_training_config(config_path("training.yaml")).masks.get(folder.name)
    if masks and (folder / split / masks["folder"]).is_dir():
        named = {v: c for v, c in masks["classes"].items() if vocabulary.resolve(c) is not None}
        found = {folder.name: {"folder": masks["folder"], "classes": named}}
    else:
        found = {}
    index = vocabulary.names.index(entity)
    regions: dict[str, dict[str, np.ndarray]] = {}
    for sample in load_split(folder, split, vocabulary, found):
        mask = sample.masks.get(index)
        if mask is None or not mask.any():
            continue
        if not sample.outlined:
            regions.setdefault("infrared boxes", {})[sample.name] = mask
            continue
        regions.setdefault("mask pixels", {})[sample.name] = mask
        boxes = bounding_boxes(mask)
        regions.setdefault("boxes around mask parts", {})[sample.name] = boxes
    return regions


def bounding_boxes(mask: np.ndarray) -> np.ndarray:
    """Fill the bounding box of each 8-connected part of a (H, W) uint8 mask."""
    boxes = np.zeros_like(mask)
    _, _, parts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for x, y, width, height, _ in parts[1:]:
        boxes[y : y + height, x : x + width] = 1
    return boxes


def _entity_counts(
    where: str, images: object, image: str, vocabulary: Vocabulary
) -> dict[str, int]:
    counts = images.get(image, {}) if isinstance(images, dict) else None
    if not isinstance(counts, dict) or not all(
        type(number) is int and number >= 0 for number in counts.values()
    ):
        raise DataError(
            f"{where} is {images!r:.60}; expected infrared, visible and fusion, each an object of "
            "classes and how many boxes they have"
        )
    found: dict[str, int] = {}
    for label, number in counts.items():
        entity = vocabulary.resolve(label)
        if entity is not None:
            found[entity] = found.get(entity, 0) + number
    return found
