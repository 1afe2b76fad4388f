"""Cross-validation by scene: every pair of train and val judged by a network that did not see it.

Frames of one scene resemble each other, so whole scenes are held out. What is had this way is the
quality of the recipe at the budget given, not that of one checkpoint, on many more pairs than the
test split has.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from egmt_ros.entities.text.vocabulary_embeddings import embed_vocabulary
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.labels.label_bootstrap import grouped_folds, scene_groups
from egmt_ros.evaluation.labels.labels import LabelScores, score_labels
from egmt_ros.training.config import TrainingConfig
from egmt_ros.training.data import TrainingData, load_training_data
from egmt_ros.training.loop import Trainer
from egmt_ros.training.run_record import (
    BUDGET_NAME,
    RECORD_NAME,
    RunRecord,
    budget,
    hold_budget,
    read_records,
)

THRESHOLD = 0.5
"""Of every entity: the stored thresholds belong to one checkpoint."""


def train_folds(
    config: TrainingConfig,
    data: Path,
    folder: Path,
    count: int,
    embeddings: np.ndarray | None = None,
) -> list[Path]:
    """Train `count` networks, each without the scenes of one fold; finished ones are skipped.

    A thermal-only frame is left out with the scene that it belongs to. Scenes are told by the file
    names alone, whatever the data set, since thermal frames may be of the sequences of another one.

    Args:
        config: The budget of each.
        data: Folder of data sets.
        folder: Each run gets its own folder below it.
        count: Number of folds.
        embeddings: (E, text_width) of the vocabulary; None computes them.

    Returns:
        The run folders.

    Raises:
        ConfigError: `folder` was begun with another budget.
        InputError: There are fewer scenes than folds.
    """
    vocabulary = load_vocabulary(config.vocabulary)
    given = load_training_data(data, vocabulary, config.masks, config.annotations)
    pairs = [*given.pairs, *given.validation]
    names = [sample.name for sample in (*pairs, *given.thermal_only)]
    scenes = scene_groups([""] * len(names), names)
    of_pairs, of_thermal = scenes[: len(pairs)], scenes[len(pairs) :]
    fold = grouped_folds(of_pairs, count)
    held_budget = budget(config, vocabulary.hash, pairs, given.thermal_only)
    hold_budget(folder / BUDGET_NAME, held_budget | {"folds": count, "seed": config.seed})
    if embeddings is None:
        embeddings = embed_vocabulary(vocabulary)
    places = [folder / f"fold{number + 1}" for number in range(count)]
    for number, place in enumerate(places):
        if (place / RECORD_NAME).exists():
            continue
        held_out = {scene for scene, own in zip(of_pairs, fold, strict=True) if own == number}
        part = TrainingData(
            [pair for pair, own in zip(pairs, fold, strict=True) if own != number],
            [f for f, s in zip(given.thermal_only, of_thermal, strict=True) if s not in held_out],
            [pair for pair, own in zip(pairs, fold, strict=True) if own == number],
        )
        Trainer(config, data, place, embeddings, samples=part).run()
        (place / "state.pt").unlink()
    return places


@dataclass(frozen=True)
class HeldOutScores:
    """Quality of the labels of held-out pairs.

    Attributes:
        folds: Number of networks.
        steps: Optimiser steps of each.
        by_dataset: Data set -> scores of its pairs; intervals draw whole scenes.
    """

    folds: int
    steps: int
    by_dataset: dict[str, LabelScores]


def score_folds(folder: Path) -> HeldOutScores:
    """Pool the records of `train_folds` and score them.

    Raises:
        DataError: There is none, or two networks judged the same pair.
    """
    records = read_records(folder)
    rows = [row for record in records for row in _rows(record)]
    keys = [(dataset, name) for dataset, name, _, _ in rows]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise DataError(
            f"{'/'.join(twice[0])} was held out by more than one run below {folder} "
            f"({len(twice)} such pairs); expected the runs of one egmt train --folds"
        )
    scores = {}
    for dataset in dict.fromkeys(dataset for dataset, _ in keys):
        own = [row for row in rows if row[0] == dataset]
        names = [name for _, name, _, _ in own]
        entities = records[0].entities
        scores[dataset] = score_labels(
            np.array([truth for _, _, truth, _ in own]),
            np.array([found for _, _, _, found in own]),
            [THRESHOLD] * len(entities),
            entities,
            groups=scene_groups([dataset] * len(names), names),
        )
    return HeldOutScores(len(records), int(records[0].config["steps"]), scores)


def _rows(record: RunRecord) -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    return [
        (dataset, name, truth, found)
        for (dataset, name), truth, found in zip(
            record.pairs, record.targets, record.probabilities, strict=True
        )
    ]
