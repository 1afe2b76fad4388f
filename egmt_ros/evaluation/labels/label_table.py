"""Label scores of many pairs -> quality of each entity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from egmt_ros.evaluation.labels.label_metrics import average_precision, f1


def label_table(
    truth: np.ndarray, scores: np.ndarray, thresholds: Sequence[float], names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Score labels.

    Args:
        truth: (N, E) 1 present, 0 absent, -1 unknown.
        scores: (N, E) probabilities 0..1.
        thresholds: (E,) score from which an entity counts as present.
        names: The E entities.

    Returns:
        {entity: {"ap", "f1", "prevalence", "positives", "known"}} of the entities with a known
        positive and a known negative.
    """
    table = {}
    for index, name in enumerate(names):
        known = truth[:, index] >= 0
        positive, score = truth[known, index], scores[known, index]
        precision = average_precision(positive, score)
        if precision is None:
            continue
        table[name] = {
            "ap": precision,
            "f1": f1(positive, score, thresholds[index]),
            "prevalence": float(positive.mean()),
            "positives": int(positive.sum()),
            "known": int(known.sum()),
        }
    return table


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
