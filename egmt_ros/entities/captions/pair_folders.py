"""The pairs of data set folders: what cannot be used is named, and the rest goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.entities.captions.caption_file import IMAGES
from egmt_ros.errors import DataError
from egmt_ros.pipeline.image_files import list_images, read_thermal, read_visible
from egmt_ros.pipeline.thermal import ThermalRangeEstimator

FOLDERS = {"infrared": "ir", "visible": "vi"}
"""Image of a pair -> folder of a split that holds it."""
_KNOWN_SPLITS = ("train", "val", "test")


class ImagePair(NamedTuple):
    """A pair of image files of one stem."""

    name: str
    split: str
    infrared: Path
    visible: Path

    def read(self, image: str) -> np.ndarray:
        """Read one image as a person would look at it: (H, W, 3) uint8, R, G, B.

        A thermal image of 8 bits is shown as it is; another one from black at its own lower
        percentile to white at its upper one, as `egmt fuse` does.

        Args:
            image: "infrared" or "visible".

        Raises:
            DataError: It is missing, damaged, or not of its kind.
            InputError: It has values that are not finite.
        """
        if image == "infrared":
            pixels = _shown(read_thermal(self.infrared))
        else:
            pixels = read_visible(self.visible)
        to_rgb = cv2.COLOR_GRAY2RGB if pixels.ndim == 2 else cv2.COLOR_BGR2RGB
        return cv2.cvtColor(pixels, to_rgb)


class DataSetPairs(NamedTuple):
    """The pairs of a data set.

    Attributes:
        folder: Of the data set.
        pairs: By split, then by name.
        problems: What was left out, and why; a line each.
    """

    folder: Path
    pairs: tuple[ImagePair, ...]
    problems: tuple[str, ...]


def find_data_sets(data: Path, splits: Sequence[str] = ()) -> tuple[DataSetPairs, ...]:
    """Find the pairs `<split>/{ir,vi}/<name>.<extension>` of a data set, or of a folder of such.

    Args:
        data: A data set folder, or a folder of data set folders.
        splits: Names of splits; empty takes every folder that holds `ir` or `vi`.

    Raises:
        DataError: `data` is no folder, or no data set has a split.
    """
    if not data.is_dir():
        raise DataError(f"there is no folder {data}; give a data set folder as --data")
    data = data.resolve()
    candidates = [data] if _splits(data, splits) else _folders(data)
    found = {folder: _splits(folder, splits) for folder in candidates}
    there = {split for names in found.values() for split in names}
    missing = [split for split in splits if split not in there]
    if missing or not there:
        split = missing[0] if missing else "<split>"
        inside = "; this is a split itself: give its parent" if _is_split(data) else ""
        raise DataError(
            f"no pairs in {data}; expected <dataset>/{split}/ir and <dataset>/{split}/vi with "
            f"images of equal names{inside}"
        )
    return tuple(_pairs(folder, names) for folder, names in found.items() if names)


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _is_split(folder: Path) -> bool:
    return any((folder / side).is_dir() for side in FOLDERS.values())


def _splits(folder: Path, wanted: Sequence[str]) -> list[str]:
    """The splits of a data set folder, in the order wanted, or train, val, test and others."""
    if wanted:
        return [split for split in wanted if _is_split(folder / split)]
    there = [path.name for path in _folders(folder) if _is_split(path)]
    known = [split for split in _KNOWN_SPLITS if split in there]
    return known + sorted(set(there) - set(known))


def _pairs(folder: Path, splits: Sequence[str]) -> DataSetPairs:
    pairs: dict[str, ImagePair] = {}
    problems: list[str] = []
    for split in splits:
        where = f"{folder.name}/{split}"
        absent = [side for side in FOLDERS.values() if not (folder / split / side).is_dir()]
        if absent:
            side = "vi" if absent == ["ir"] else "ir"
            count = len(list_images(folder / split / side))
            problems.append(
                f"{where}: there is no folder {absent[0]}, so the {count} images in {side} have "
                "no partner"
            )
            continue
        sides = [list_images(folder / split / FOLDERS[image]) for image in IMAGES]
        for name in sorted(sides[0].keys() | sides[1].keys()):
            files = [side.get(name, []) for side in sides]
            wrong = _what_is_wrong(files)
            if wrong is None and name in pairs:
                wrong = f"there is a pair of this name in {pairs[name].split}; rename one of them"
            if wrong is None:
                pairs[name] = ImagePair(name, split, files[0][0], files[1][0])
            else:
                problems.append(f"{where}/{name}: {wrong}")
    return DataSetPairs(folder, tuple(pairs.values()), tuple(problems))


def _what_is_wrong(files: Sequence[Sequence[Path]]) -> str | None:
    """Why the files of one stem, infrared and visible ones, are not a pair."""
    for side, paths in zip(FOLDERS.values(), files, strict=True):
        if not paths:
            return f"no partner in {side}"
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            return f"{side} holds {names}; expected one of them"
    return None


def _shown(thermal: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a thermal image."""
    if thermal.dtype == np.uint8:
        return thermal
    limits = ThermalRangeEstimator("frame").update(thermal, 0)
    scaled = (thermal.astype(np.float32) - limits.low) * (255.0 / (limits.high - limits.low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
