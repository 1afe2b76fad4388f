"""Pairs of a split with the truth about their entities, and what the engine says about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.labels.label_bootstrap import scene_groups
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible
from egmt_ros.resources import config_path


@dataclass(frozen=True)
class LabelledPair:
    """One registered pair.

    Attributes:
        folder: Folder of its data set; its name is the data set's.
        name: File stem.
        thermal: (H, W) uint8.
        visible: (H, W, 3) uint8 BGR.
        target: (E,) int8: 1 present, 0 absent, -1 unknown.
    """

    folder: Path
    name: str
    thermal: np.ndarray
    visible: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class SplitScores:
    """What the engine says about every pair of a split.

    Attributes:
        folders: N data set folders.
        frames: N file stems.
        truth: (N, E) int8: 1, 0, -1.
        scores: (N, E) 0..1.
        peaks: (N, E, 2) x and y, in pixels, of the middle of the cell that got most attention.
        sizes: (N, 2) width and height, pixels.
    """

    folders: list[Path]
    frames: list[str]
    truth: np.ndarray
    scores: np.ndarray
    peaks: np.ndarray
    sizes: np.ndarray

    @property
    def datasets(self) -> list[str]:
        """N names of data sets."""
        return [folder.name for folder in self.folders]

    @property
    def scenes(self) -> list[tuple[str, str, int]]:
        """N scenes; see scene_groups."""
        return scene_groups(self.datasets, self.frames)


def engine_vocabulary(engine: FusionEngine) -> Vocabulary:
    """The engine's entities, under every name that annotation files have for them."""
    aliases = load_vocabulary(config_path("vocabulary.yaml")).aliases
    return Vocabulary(engine.names, engine.text_encoder, aliases=aliases)


def labelled_pairs(data: Path, split: str, vocabulary: Vocabulary) -> Iterator[LabelledPair]:
    """Read the pairs of one split, one after the other, sorted by data set and name.

    Args:
        data: Folder of data sets, or one data set; data sets without visible images are left out.
        split: "train", "val" or "test".
        vocabulary: Entities to make targets for.

    Raises:
        DataError: There are no pairs, one is not of 8 bits or not of equal size, or an annotation
            file cannot be used.
    """
    for folder in data_sets(data, split):
        annotations = Annotations(folder, vocabulary)
        pairs = match_pairs(folder / split / "ir", folder / split / "vi")
        for name, thermal_path, visible_path in tqdm(
            pairs, unit="pair", desc=f"{folder.name} {split}"
        ):
            thermal, visible = read_thermal(thermal_path), read_visible(visible_path)
            if thermal.dtype != np.uint8 or thermal.shape != visible.shape[:2]:
                raise DataError(
                    f"{thermal_path} is {thermal.shape[1]}x{thermal.shape[0]} {thermal.dtype} and "
                    f"{visible_path} {visible.shape[1]}x{visible.shape[0]}; expected a registered "
                    "pair of equal size and 8 bits: register and convert the images first"
                )
            if visible.ndim == 2:
                visible = cv2.cvtColor(visible, cv2.COLOR_GRAY2BGR)
            yield LabelledPair(folder, name, thermal, visible, annotations.target(name))


def data_sets(data: Path, split: str) -> list[Path]:
    """`data` itself, or the folders in it, that hold pairs of the split.

    Raises:
        DataError: There are none.
    """
    data = data.resolve()
    candidates = [data] if (data / split).is_dir() else sorted(data.glob("*"))
    found = [f for f in candidates if (f / split / "ir").is_dir() and (f / split / "vi").is_dir()]
    if not found:
        raise DataError(
            f"no pairs in {data}; expected <dataset>/{split}/ir and <dataset>/{split}/vi"
        )
    return found


def score_split(engine: FusionEngine, data: Path, split: str) -> SplitScores:
    """Run the engine over every pair of a split.

    Raises:
        DataError: See labelled_pairs.
    """
    folders, frames, truth, scores, peaks, sizes = [], [], [], [], [], []
    for pair in labelled_pairs(data, split, engine_vocabulary(engine)):
        result = engine.fuse(pair.thermal, pair.visible)
        height, width = pair.thermal.shape
        folders.append(pair.folder)
        frames.append(pair.name)
        truth.append(pair.target)
        scores.append([result.scores[name] for name in engine.names])
        peaks.append(attention_peaks(result.attention, result.attention_cell, width, height))
        sizes.append((width, height))
    return SplitScores(
        folders, frames, np.array(truth), np.array(scores), np.array(peaks), np.array(sizes)
    )


def attention_peaks(attention: np.ndarray, cell: int, width: int, height: int) -> np.ndarray:
    """Middle of each map's strongest cell: (E, 2) whole pixels x, y, inside the image.

    Args:
        attention: (E, h, w).
        cell: Side of a cell, pixels.
        width: Width of the image, pixels.
        height: Height of the image, pixels.
    """
    best = attention.reshape(len(attention), -1).argmax(1)
    rows, cols = np.unravel_index(best, attention.shape[1:])
    x = np.minimum(cols * cell + cell // 2, width - 1)
    y = np.minimum(rows * cell + cell // 2, height - 1)
    return np.stack([x, y], -1)
