"""Evaluation of fused images and labels on registered pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.fusion.classical import METHODS
from egmt_ros.evaluation.fusion.metrics import PairScores, score_pair
from egmt_ros.evaluation.labels.label_metrics import average_precision
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible
from egmt_ros.resources import config_path

COLUMNS = {
    "vif": "VIF",
    "qabf": "Qabf",
    "scd": "SCD",
    "ssim": "SSIM",
    "vif_min": "VIFmin",
    "q_min": "Qmin",
    "ssim_min": "SSIMmin",
    "cc_min": "CCmin",
}


def evaluate_pairs(
    data: Path,
    split: str,
    methods: Sequence[str],
    weights: str | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Score methods on every pair of a split; "ours" is the engine, its labels are scored too.

    The engine is loaded for "ours" alone; without it there are no labels and no model_id.

    Luminance is rounded to whole grey levels as the method gives it, without a stretch.

    Returns:
        {"model_id", "pairs": {dataset: count}, "fusion": {dataset: {method: {metric: mean}}},
        "labels": {entity: {"ap", "f1", "prevalence", "positives", "known"}}}.

    Raises:
        ConfigError: A method is unknown.
        DataError: There are no pairs, or one is not of 8 bits and equal size.
    """
    unknown = [m for m in methods if m != "ours" and m not in METHODS]
    if unknown:
        raise ConfigError(f"--methods names {unknown[0]!r}; expected of ours, {', '.join(METHODS)}")
    engine = FusionEngine.load(weights, device) if "ours" in methods else None
    rows: dict[str, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    targets, scores = [], []
    for folder in _data_sets(data, split):
        annotations = _annotations(folder, engine)
        pairs = match_pairs(folder / split / "ir", folder / split / "vi")
        for stem, thermal_path, visible_path in tqdm(pairs, unit="pair", desc=folder.name):
            thermal, visible = _read_pair(thermal_path, visible_path)
            grey = _grey(visible)
            for method in methods:
                if engine is not None and annotations is not None and method == "ours":
                    result = engine.fuse(thermal, visible)
                    fused = _grey(result.image)
                    targets.append(annotations.target(stem))
                    scores.append([result.scores[name] for name in engine.names])
                else:
                    fused = METHODS[method](thermal, grey)
                pair = score_pair(*(_tensor(image) for image in (thermal, grey, fused)))
                rows[folder.name][method].append([float(value) for value in pair])
    fusion = {
        dataset: {
            method: dict(zip(COLUMNS, _mean_in_order(values), strict=True))
            for method, values in by_method.items()
        }
        for dataset, by_method in rows.items()
    }
    counts = {dataset: len(next(iter(m.values()))) for dataset, m in rows.items()}
    labels = _score_labels(engine, np.array(targets), np.array(scores)) if engine else {}
    model_id = engine.model_id if engine else ""
    return {"model_id": model_id, "pairs": counts, "fusion": fusion, "labels": labels}


def markdown_table(table: dict[str, dict[str, float]]) -> str:
    """Method -> metric -> value as a Markdown table."""
    lines = [f"| method | {' | '.join(COLUMNS.values())} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for method, values in table.items():
        lines.append(f"| {method} | {' | '.join(f'{values[c]:.3f}' for c in COLUMNS)} |")
    return "\n".join(lines)


def markdown_labels(labels: dict[str, dict[str, float]]) -> str:
    """Entity -> score as a Markdown table, with the mean of the APs at the end."""
    lines = ["| entity | AP | F1 | prevalence | known |", "|---|---|---|---|---|"]
    for entity, row in labels.items():
        lines.append(
            f"| {entity} | {row['ap']:.3f} | {row['f1']:.3f} | {row['prevalence']:.2f} "
            f"| {row['known']} |"
        )
    mean = [float(np.mean([row[key] for row in labels.values()])) for key in ("ap", "f1")]
    chance = float(np.mean([row["prevalence"] for row in labels.values()]))
    lines.append(f"| **mean** | **{mean[0]:.3f}** | **{mean[1]:.3f}** | {chance:.2f} | |")
    return "\n".join(lines)


def _annotations(folder: Path, engine: FusionEngine | None) -> Annotations | None:
    """What is known about the engine's entities in a data set."""
    if engine is None:
        return None
    aliases = load_vocabulary(config_path("vocabulary.yaml")).aliases
    return Annotations(folder, Vocabulary(engine.names, engine.text_encoder, aliases=aliases))


def _read_pair(thermal_path: Path, visible_path: Path) -> tuple[np.ndarray, np.ndarray]:
    thermal, visible = read_thermal(thermal_path), read_visible(visible_path)
    if thermal.dtype != np.uint8:
        raise DataError(
            f"{thermal_path} holds {thermal.dtype}; expected 8 bits: the metrics count grey "
            "levels, so bring the images to 8 bits first, all with one range"
        )
    if thermal.shape != visible.shape[:2]:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (thermal, visible)]
        raise DataError(
            f"{thermal_path} is {sizes[0]} and {visible_path.name} is {sizes[1]}; expected a "
            "registered pair of equal size: register the images first"
        )
    return thermal, visible


def _data_sets(data: Path, split: str) -> list[Path]:
    """`data` itself, or the folders in it, that hold pairs of the split."""
    data = data.resolve()
    candidates = [data] if (data / split).is_dir() else sorted(data.glob("*"))
    found = [f for f in candidates if (f / split / "ir").is_dir() and (f / split / "vi").is_dir()]
    if not found:
        raise DataError(
            f"no pairs in {data}; expected <dataset>/{split}/ir and <dataset>/{split}/vi"
        )
    return found


def _score_labels(
    engine: FusionEngine, truth: np.ndarray, scores: np.ndarray
) -> dict[str, dict[str, float]]:
    table = {}
    for index, name in enumerate(engine.names):
        known = truth[:, index] >= 0
        positive, score = truth[known, index], scores[known, index]
        precision = average_precision(positive, score)
        if precision is None:
            continue
        found = score >= engine.thresholds[index]
        hits = int((found & (positive == 1)).sum())
        table[name] = {
            "ap": precision,
            "f1": 2 * hits / max(int(found.sum() + positive.sum()), 1),
            "prevalence": float(positive.mean()),
            "positives": int(positive.sum()),
            "known": int(known.sum()),
        }
    return table


def _mean_in_order(values: list[list[float]]) -> list[float]:
    """Mean of each of score_pair's fields, in the order of COLUMNS."""
    means = dict(zip(PairScores._fields, np.mean(values, axis=0), strict=True))
    return [float(means[name]) for name in COLUMNS]


def _grey(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def _tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).float()[None, None]
