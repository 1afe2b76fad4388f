"""All runs of an ablation study, one after the other, below one folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from egmt_ros.entities.text.vocabulary_embeddings import embed_vocabulary
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.training.ablation import find_ablation
from egmt_ros.training.ablation_captions import CaptionBook, load_caption_book
from egmt_ros.training.config import TrainingConfig
from egmt_ros.training.data import load_training_data
from egmt_ros.training.loop import Trainer
from egmt_ros.training.run_record import (
    BUDGET_NAME,
    RECORD_NAME,
    budget,
    hold_budget,
    read_record,
)


def run_folder(folder: Path, ablation: str, seed: int) -> Path:
    """Where a run of a study lies."""
    return folder / ablation / f"seed{seed}"


def run_ablations(
    config: TrainingConfig,
    data: Path,
    folder: Path,
    names: Sequence[str],
    seeds: Sequence[int],
    embeddings: np.ndarray | None = None,
    captions: CaptionBook | None = None,
) -> list[Path]:
    """Train every ablation with every seed; finished runs are skipped, interrupted ones resumed.

    All ablations of one seed come before the next seed, so that a study that is stopped early
    still compares like with like. Only a finished full network keeps its weights.

    Args:
        config: The budget of all runs; its seed is not used.
        data: Folder of data sets.
        folder: Folder of the study; each run has its own below it.
        names: Ablations.
        seeds: Seeds.
        embeddings: (E, text_width) of the vocabulary; None computes them.
        captions: For the ablation that is told the captions; None computes them once.

    Returns:
        The run folders.

    Raises:
        ConfigError: An ablation is unknown, or `folder` holds runs with another budget.
    """
    names = tuple(dict.fromkeys(names))
    told = [name for name in names if find_ablation(name).captions]
    vocabulary = load_vocabulary(config.vocabulary)
    samples = load_training_data(data, vocabulary, config.masks, config.annotations)
    hold_budget(
        folder / BUDGET_NAME,
        budget(config, vocabulary.hash, samples.pairs, samples.thermal_only),
    )
    runs = [(name, seed, run_folder(folder, name, seed)) for seed in seeds for name in names]
    waiting = [run for run in runs if not _finished(*run)]
    if waiting and embeddings is None:
        embeddings = embed_vocabulary(vocabulary)
    if captions is None and any(name in told for name, _, _ in waiting):
        pairs = [*samples.pairs, *samples.validation]
        cache = folder / "captions.npz"
        captions = load_caption_book(data, pairs, vocabulary.text_encoder, cache)
    for name, seed, place in waiting:
        own = replace(config, seed=seed)
        Trainer(own, data, place, embeddings, name, captions, samples).run()
        (place / "state.pt").unlink()
    return [place for _, _, place in runs]


def _finished(name: str, seed: int, place: Path) -> bool:
    """Whether a run has its record, which must be its own."""
    path = place / RECORD_NAME
    if not path.exists():
        return False
    record = read_record(path)
    if (record.ablation, record.seed) != (name, seed):
        raise ConfigError(f"{path} is of {record.label}; expected {name} with seed {seed}")
    return True
