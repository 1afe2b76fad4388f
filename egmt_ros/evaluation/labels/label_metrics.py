"""Quality of label scores."""

from __future__ import annotations

import numpy as np


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under precision and recall without interpolation; ties count as one step.

    Returns None where `truth` has no positive or no negative.
    """
    positives = int((truth == 1).sum())
    if positives in (0, len(truth)):
        return None
    total, hits, seen = 0.0, 0, 0
    for score in np.unique(scores)[::-1]:
        step = truth[scores == score]
        gained = int((step == 1).sum())
        seen += len(step)
        hits += gained
        total += gained * hits / seen
    return total / positives
