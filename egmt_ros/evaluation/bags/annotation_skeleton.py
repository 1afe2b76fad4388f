"""Annotation files of exported pairs, for people to fill in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from egmt_ros.entities.release.annotation_file import (
    FILE_NAME,
    AnnotationFile,
    ImageAnnotation,
    PairAnnotation,
    write_annotations,
)
from egmt_ros.errors import DataError
from egmt_ros.evaluation.replay.truth import UNKNOWN, Truth
from egmt_ros.pipeline.whole_files import write_whole

NOBODY = "nobody yet: write here who listed the entities"


class PairStamps(NamedTuple):
    """Source stamps of a pair, ns."""

    visible: int
    thermal: int


class Skeleton(NamedTuple):
    """What was written.

    Attributes:
        known: Pairs of which something is known.
        files: Names of the files.
    """

    known: int
    files: tuple[str, ...]


class _Known(NamedTuple):
    """Entities of a pair: what each image shows, what is there by a label alone, and the rest."""

    infrared: tuple[str, ...]
    visible: tuple[str, ...]
    somewhere: tuple[str, ...]
    unknown: tuple[str, ...]


def write_skeleton(
    folder: Path,
    split: str,
    names: tuple[str, ...],
    pairs: Mapping[str, PairStamps],
    truth: Truth | None,
) -> Skeleton:
    """Write annotations.json, in which every entity that is not known is unsure.

    What the truth says is filled in. What is there, but in which image is not known, stands in
    labels.json (with labels_meta.json), which wins over annotations.json.

    Args:
        folder: Data set; it holds the pairs.
        split: Of the pairs.
        names: Entities to annotate, all in lower case.
        pairs: File stem -> stamps.
        truth: By stamp, of either camera; None: nothing is known.

    Raises:
        DataError: A file cannot be written.
    """
    rows = {} if truth is None else {int(key): row for row, key in enumerate(truth.keys)}
    known = {}
    for stem, stamps in pairs.items():
        row = rows.get(stamps.visible, rows.get(stamps.thermal))
        known[stem] = _Known((), (), (), names) if row is None else _known(truth, row, names)
    filled = sum(len(pair.unknown) < len(names) for pair in known.values())
    content = AnnotationFile(
        dataset=folder.name,
        annotated_by=NOBODY if truth is None else f"the recorded ground truth ({truth.source})",
        extractor=None,
        vocabulary=names,
        pairs={
            stem: PairAnnotation(
                split,
                ImageAnnotation(None, pair.infrared, None),
                ImageAnnotation(None, pair.visible, None),
                None,
                (*pair.somewhere, *pair.unknown),
            )
            for stem, pair in known.items()
        },
    )
    try:
        write_annotations(folder / FILE_NAME, content)
    except OSError as error:
        raise DataError(f"{folder / FILE_NAME} cannot be written ({error.strerror})") from error
    labels = {stem: pair.somewhere for stem, pair in known.items() if pair.somewhere}
    if not labels:
        return Skeleton(filled, (FILE_NAME,))
    meta = {"annotated_vocabulary": [], "partial_labels": labels}
    _write_json(folder / "labels.json", labels)
    _write_json(folder / "labels_meta.json", meta)
    return Skeleton(filled, (FILE_NAME, "labels.json", "labels_meta.json"))


def _known(truth: Truth, row: int, names: tuple[str, ...]) -> _Known:
    infrared, visible, somewhere, unknown = [], [], [], []
    for name in names:
        index = truth.entities.index(name) if name in truth.entities else None
        state = UNKNOWN if index is None else truth.present[row, index]
        if state == UNKNOWN:
            unknown.append(name)
        elif state == 1:
            share = float(truth.shares[row, index])
            if math.isnan(share):
                somewhere.append(name)
            if share > 0.0:
                infrared.append(name)
            if share < 1.0:
                visible.append(name)
    return _Known(*map(tuple, (infrared, visible, somewhere, unknown)))


def _write_json(path: Path, content: object) -> None:
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
