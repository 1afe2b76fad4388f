"""Scores on whole images: fusion metrics, average precision, thresholds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from egmt_ros.evaluation.fusion.metrics import PairScores, score_pair
from egmt_ros.evaluation.labels.label_metrics import average_precision
from egmt_ros.model.network import EGMT
from egmt_ros.training.data import Sample


@dataclass(frozen=True)
class Validation:
    """What a network reaches on a split.

    Attributes:
        fusion: Data set -> metric -> mean over its pairs.
        average_precision: Entity index -> AP; only entities with known positives and negatives.
        pairs: (N,) data set and name of each pair.
        metrics: (M,) names of the fusion metrics.
        scores: (N, M) fusion metrics.
        targets: (N, E) 1, 0 or -1.
        probabilities: (N, E) 0..1.
    """

    fusion: dict[str, dict[str, float]]
    average_precision: dict[int, float]
    pairs: tuple[tuple[str, str], ...]
    metrics: tuple[str, ...]
    scores: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray

    @property
    def macro_ap(self) -> float:
        """Mean of the average precisions; NaN if there are none."""
        values = list(self.average_precision.values())
        return float(np.mean(values)) if values else float("nan")


@torch.inference_mode()
def validate(
    network: EGMT,
    samples: Sequence[Sample],
    tell: Callable[[EGMT, Sequence[Sample]], None] | None = None,
) -> Validation:
    """Run a network in evaluation mode over whole pairs, one at a time.

    Args:
        network: In evaluation mode, on the CPU.
        samples: Pairs; thermal-only frames are left out.
        tell: Called with the network and the pair before it looks at that pair.
    """
    pairs, rows, targets, probabilities = [], [], [], []
    for sample in samples:
        if sample.visible is None:
            continue
        thermal = torch.from_numpy(sample.thermal).float()[None, None] / 255.0
        visible = torch.from_numpy(sample.visible).permute(2, 0, 1).float()[None] / 255.0
        if tell is not None:
            tell(network, [sample])
        output = network(thermal, visible)
        fused = (255.0 * output.fused.clamp(0.0, 1.0)).round()
        pair = score_pair(255.0 * thermal, 255.0 * visible[:, :1], fused)
        rows.append(torch.cat(list(pair)).numpy())
        pairs.append((sample.dataset, sample.name))
        targets.append(sample.target)
        probabilities.append(output.logits[0].sigmoid().numpy())
    truth, found = np.array(targets), np.array(probabilities)
    metrics = PairScores._fields
    by_dataset: dict[str, list[np.ndarray]] = defaultdict(list)
    for (dataset, _), row in zip(pairs, rows, strict=True):
        by_dataset[dataset].append(row)
    fusion = {
        dataset: dict(zip(metrics, np.mean(some, 0, np.float64).round(4).tolist(), strict=True))
        for dataset, some in by_dataset.items()
    }
    precision = {}
    for entity in range(truth.shape[1]):
        known = truth[:, entity] >= 0
        value = average_precision(truth[known, entity], found[known, entity])
        if value is not None:
            precision[entity] = value
    scores = np.array(rows, np.float64)
    return Validation(fusion, precision, tuple(pairs), metrics, scores, truth, found)


def best_thresholds(truth: np.ndarray, scores: np.ndarray) -> list[float]:
    """Threshold of each entity with the best F1 of those that are right at least half the time.

    A few positives say little about a threshold, so the choice is pulled towards 0.5 as if ten
    more had been seen there. (N, E) each, truth -1 is unknown; the result stays in 0.1..0.9.
    """
    chosen = []
    for entity in range(truth.shape[1]):
        known = truth[:, entity] >= 0
        positive, score = truth[known, entity] == 1, scores[known, entity]
        best = (0.0, 0.0, 0.9)
        for threshold in np.linspace(0.05, 0.95, 91):
            found = score >= threshold
            hits = int((found & positive).sum())
            if hits and 2 * hits >= int(found.sum()):
                f1 = 2 * hits / (int(found.sum()) + int(positive.sum()))
                best = max(best, (f1, -abs(threshold - 0.5), float(threshold)))
        rare = min(int(positive.sum()), int((~positive).sum()))
        mixed = (rare * best[2] + 10 * 0.5) / (rare + 10)
        chosen.append(round(min(max(mixed, 0.1), 0.9), 3))
    return chosen
