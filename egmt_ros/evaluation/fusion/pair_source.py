"""Which pairs there are to score, and reading them: what cannot be scored is named, not raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.fusion.pair_metrics import MINIMUM_SIDE
from egmt_ros.pipeline.image_files import list_images, read_thermal, read_visible_8_bit, to_grey

SIDES = {"ir": "thermal", "vi": "visible"}
"""Folder of a split -> camera."""


@dataclass(frozen=True)
class Rejection:
    """Something that was not scored.

    Attributes:
        dataset: Data set.
        split: Split of it.
        name: Name of the pair; "ir" or "vi" where that folder as a whole is useless.
        reason: What was found, and what was expected.
        method: The one method that is not scored on this pair; None: no method is.
    """

    dataset: str
    split: str
    name: str
    reason: str
    method: str | None = None


@dataclass(frozen=True)
class PairTask:
    """One pair to score: its files, and the fused images of other programs by method."""

    dataset: str
    split: str
    name: str
    thermal: Path
    visible: Path
    fused: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class PairSource:
    """What was found.

    Attributes:
        folders: Data set -> its folder, those with a pair of the splits.
        tasks: The pairs by data set, split (in the order asked for) and name.
        rejected: What was left out.
    """

    folders: dict[str, Path]
    tasks: tuple[PairTask, ...]
    rejected: tuple[Rejection, ...]


def find_tasks(data: Path, splits: Sequence[str], fused: Mapping[str, Path]) -> PairSource:
    """Find the pairs of some splits.

    Args:
        data: A data set folder `<split>/{ir,vi}/<name>.<extension>`, or a folder of such.
        splits: Folders of each data set; one that has none of a split is left out of it.
        fused: Method -> folder of `<dataset>/<name>.<extension>`; where there is one data set,
            `<name>.<extension>` in the folder itself will do.

    Raises:
        DataError: No data set has a split.
    """
    data = data.resolve()
    single = any((data / split).is_dir() for split in splits)
    candidates = [data] if single else sorted(p for p in data.glob("*") if p.is_dir())
    found = [
        (folder, split)
        for folder in candidates
        for split in splits
        if any((folder / split / side).is_dir() for side in SIDES)
    ]
    for split in splits:
        if not any(split == s for _, s in found):
            raise DataError(
                f"no pairs in {data}; expected <dataset>/{split}/ir and <dataset>/{split}/vi"
            )
    folders = {folder.name: folder for folder, _ in found}
    results = {
        name: {m: _fused_images(path, name, len(folders) == 1) for m, path in fused.items()}
        for name in folders
    }
    tasks: list[PairTask] = []
    rejected: list[Rejection] = []
    for folder, split in found:
        _scan_split(folder, split, results[folder.name], tasks, rejected)
    return PairSource(folders, tuple(tasks), tuple(rejected))


def read_pair(task: PairTask) -> tuple[np.ndarray, np.ndarray]:
    """Read a thermal (H, W) and a visible (H, W, 3) BGR or (H, W) image, uint8.

    Raises:
        DataError: An image cannot be read, is not of 8 bits, the sizes differ, or they are small.
    """
    thermal, visible = read_thermal(task.thermal), read_visible_8_bit(task.visible)
    if thermal.dtype != np.uint8:
        raise DataError(
            f"{task.thermal} holds {thermal.dtype}; expected 8 bits (uint8): the metrics count "
            "grey levels, so bring the images to 8 bits first, all with one range"
        )
    if thermal.shape != visible.shape[:2]:
        raise DataError(
            f"{task.thermal} is {_size(thermal)} and {task.visible.name} is {_size(visible)}; "
            "expected a registered pair of equal size: register the images first"
        )
    if min(thermal.shape) < MINIMUM_SIDE:
        raise DataError(
            f"{task.thermal} is {_size(thermal)}; VIF needs at least {MINIMUM_SIDE} pixels each way"
        )
    return thermal, visible


def read_fused(path: Path, like: np.ndarray) -> np.ndarray:
    """Read the luminance, (H, W) uint8, of a fused image of the size of `like`.

    Raises:
        DataError: It cannot be read, is not of 8 bits, or is of another size.
    """
    image = to_grey(read_visible_8_bit(path))
    if image.shape != like.shape:
        raise DataError(
            f"{path} is {_size(image)}; expected {_size(like)}, the size of its sources"
        )
    return image


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _fused_images(folder: Path, dataset: str, alone: bool) -> tuple[Path, dict[str, list[Path]]]:
    """Where one method's images of a data set are expected, and which there are."""
    place = folder / dataset
    if alone and not place.is_dir():
        place = folder
    return place, list_images(place) if place.is_dir() else {}


def _scan_split(
    folder: Path,
    split: str,
    results: Mapping[str, tuple[Path, dict[str, list[Path]]]],
    tasks: list[PairTask],
    rejected: list[Rejection],
) -> None:
    """Append one split's pairs, and what has no partner."""
    places = {side: folder / split / side for side in SIDES}
    images = {s: list_images(p) if p.is_dir() else {} for s, p in places.items()}
    useless = [side for side in SIDES if not images[side]]
    for side in useless:
        what = "holds no image" if places[side].is_dir() else "does not exist"
        lonely = sum(len(found) for found in images.values())
        rejected.append(
            Rejection(
                folder.name,
                split,
                side,
                f"{places[side]} {what}; {lonely} images beside it have no partner",
            )
        )
    if useless:
        return
    for name in sorted(images["ir"].keys() | images["vi"].keys()):
        reason = ""
        for side, camera in SIDES.items():
            paths = images[side].get(name, [])
            if len(paths) != 1:
                reason = reason or _not_one(paths, f"{camera} image", places[side], name)
        if reason:
            rejected.append(Rejection(folder.name, split, name, reason))
            continue
        own = {}
        for method, (place, found) in results.items():
            paths = found.get(name, [])
            if len(paths) == 1:
                own[method] = paths[0]
            else:
                reason = _not_one(paths, "fused image", place, name)
                rejected.append(Rejection(folder.name, split, name, reason, method))
        thermal, visible = images["ir"][name][0], images["vi"][name][0]
        tasks.append(PairTask(folder.name, split, name, thermal, visible, own))


def _not_one(paths: Sequence[Path], what: str, folder: Path, name: str) -> str:
    if paths:
        return f"{folder} has several images of the name {name}: {', '.join(p.name for p in paths)}"
    return f"there is no {what} of the name {name} in {folder}"
