"""`validation.json`: what one run reached on each validation pair, and on which budget."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.annotations import read_object
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.training.config import TrainingConfig
from egmt_ros.training.data import Sample

RECORD_NAME = "validation.json"
"""The file's name in a run folder."""
BUDGET_NAME = "budget.json"
"""File beside the runs of a study that holds what all of them have in common."""


@dataclass(frozen=True)
class RunRecord:
    """What one run reached.

    Attributes:
        ablation: Name of what was cut.
        seed: Seed of the run.
        config: The budget; see `budget`.
        parameters: Number of trained values.
        entities: Names, in the order of the columns of targets and probabilities.
        pairs: Data set and name of each pair.
        metrics: Names, in the order of the columns of scores.
        scores: (N, M) fusion metrics.
        targets: (N, E) 1, 0 or -1 (unknown).
        probabilities: (N, E) 0..1.
    """

    ablation: str
    seed: int
    config: dict[str, Any]
    parameters: int
    entities: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    scores: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray

    @property
    def label(self) -> str:
        """How messages name the run."""
        return f"{self.ablation} with seed {self.seed}"


def budget(
    config: TrainingConfig,
    vocabulary_hash: str,
    pairs: Sequence[Sample],
    thermal_only: Sequence[Sample],
) -> dict[str, Any]:
    """All that runs must have in common to be compared, as plain JSON values.

    Args:
        config: The training configuration; seed and name are left out, the vocabulary and the
            annotation files become hashes, so that runs compare wherever their files lay.
        vocabulary_hash: Hash of the vocabulary.
        pairs: The pairs to train on; their number counts.
        thermal_only: The thermal frames to train on; their number counts.
    """
    values = asdict(config) | {
        "vocabulary": vocabulary_hash,
        "annotations": {
            name: hashlib.sha256(file.read_bytes()).hexdigest()[:16]
            for name, file in config.annotations.items()
        },
        "training_pairs": len(pairs),
        "training_thermal_only": len(thermal_only),
    }
    del values["seed"], values["name"]
    return json.loads(json.dumps(values))


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Dotted keys at which two budgets differ, each with both values."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = sorted(first.keys() | second.keys())
        dot = f"{where}." if where else ""
        return [
            entry
            for key in keys
            for entry in differences(first.get(key), second.get(key), f"{dot}{key}")
        ]
    return [] if first == second else [f"{where} ({first!r:.40} and {second!r:.40})"]


def hold_budget(path: Path, wanted: dict[str, Any]) -> None:
    """Write the budget of a study, or compare it with the one that the study was begun with.

    Raises:
        ConfigError: They differ; it names in what.
    """
    if not path.exists():
        write_json(path, wanted)
        return
    different = differences(read_object(path), wanted)
    if different:
        raise ConfigError(
            f"{path.parent} was begun with another budget: {', '.join(different)}; "
            "give another --run folder, or the configuration it was begun with"
        )


def write_record(path: Path, record: RunRecord) -> None:
    """Write a record, whole or not at all."""
    rows = zip(record.pairs, record.scores, record.targets, record.probabilities, strict=True)
    content = {
        "ablation": record.ablation,
        "seed": record.seed,
        "config": record.config,
        "parameters": record.parameters,
        "entities": list(record.entities),
        "pairs": [
            {
                "dataset": dataset,
                "name": name,
                "scores": dict(zip(record.metrics, _rounded(scores), strict=True)),
                "targets": [int(value) for value in targets],
                "probabilities": _rounded(probabilities),
            }
            for (dataset, name), scores, targets, probabilities in rows
        ],
    }
    write_json(path, content)


def read_record(path: Path) -> RunRecord:
    """Read a record.

    Raises:
        DataError: The file is not one.
    """
    content = read_object(path)
    try:
        pairs = content["pairs"]
        metrics = tuple(pairs[0]["scores"])
        record = RunRecord(
            ablation=str(content["ablation"]),
            seed=int(content["seed"]),
            config=dict(content["config"]),
            parameters=int(content["parameters"]),
            entities=tuple(content["entities"]),
            pairs=tuple((str(pair["dataset"]), str(pair["name"])) for pair in pairs),
            metrics=metrics,
            scores=np.array([[pair["scores"][m] for m in metrics] for pair in pairs], np.float64),
            targets=np.array([pair["targets"] for pair in pairs], np.int8),
            probabilities=np.array([pair["probabilities"] for pair in pairs], np.float64),
        )
        shape = (len(pairs), len(record.entities))
        if record.targets.shape != shape or record.probabilities.shape != shape:
            raise ValueError(f"targets and probabilities are not {shape[0]} x {shape[1]}")
        if not np.isfinite(record.scores).all() or not np.isfinite(record.probabilities).all():
            raise ValueError("a score or probability is not a finite number")
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{path} is not the record of a run ({type(error).__name__}: {error}); "
            "remove it and train that run again"
        ) from error
    return record


def read_records(folder: Path) -> list[RunRecord]:
    """Every record below a folder, sorted by its path.

    Raises:
        DataError: There is none, or one cannot be read.
    """
    paths = sorted(folder.rglob(RECORD_NAME))
    if not paths:
        raise DataError(
            f"no {RECORD_NAME} below {folder}; expected the runs of egmt train --ablation all or "
            "--folds"
        )
    return [read_record(path) for path in paths]


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that a killed process leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(part, path)


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.9g}") for value in values]  # all that float32 holds
