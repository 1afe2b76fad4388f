"""A user's own data set: folders of images and one annotation file are enough to train on."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.labels.labelled_pairs import labelled_pairs
from egmt_ros.training.data import load_split, load_training_data

VOCABULARY = Vocabulary(("person", "deer", "sky"), "encoder")


def listed(split: str, *names: str) -> dict[str, object]:
    return {"split": split, "infrared": {"entities": list(names)}, "visible": {"entities": []}}


def annotations(**pairs: object) -> str:
    head = {"format": "egmt-annotations", "version": 1, "dataset": "Park", "annotated_by": "me"}
    return json.dumps({**head, "vocabulary": ["deer", "person"], "pairs": pairs})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folder of one data set: two pairs to train on, one to validate on."""
    for split, name in (("train", "a"), ("train", "b"), ("val", "c")):
        for side, shape in (("ir", (64, 80)), ("vi", (64, 80, 3))):
            folder = tmp_path / "data" / "Park" / split / side
            folder.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / f"{name}.png"), np.full(shape, 90, np.uint8))
    file = tmp_path / "data" / "Park" / "annotations.json"
    file.write_text(annotations(a=listed("train", "deer"), c=listed("val", "person", "deer")))
    return tmp_path / "data"


@pytest.mark.parametrize("root", [".", "Park"])
def test_folders_and_one_file_are_enough(data: Path, root: str) -> None:
    found = load_training_data(data / root, VOCABULARY)
    targets = {sample.name: sample.target.tolist() for sample in found.pairs + found.validation}
    # Nobody looked for the sky, and b is not annotated.
    assert targets == {"a": [0, 1, -1], "b": [-1, -1, -1], "c": [1, 1, -1]}
    a = found.pairs[0]
    assert a.by_modality["thermal"].tolist() == [0, 1, -1]
    assert a.by_modality["visible"].tolist() == [0, 0, -1]
    (pair,) = labelled_pairs(data / root, "val", VOCABULARY)
    assert pair.target.tolist() == [1, 1, -1]


def test_labels_come_from_a_file_elsewhere(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "park.json"
    file.write_text(annotations(b=listed("train", "person")))
    samples = load_split(data, "train", VOCABULARY, annotations={"Park": file})
    assert [s.target.tolist() for s in samples] == [[-1, -1, -1], [1, 0, -1]]
    found = load_training_data(data, VOCABULARY, annotations={"Park": file})
    assert [s.target.tolist() for s in found.validation] == [[-1, -1, -1]]


def test_a_wrong_name_or_file_is_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="annotations names data set 'Parc', but"):
        load_split(data, "train", VOCABULARY, annotations={"Parc": tmp_path / "park.json"})
    with pytest.raises(DataError, match="park.json does not exist"):
        load_split(data, "train", VOCABULARY, annotations={"Park": tmp_path / "park.json"})
