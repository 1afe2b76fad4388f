"""What a training configuration and a data set folder may hold, and how errors are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.resources import config_path
from egmt_ros.training.config import TrainingConfig, load_training_config
from egmt_ros.training.data import load_split

VOCABULARY = Vocabulary(("person", "bicycle", "car"), "encoder", aliases={"bike": "bicycle"})
SHAPE = (64, 80)


def load_with(folder: Path, key: str, value: Any) -> TrainingConfig:
    """The default configuration with `value` at the dotted `key`."""
    data = yaml.safe_load(config_path("training.yaml").read_text())
    place = data
    *parents, last = key.split(".")
    for parent in parents:
        place = place[parent]
    place[last] = value
    path = folder / "training.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_training_config(path)


def test_numbers_without_a_point_are_numbers(tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    text = config_path("training.yaml").read_text()
    path.write_text(text.replace("learning_rate: 0.002", "learning_rate: 2e-3"))
    assert load_training_config(path) == load_with(tmp_path, "learning_rate", 0.002)
    assert load_with(tmp_path, "steps", 1e3).steps == 1000
    assert isinstance(load_with(tmp_path, "steps", 1e3).steps, int)
    assert isinstance(load_with(tmp_path, "loss.ssim", 1).loss.ssim, float)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("steps", 0, "from 1 up"),
        ("steps", 1.5, "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", float("inf"), "a whole number"),
        ("seed", -1, "a whole number from 0"),
        ("threads", 0, "from 1 up"),
        ("learning_rate", "fast", "above 0"),
        ("learning_rate", 0, "above 0"),
        ("learning_rate", None, "above 0"),
        ("learning_rate", float("nan"), "above 0"),
        ("warm_up", 0, "1: no warm-up"),
        ("balance", {"A": {"labels": 2}}, "balance.A.labels is unknown"),
        ("balance", {"A": {"ssim": -1}}, "a number from 0 up"),
        ("weight_decay", -0.1, "from 0 up"),
        ("gradient_clip", 0, "above 0"),
        ("unguided", 1.1, "from 0 to 1"),
        ("average", 1, "below 1"),
        ("freeze_norms_at", -0.5, "from 0 to 1"),
        ("views.small.batch", 0, "from 1 up"),
        ("views.small.height", 250, "multiples of 16"),
        ("views.large.width", 48, "from 64 up"),
        ("views.large.share", 2, "from 0 to 1"),
        ("views.thermal_only", -1, "from 0 up"),
        ("views.thermal_only", 5, "less than views.small.batch, 5"),
        ("views.small", 3, "a mapping"),
        ("loss.labels", "much", "from 0 up"),
        ("loss.dense", -1, "from 0 up"),
        ("network", None, "a mapping"),
        ("network", {"widths": [8, 8]}, "three whole numbers"),
        ("masks", [], "a mapping"),
        ("masks.MSRS", {"folder": "seg", "classes": {"one": "car"}}, "from 0 to 255"),
        ("masks.MSRS", {"folder": 1, "classes": {}}, "a text"),
        ("overlaps.van", "car", "a list"),
        ("vocabulary", 3, "a text"),
    ],
)
def test_a_value_that_cannot_be(tmp_path: Path, key: str, value: Any, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_with(tmp_path, key, value)
    message = str(caught.value)
    assert key in message and expected in message and "training.yaml" in message


@pytest.mark.parametrize("key", ["sead", "views.medium", "views.small.batches", "loss.sim"])
def test_unknown_keys_are_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=f"{key} is unknown"):
        load_with(tmp_path, key, 1)


@pytest.mark.parametrize("key", ["vocabulary", "steps", "views", "loss"])
def test_missing_keys_are_named(tmp_path: Path, key: str) -> None:
    data = yaml.safe_load(config_path("training.yaml").read_text())
    del data[key]
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError, match=f"{key} is missing"):
        load_training_config(tmp_path / "a.yaml")


@pytest.mark.parametrize("text", ["", "[1]", "a: [", "\0"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match="a.yaml"):
        load_training_config(tmp_path / "a.yaml")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One data set of two pairs with class images, one with boxes."""
    for name in ("Masks", "Boxes"):
        for side, shape in (("ir", SHAPE), ("vi", (*SHAPE, 3)), ("seg", SHAPE)):
            folder = tmp_path / "data" / name / "train" / side
            folder.mkdir(parents=True)
            for stem in ("a", "b"):
                cv2.imwrite(str(folder / f"{stem}.png"), np.zeros(shape, np.uint8))
    folder = tmp_path / "data" / "Boxes"
    boxes = {"a": {"boxes": [["car", 5, 5, 15, 25], ["car", -9, 5, 3, 9], ["dog", 0, 0, 9, 9]]}}
    (folder / "boxes.json").write_text(json.dumps(boxes))
    (folder / "labels.json").write_text(json.dumps({"a": ["car", "dog"], "b": ["car"]}))
    (folder / "labels_meta.json").write_text('{"annotated_vocabulary": ["car", "dog", "bike"]}')
    return tmp_path / "data"


