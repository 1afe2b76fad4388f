"""Whether an annotation file and a data set folder speak of the same pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from egmt_ros.entities.release import problems as kinds
from egmt_ros.entities.release.annotation_file import AnnotationFile
from egmt_ros.entities.release.problems import Problem
from egmt_ros.errors import DataError
from egmt_ros.pipeline.image_files import list_images


class Frame(NamedTuple):
    """One pair on disk, or one thermal frame.

    Attributes:
        splits: Folders of the data set that hold it.
        visible: There is a visible image.
    """

    splits: tuple[str, ...]
    visible: bool


def dataset_folder(data: Path, dataset: str) -> Path:
    """The folder of a data set: `data`/`dataset`, or `data` itself if it holds splits.

    Raises:
        DataError: Neither is there.
    """
    if (data / dataset).is_dir():
        return data / dataset
    if holds_splits(data):
        return data
    raise DataError(
        f"there is no data set {dataset!r} in {data}; expected <split>/ir and <split>/vi in "
        f"{data / dataset} or in {data}"
    )


def holds_splits(folder: Path) -> bool:
    """Whether a folder is a data set, with at least one <split>/ir."""
    return any(folder.glob("*/ir"))


def list_frames(folder: Path) -> dict[str, Frame]:
    """Name -> frame of every pair of a data set, sorted by name.

    An image without a partner, where there is a folder `vi`, is no pair and is left out.

    Raises:
        DataError: A folder of images cannot be listed.
    """
    splits: dict[str, list[str]] = defaultdict(list)
    visible = {}
    for thermal in sorted(folder.glob("*/ir")):
        names = set(list_images(thermal))
        partners = thermal.parent / "vi"
        paired = partners.is_dir()
        if paired:
            names &= set(list_images(partners))
        for name in names:
            splits[name].append(thermal.parent.name)
            visible[name] = paired
    return {name: Frame(tuple(splits[name]), visible[name]) for name in sorted(splits)}


def check_against(file: AnnotationFile, frames: Mapping[str, Frame]) -> Iterator[Problem]:
    """What is wrong between a file and the pairs of its data set."""
    for name, pair in file.pairs.items():
        if name not in frames:
            yield Problem(
                kinds.NO_PAIR,
                "annotated, but the data set has no such pair; correct the name, remove the "
                "annotation, or add the images",
                name,
            )
            continue
        frame = frames[name]
        if pair.split not in frame.splits:
            yield Problem(
                kinds.SPLIT,
                f"split is {pair.split!r:.60}, but its images are in {' and '.join(frame.splits)}; "
                "correct split, or move the images",
                name,
            )
        if frame.visible and pair.visible is None:
            message = "visible is missing, but there is a visible image; annotate it"
            yield Problem(kinds.SHAPE, message, name)
        if not frame.visible and pair.visible is not None:
            message = "visible is annotated, but there are thermal images alone; leave it out"
            yield Problem(kinds.SHAPE, message, name)
    for name, frame in frames.items():
        if len(frame.splits) > 1:
            yield Problem(
                kinds.AMBIGUOUS,
                f"its images are in {' and '.join(frame.splits)}, and an annotation cannot say "
                "which it means; rename the files of one",
                name,
            )
        if name not in file.pairs:
            yield Problem(
                kinds.UNANNOTATED,
                f"the images are in {frame.splits[0]}, but there is no annotation: its entities "
                "are unknown in training",
                name,
                warning=True,
            )
