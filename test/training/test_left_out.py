"""Entities that are left out of training, and annotation files that a configuration names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.entities.annotations import UNKNOWN
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path
from egmt_ros.training.config import load_training_config
from egmt_ros.training.data import Sample
from egmt_ros.training.loop import entity_indices, without_entities
from egmt_ros.training.run_record import budget, differences

VOCABULARY = Vocabulary(("person", "car", "tree"), "encoder")


def sample() -> Sample:
    mask = np.ones((64, 64), np.uint8)
    return Sample(
        "A",
        "a",
        np.zeros((64, 64), np.uint8),
        None,
        np.array([1, 0, 1], np.int8),
        {0: mask, 1: mask},
        by_modality={"thermal": np.array([1, 0, 1], np.int8)},
    )


def test_nothing_is_known_of_an_entity_that_is_left_out() -> None:
    given = sample()
    hidden = entity_indices(VOCABULARY, ["person"])
    (found,) = without_entities([given], hidden)
    assert found.target.tolist() == [UNKNOWN, 0, 1]
    assert found.by_modality["thermal"].tolist() == [UNKNOWN, 0, 1]
    assert found.masks.keys() == {1}
    assert given.target.tolist() == [1, 0, 1] and given.masks.keys() == {0, 1}
    assert without_entities([given], entity_indices(VOCABULARY, [])) == [given]


def test_names_that_cannot_be_left_out() -> None:
    with pytest.raises(ConfigError, match="left_out names 'dog', which is not in the vocabulary"):
        entity_indices(VOCABULARY, ["dog"])
    with pytest.raises(ConfigError, match="names every entity"):
        entity_indices(VOCABULARY, ["tree", "car", "person"])


def test_the_configurations_of_the_project_name_what_there_is() -> None:
    zero = load_training_config(config_path("zero_shot.yaml"))
    assert len(zero.left_out) == 5
    tuned = load_training_config(config_path("fine_tune.yaml"))
    assert tuned.annotations == {
        "RoadScene": config_path("fine_tune.yaml").parent / "../annotations/roadscene.json"
    }


def test_the_prior_of_an_entity_that_is_left_out_is_that_of_the_others(
    tmp_path: Path,
) -> None:
    from egmt_ros.training.data import TrainingData
    from egmt_ros.training.loop import Trainer, log_odds

    vocabulary = tmp_path / "vocabulary.yaml"
    vocabulary.write_text(
        "text_encoder: encoder\nentities:\n" + "".join(f"- name: {n}\n" for n in VOCABULARY.names)
    )
    config = load_training_config(config_path("training.yaml"))
    network = {"backbone_multiplier": 0.25, "text_width": 8}
    config = replace(
        config,
        vocabulary=vocabulary,
        left_out=("tree",),
        overlaps={},
        pretrained=False,
        threads=1,
        network=network,
    )
    given = sample()
    embeddings = np.eye(3, 8, dtype=np.float32)
    trainer = Trainer(
        config, tmp_path, tmp_path / "run", embeddings, samples=TrainingData([given], [], [given])
    )
    expected = log_odds(np.array([[1, 0]]))
    np.testing.assert_allclose(trainer.network.prior[:2].detach(), expected, rtol=1e-6)
    np.testing.assert_allclose(trainer.network.prior[2].item(), expected.mean(), atol=1e-6)
    assert trainer.pairs[0].target[2] == UNKNOWN
    assert trainer.validation_pairs[0].target[2] == 1  # validation knows the truth


def test_annotation_files_are_part_of_what_runs_must_have_in_common(tmp_path: Path) -> None:
    config = load_training_config(config_path("training.yaml"))
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text("{}")
    second.write_text("{}")
    budgets = [
        budget(replace(config, annotations={"A": path}), "hash", [sample()], [])
        for path in (first, second)
    ]
    assert budgets[0] == budgets[1]  # wherever they lie
    second.write_text("[]")
    other = budget(replace(config, annotations={"A": second}), "hash", [sample()], [])
    (difference,) = differences(budgets[0], other)
    assert difference.startswith("annotations.A (")
