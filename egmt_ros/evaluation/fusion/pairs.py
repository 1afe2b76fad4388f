"""Evaluation of fused images and labels on registered pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.fusion.classical import METHODS
from egmt_ros.evaluation.fusion.pair_source import PairSource, Rejection, find_tasks
from egmt_ros.evaluation.fusion.pair_worker import OURS, LabelEvidence, Settings, score_all
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.resources import config_path


@dataclass(frozen=True)
class PairRow:
    """One scored pair.

    Attributes:
        dataset: Data set.
        split: Split of it.
        name: Name of the pair.
        metrics: Method -> metric (a key of `pair_metrics.COLUMNS`) -> value.
        truth: (E,) int8, 1 present, 0 absent, -1 unknown, by the annotation files; None without
            "ours".
        evidence: Scores and attention peaks of the engine; None without "ours".
    """

    dataset: str
    split: str
    name: str
    metrics: dict[str, dict[str, float]]
    truth: np.ndarray | None = None
    evidence: LabelEvidence | None = None


@dataclass(frozen=True)
class Evaluation:
    """Every pair's scores.

    Attributes:
        splits: What was asked for.
        methods: Methods in the order of tables, those of folders last.
        rows: The pairs with a score, by data set, split and name; may be empty.
        rejected: What was not scored, in the same order.
        model_id: Of the engine; "" without "ours".
        names: Entities of the engine's vocabulary, E of them.
        thresholds: (E,) score from which an entity counts as present.
    """

    splits: tuple[str, ...]
    methods: tuple[str, ...]
    rows: tuple[PairRow, ...]
    rejected: tuple[Rejection, ...]
    model_id: str = ""
    names: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()


def evaluate_pairs(
    data: Path,
    split: str,
    methods: Sequence[str],
    weights: str | None = None,
    device: str = "auto",
    *,
    runtime: str = "torch",
    fused: Sequence[Path] = (),
    stretch: bool = False,
    jobs: int = 1,
) -> Evaluation:
    """Score methods on every pair of some splits; "ours" is the engine, with its labels.

    The engine is loaded for "ours" alone. Luminance is rounded to whole grey levels as the method
    gives it. A pair that cannot be scored is named in the result, and the rest is scored.

    Args:
        data: See `pair_source.find_tasks`.
        split: One folder of each data set, or several with commas between.
        methods: Of "ours" and `classical.METHODS`.
        weights: Checkpoint of "ours"; None: the packaged one.
        device: Of "ours": "auto", "cpu" or "cuda:N".
        runtime: Of "ours"; see `egmt_ros.pipeline.runtime`. PyTorch needs no preparation for each
            new image size, and is always there.
        fused: Folders of fused images, scored under the folder's name; see `find_tasks`.
        stretch: Score each image a second time, its own minimum and maximum spread over 0..255.
        jobs: Processes; the values do not depend on it. See `pair_worker.score_all`.

    Raises:
        ConfigError: A method is unknown or there is none, a name stands for two, a folder of
            `fused` is missing, `jobs` is below 1, or the runtime does not suit the device.
        DataError: No data set has a split, or an annotation file is damaged.
        CheckpointError, DeviceError, MissingDependencyError: The engine cannot be loaded.
    """
    splits = _list_of("--split", split)
    methods = tuple(dict.fromkeys(methods))
    unknown = [m for m in methods if m != OURS and m not in METHODS]
    if unknown:
        raise ConfigError(
            f"--methods names {unknown[0]!r}; expected of {OURS}, {', '.join(METHODS)}"
        )
    if jobs < 1:
        raise ConfigError(f"--jobs is {jobs}; expected at least 1")
    folders = _fused_folders(fused, methods)
    if not methods and not folders:
        raise ConfigError("there is nothing to score; name --methods, or a folder with --fused")
    source = find_tasks(data, splits, folders)
    settings = Settings(methods, stretch, weights, device, runtime)
    engine = settings.load_engine()
    annotations = _annotations(source, engine)
    rows, rejected = [], list(source.rejected)
    results = score_all(source.tasks, settings, engine, jobs)
    for result in tqdm(results, total=len(source.tasks), unit="pair"):
        task = result.task
        rejected += result.rejected
        if not result.metrics:
            continue
        truth = annotations[task.dataset].target(task.name) if result.evidence else None
        rows.append(
            PairRow(task.dataset, task.split, task.name, result.metrics, truth, result.evidence)
        )
    # Stable, so that what belongs to one pair stays in the order of the methods.
    rejected.sort(key=lambda r: (r.dataset, splits.index(r.split), r.name))
    return Evaluation(
        splits,
        (*methods, *folders),
        tuple(rows),
        tuple(rejected),
        *((engine.model_id, tuple(engine.names), tuple(engine.thresholds)) if engine else ()),
    )


def _annotations(source: PairSource, engine: FusionEngine | None) -> dict[str, Annotations]:
    """What is known about the engine's entities in each data set."""
    if engine is None:
        return {}
    aliases = load_vocabulary(config_path("vocabulary.yaml")).aliases
    vocabulary = Vocabulary(engine.names, engine.text_encoder, aliases=aliases)
    return {name: Annotations(folder, vocabulary) for name, folder in source.folders.items()}


def _fused_folders(fused: Sequence[Path], methods: Sequence[str]) -> dict[str, Path]:
    """Method -> folder of its images."""
    folders: dict[str, Path] = {}
    for path in fused:
        if not path.is_dir():
            raise ConfigError(f"--fused is {path}, which is no folder; give a folder of images")
        name = path.resolve().name
        if name in folders or name in methods:
            raise ConfigError(
                f"--fused {path} would be a second method of the name {name!r}; rename the folder"
            )
        folders[name] = path
    return folders


def _list_of(option: str, text: str) -> tuple[str, ...]:
    """The parts of a list with commas, each once."""
    parts = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    if "" in parts:
        raise ConfigError(f"{option} is {text!r}; expected names with commas between")
    return parts
