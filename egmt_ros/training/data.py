"""Registered pairs with entity targets, held in memory.

Layout: `<root>/<dataset>/<split>/{ir,vi}/<name>.<png|jpg>`, annotations in `<root>/<dataset>/`, or
in annotation files given beside.
A data set without `vi` gives thermal-only frames, which train the labels alone. Where entities are
may stand in class images (see `masks`), or in `<root>/<dataset>/boxes.json`: name ->
{"boxes": [[class, x0, y0, x1, y1], ...]}, pixels, ends excluded; the annotated_vocabulary of
labels_meta.json says which classes were looked for. Annotation files may name classes that the
vocabulary lacks: they are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from egmt_ros.entities.annotations import UNKNOWN, Annotations, read_object
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.pipeline.image_files import images_by_stem, read_image, read_thermal, read_visible


@dataclass(frozen=True)
class Sample:
    """One pair, or one thermal frame.

    Attributes:
        dataset: Name of the data set.
        name: File stem.
        thermal: (H, W) uint8.
        visible: (H, W, 3) uint8 Y, Cr, Cb; None for a thermal-only frame.
        target: (E,) int8: 1 present, 0 absent, -1 unknown.
        by_modality: "thermal", "visible" -> the same for what that image alone shows.
        masks: Entity index -> (H, W) uint8 0 or 1, where the entity is; only entities that
            were drawn in this image, or are known to be absent.
        outlined: The masks are outlines, so what they cover is nothing else; boxes are not.
    """

    dataset: str
    name: str
    thermal: np.ndarray
    visible: np.ndarray | None
    target: np.ndarray
    masks: dict[int, np.ndarray]
    outlined: bool = False
    by_modality: dict[str, np.ndarray] = field(default_factory=dict)

    def without(self, entities: Collection[int]) -> Sample:
        """The sample with nothing known of some entities."""
        columns = list(entities)
        masks = {index: mask for index, mask in self.masks.items() if index not in entities}
        return replace(
            self,
            target=_forgotten(self.target, columns),
            masks=masks,
            by_modality={name: _forgotten(t, columns) for name, t in self.by_modality.items()},
        )


@dataclass(frozen=True)
class TrainingData:
    """What one run learns from, and what it is validated on.

    Attributes:
        pairs: To train on.
        thermal_only: Frames without a visible image, which train the labels alone.
        validation: Pairs.
    """

    pairs: list[Sample]
    thermal_only: list[Sample]
    validation: list[Sample]


def load_training_data(
    root: Path,
    vocabulary: Vocabulary,
    masks: dict[str, Any] | None = None,
    annotations: Mapping[str, Path] | None = None,
) -> TrainingData:
    """Load the splits train and val; see `load_split`.

    Raises:
        DataError: As `load_split`, or there is no pair to train on.
    """
    samples = load_split(root, "train", vocabulary, masks, annotations)
    pairs = [s for s in samples if s.visible is not None]
    if not pairs:
        raise DataError(f"{root} has no pairs to train on, only thermal frames")
    thermal_only = [s for s in samples if s.visible is None]
    validation = load_split(root, "val", vocabulary, masks, annotations)
    return TrainingData(pairs, thermal_only, validation)


def load_split(
    root: Path,
    split: str,
    vocabulary: Vocabulary,
    masks: dict[str, Any] | None = None,
    annotations: Mapping[str, Path] | None = None,
) -> list[Sample]:
    """Load every pair of one split of all data sets below `root`, sorted by data set and name.

    Args:
        root: Folder of data sets, or one data set.
        split: "train", "val" or "test".
        vocabulary: Entities to make targets for.
        masks: Data set name -> {"folder": ..., "classes": {pixel value: class name}}. Unlike an
            annotation file, it must name data sets below `root`, folders and entities that exist.
        annotations: Data set name -> annotation file in place of `<dataset>/annotations.json`.

    Raises:
        DataError: Nothing is there, an image or annotation file cannot be used, an image has no
            partner, or a pair differs in size.
        ConfigError: `masks` or `annotations` names a data set that is not there, or `masks` a
            class.
    """
    root, masks, annotations = root.resolve(), masks or {}, annotations or {}
    if (root / split).is_dir():
        folders = [root]
    else:
        folders = sorted(p for p in root.glob("*") if p.is_dir())
        _check_names("masks", masks, root, folders)
        _check_names("annotations", annotations, root, folders)
    samples = []
    for folder in folders:
        if not (folder / split / "ir").is_dir():
            continue
        labels = Annotations(folder, vocabulary, annotations.get(folder.name))
        finder = _MaskFinder(folder, split, labels, vocabulary, masks.get(folder.name))
        for path, partner in _frames(folder / split):
            target = labels.target(path.stem)
            thermal = read_thermal(path)
            if thermal.dtype != np.uint8:
                raise DataError(f"{path} holds {thermal.dtype}; expected 8 bits to train on")
            visible = None
            if partner is not None:
                visible = read_visible(partner)
                if visible.shape[:2] != thermal.shape:
                    raise DataError(
                        f"{path}: thermal is {_size(thermal)}, visible {_size(visible)}; "
                        "expected a registered pair of equal size"
                    )
                if visible.ndim == 2:
                    visible = cv2.cvtColor(visible, cv2.COLOR_GRAY2BGR)
                visible = cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb)
            found, outlined = finder.find(path.stem, thermal.shape, target)
            alone = {m: labels.target_in(path.stem, m) for m in ("thermal", "visible")}
            sample = Sample(
                folder.name, path.stem, thermal, visible, target, found, outlined, alone
            )
            samples.append(sample)
    if not samples:
        raise DataError(
            f"no images in {root}; expected <dataset>/{split}/ir and vi with files of equal stems"
        )
    return samples


def _forgotten(target: np.ndarray, columns: list[int]) -> np.ndarray:
    target = target.copy()
    target[columns] = UNKNOWN
    return target


def _check_names(key: str, named: Collection[str], root: Path, folders: Collection[Path]) -> None:
    """Refuse names of data sets that are not below `root`."""
    missing = sorted(set(named) - {folder.name for folder in folders})
    if missing and folders:
        raise ConfigError(
            f"{key} names data set {missing[0]!r}, but {root} has no such folder; correct the "
            f"name, or remove it from {key} of the training configuration"
        )


def _frames(folder: Path) -> list[tuple[Path, Path | None]]:
    """Thermal images and their visible partners; without a folder `vi` there are none."""
    thermal = images_by_stem(folder / "ir")
    if not (folder / "vi").is_dir():
        return [(path, None) for path in thermal.values()]
    visible = images_by_stem(folder / "vi")
    for side, images, other, others in (
        ("visible", thermal, "vi", visible),
        ("thermal", visible, "ir", thermal),
    ):
        alone = [path for stem, path in images.items() if stem not in others]
        if alone:
            raise DataError(
                f"{alone[0]} has no {side} partner in {folder / other} ({len(alone)} such files); "
                "add the partner or remove the file"
            )
    return [(path, visible[stem]) for stem, path in thermal.items()]


class _MaskFinder:
    """Masks of one data set, from class-index images or from boxes.json."""

    def __init__(
        self,
        folder: Path,
        split: str,
        annotations: Annotations,
        vocabulary: Vocabulary,
        masks: dict[str, Any] | None,
    ) -> None:
        self._vocabulary = vocabulary
        self._looked_for = annotations.looked_for
        self._folder = folder / split / masks["folder"] if masks else None
        self._classes = dict(masks["classes"]) if masks else {}
        for label in self._classes.values():
            if vocabulary.resolve(label) is None:
                raise ConfigError(
                    f"masks.{folder.name}.classes names {label!r}, which is not in the vocabulary; "
                    "correct the name, or remove it"
                )
        if self._folder is not None and not self._folder.is_dir():
            raise DataError(
                f"there is no folder {self._folder}, which masks.{folder.name} of the training "
                "configuration names; add the masks, or remove the entry"
            )
        path = folder / "boxes.json"
        self._boxes = {
            name: _boxes(f"{path}: {name}", found) for name, found in read_object(path).items()
        }

    def find(
        self, name: str, shape: tuple[int, ...], target: np.ndarray
    ) -> tuple[dict[int, np.ndarray], bool]:
        """Return the masks of an image, and whether they are outlines."""
        drawn: dict[int, np.ndarray] = {}
        path = self._folder / f"{name}.png" if self._folder else None
        outlined = path is not None and path.exists()
        if outlined:
            classes = read_image(path)
            if classes.shape != shape or classes.dtype != np.uint8:
                channels = 1 if classes.ndim == 2 else classes.shape[2]
                raise DataError(
                    f"{path} is {_size(classes)}, {classes.dtype} with {channels} channels; "
                    f"expected class numbers, {shape[1]}x{shape[0]} as the thermal image, uint8 "
                    "with 1 channel"
                )
            for value, label in self._classes.items():
                self._add(drawn, label, (classes == value).astype(np.uint8))
        elif name in self._boxes:
            for label in self._looked_for:
                self._add(drawn, label, np.zeros(shape, np.uint8))
            for label, x0, y0, x1, y1 in self._boxes[name]:
                mask = np.zeros(shape, np.uint8)
                mask[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = 1
                self._add(drawn, label, mask)
        # An entity that is present but was not drawn has no known place.
        return {i: m for i, m in drawn.items() if target[i] == int(m.any())}, outlined

    def _add(self, drawn: dict[int, np.ndarray], label: str, mask: np.ndarray) -> None:
        """Add to what is drawn of the entity that `label` means, if it is ours."""
        entity = self._vocabulary.resolve(label)
        if entity is not None:
            index = self._vocabulary.names.index(entity)
            drawn[index] = mask | drawn[index] if index in drawn else mask


def _boxes(where: str, found: Any) -> list[tuple[str, int, int, int, int]]:
    boxes = found.get("boxes") if isinstance(found, dict) else None
    if not isinstance(boxes, list):
        raise DataError(f"{where} is {found!r:.60}; expected an object with a list of boxes")
    for box in boxes:
        if not isinstance(box, list) or [type(v) for v in box] != [str, int, int, int, int]:
            raise DataError(
                f"{where}: boxes holds {box!r:.60}; expected [class, x0, y0, x1, y1], whole pixels"
            )
    return [tuple(box) for box in boxes]


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
