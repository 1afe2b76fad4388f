"""Cross-validation: every pair is judged once, by a network that saw nothing of its scene."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.errors import ConfigError, DataError, InputError
from egmt_ros.evaluation.labels import folds_command
from egmt_ros.evaluation.labels.label_bootstrap import scene_groups
from egmt_ros.evaluation.labels.label_metrics import average_precision
from egmt_ros.resources import config_path
from egmt_ros.training import folds, train_command
from egmt_ros.training.config import TrainingConfig, View, load_training_config
from egmt_ros.training.folds import score_folds, train_folds
from egmt_ros.training.loop import Trainer
from egmt_ros.training.run_record import read_records

EMBEDDINGS = np.random.default_rng(1).standard_normal((3, 5)).astype(np.float32)
TRAIN = ["00010D", "00012D", "00100D", "00102D", "00300N"]
VAL = ["00014D", "00500N", "00502N", "00700N"]
THERMAL_ONLY = ["00011D", "00101D", "00900D"]
"""Between frames of the first scene, of the second, and of none."""
SCENES = [{"00010D", "00012D", "00014D"}, {"00100D", "00102D"}, {"00300N"}, {"00500N", "00502N"},
          {"00700N"}]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "Street"
    for split, names in (("train", TRAIN), ("val", VAL)):
        for side, channels in (("ir", 1), ("vi", 3)):
            (folder / split / side).mkdir(parents=True)
            for name in names:
                image = rng.integers(0, 256, (64, 80, channels), np.uint8)
                cv2.imwrite(str(folder / split / side / f"{name}.png"), image)
    classes = ["person", "car", "tree"]
    (folder / "labels_meta.json").write_text(json.dumps({"annotated_vocabulary": classes}))
    labels = {
        name: [c for i, c in enumerate(classes) if (n + i) % 3 == 0]
        for n, name in enumerate(TRAIN + VAL)
    }
    (folder / "labels.json").write_text(json.dumps(labels))
    alone = tmp_path / "data" / "Street_thermal" / "train" / "ir"
    alone.mkdir(parents=True)
    for name in THERMAL_ONLY:
        image = rng.integers(0, 256, (64, 80), np.uint8)
        cv2.imwrite(str(alone / f"{name}.png"), image)
    return tmp_path / "data"


@pytest.fixture
def config(tmp_path: Path) -> TrainingConfig:
    vocabulary = tmp_path / "vocabulary.yaml"
    vocabulary.write_text(
        "text_encoder: encoder\nentities: [{name: person}, {name: car}, {name: tree}]\n"
    )
    shape = {"widths": [8, 8, 8], "decoder_width": 8, "attention_width": 8, "text_width": 5,
             "backbone_multiplier": 0.25}  # fmt: skip
    return replace(
        load_training_config(config_path("ablation.yaml")),
        **{"vocabulary": vocabulary, "network": shape, "masks": {}, "overlaps": {}, "steps": 1},
        **{"pretrained": False, "thermal_only": 0, "warm_up": 1},
        **{"small": View(2, 64, 64), "large": View(1, 64, 64, 0.5)},
    )


def test_every_pair_is_judged_once_without_its_scene(
    data: Path, config: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[str], set[str]]] = []
    thermal: list[set[str]] = []
    init = Trainer.__init__

    def remember(self: Trainer, *args: object, **options: object) -> None:
        init(self, *args, **options)
        seen.append(({s.name for s in self.pairs}, {s.name for s in self.validation_pairs}))
        thermal.append({s.name for s in self.thermal_only})

    monkeypatch.setattr(Trainer, "__init__", remember)
    runs = tmp_path / "folds"
    places = train_folds(config, data, runs, 3, EMBEDDINGS)
    assert [place.name for place in places] == ["fold1", "fold2", "fold3"]
    for trained, judged in seen:
        assert judged and not trained & judged and trained | judged == {*TRAIN, *VAL}
        assert all(scene <= judged or not scene & judged for scene in SCENES)
    for (_, judged), frames in zip(seen, thermal, strict=True):
        assert ("00011D" in frames) == ("00012D" not in judged)
        assert ("00101D" in frames) == ("00100D" not in judged)
        assert "00900D" in frames
    assert sorted(name for _, judged in seen for name in judged) == sorted([*TRAIN, *VAL])

    train_folds(config, data, runs, 3, EMBEDDINGS)
    assert len(seen) == 3  # finished ones are not trained again
    with pytest.raises(ConfigError, match="another budget"):
        train_folds(config, data, runs, 2, EMBEDDINGS)
    with pytest.raises(InputError, match="6 folds of 5 scenes"):
        train_folds(config, data, tmp_path / "more", 6, EMBEDDINGS)


def test_the_pooled_scores_are_those_of_all_pairs(
    data: Path, config: TrainingConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "folds"
    train_folds(config, data, runs, 3, EMBEDDINGS)
    found = score_folds(runs)
    scores = found.by_dataset["Street"]
    assert (found.folds, found.steps, scores.frames, scores.groups) == (3, 1, 9, 5)
    records = read_records(runs)
    truth = np.concatenate([r.targets for r in records])
    judged = np.concatenate([r.probabilities for r in records])
    for e, name in enumerate(("person", "car", "tree")):
        assert scores.of(name).ap.value == average_precision(truth[:, e], judged[:, e])

    out = tmp_path / "folds.json"
    assert folds_command.run(argparse.Namespace(runs=runs, out=out)) == 0
    said = capsys.readouterr().out
    assert "3 networks of 1 steps" in said and "## Street (9 pairs, 5 scenes)" in said
    assert json.loads(out.read_text())["by_dataset"]["Street"]["frames"] == 9

    copied = runs / "fold4"
    copied.mkdir()
    (copied / "validation.json").write_text((runs / "fold1" / "validation.json").read_text())
    with pytest.raises(DataError, match="held out by more than one run"):
        score_folds(runs)
    with pytest.raises(DataError, match="no validation.json"):
        score_folds(tmp_path / "nothing")


def test_folds_go_with_the_whole_network_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    train_command.add_arguments(parser)
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(folds, "train_folds", lambda *args: asked.append(args) or [Path("fold1")])
    assert train_command.run(parser.parse_args(["--data", "d", "--folds", "4"])) == 0
    assert asked[0][1:] == (Path("d"), Path("runs/egmt"), 4)
    assert capsys.readouterr().out == "fold1\n"
    with pytest.raises(ConfigError, match="give no --ablation"):
        train_command.run(parser.parse_args(["--data", "d", "--folds", "4", "--ablation", "all"]))
    with pytest.raises(SystemExit):
        parser.parse_args(["--data", "d", "--folds", "1"])


def test_the_scenes_of_this_test_are_scenes() -> None:
    names = [*TRAIN, *VAL]
    keys = scene_groups(["Street"] * len(names), names)
    found = {key: {n for n, k in zip(names, keys, strict=True) if k == key} for key in keys}
    assert sorted(map(sorted, found.values())) == sorted(map(sorted, SCENES))