MASKS = {"Masks": {"folder": "seg", "classes": {1: "car", 2: "bike", 3: "bicycle"}}}


def test_boxes_tell_of_the_classes_that_were_looked_for(data: Path) -> None:
    masks = load_split(data, "train", VOCABULARY)[0].masks
    assert sorted(masks) == [1, 2]  # bicycle and car; nobody looked for people
    assert masks[1].sum() == 0 and masks[2].sum() == 10 * 20 + 3 * 4


def test_two_classes_of_one_entity_are_joined(data: Path) -> None:
    classes = np.zeros(SHAPE, np.uint8)
    classes[:10], classes[20:30] = 2, 3
    cv2.imwrite(str(data / "Masks/train/seg/a.png"), classes)
    (data / "Masks/labels.json").write_text('{"a": ["bike"]}')
    (data / "Masks/labels_meta.json").write_text('{"annotated_vocabulary": ["bike"]}')
    sample = load_split(data / "Masks", "train", VOCABULARY, MASKS)[0]
    assert list(sample.masks) == [1] and sample.masks[1].sum() == 20 * 80


@pytest.mark.parametrize(
    ("masks", "error", "words"),
    [
        ({"Mask": MASKS["Masks"]}, ConfigError, "data set 'Mask'"),
        ({"Masks": {"folder": "segs", "classes": {1: "car"}}}, DataError, "segs.*masks.Masks"),
        ({"Masks": {"folder": "seg", "classes": {1: "cra"}}}, ConfigError, "'cra'.*vocabulary"),
    ],
)
def test_masks_that_are_not_there(
    data: Path, masks: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        load_split(data, "train", VOCABULARY, masks)


@pytest.mark.parametrize(
    "classes",
    [np.zeros((64, 64), np.uint8), np.zeros((*SHAPE, 3), np.uint8), np.zeros(SHAPE, np.uint16)],
)
def test_class_images_that_do_not_fit(data: Path, classes: np.ndarray) -> None:
    cv2.imwrite(str(data / "Masks/train/seg/b.png"), classes)
    with pytest.raises(DataError, match=r"seg.b\.png is .*expected class numbers, 80x64"):
        load_split(data, "train", VOCABULARY, MASKS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "JSON object"),
        ('{"a": [1]}', "boxes.json: a is"),
        ('{"a": {"boxes": [["car", 0, 0, 1]]}}', "boxes.json: a: boxes holds"),
        ('{"a": {"boxes": [["car", 0, 0, 1, 2.5]]}}', "whole pixels"),
    ],
)
def test_boxes_of_another_shape(data: Path, content: str, words: str) -> None:
    (data / "Boxes/boxes.json").write_text(content)
    with pytest.raises(DataError, match=words):
        load_split(data, "train", VOCABULARY)


def test_files_without_a_partner_and_files_that_are_hidden(data: Path) -> None:
    (data / "Masks/train/ir/.DS_Store").write_bytes(b"x")
    assert len(load_split(data, "train", VOCABULARY)) == 4
    (data / "Masks/train/ir/a.png").rename(data / "Masks/train/a.png")
    with pytest.raises(DataError, match=r"vi.a\.png has no thermal partner"):
        load_split(data, "train", VOCABULARY)
    (data / "Masks/train/a.png").rename(data / "Masks/train/ir/a.png")
    (data / "Masks/train/vi/a.png").unlink()
    with pytest.raises(DataError, match=r"ir.a\.png has no visible partner"):
        load_split(data, "train", VOCABULARY)


def test_the_current_folder_is_a_data_set(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data / "Masks")
    samples = load_split(Path("."), "train", VOCABULARY, MASKS)
    assert [(s.dataset, s.name, s.outlined) for s in samples] == [
        ("Masks", "a", True),
        ("Masks", "b", True),
    ]


def test_thermal_images_of_16_bits_are_refused(data: Path) -> None:
    cv2.imwrite(str(data / "Masks/train/ir/a.png"), np.zeros(SHAPE, np.uint16))
    with pytest.raises(DataError, match="uint16; expected 8 bits"):
        load_split(data, "train", VOCABULARY)
