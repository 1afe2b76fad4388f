"""Quality of the label scores of one entity.

Everywhere `truth` is (N,) with 1 present, 0 absent, -1 unknown, and `scores` is (N,) probabilities
0..1; unknown frames are left out. A measure that has nothing to count is None, never 0.
"""

from __future__ import annotations

import numpy as np

from egmt_ros.errors import InputError

CALIBRATION_BINS = 10


def average_precision(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under precision and recall without interpolation; ties count as one step.

    As scikit-learn's average_precision_score. Returns None where `truth` has no positive or no
    negative among the known.
    """
    return _plain(average_precisions(truth, scores, np.ones((1, len(truth)))))


def auroc(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Chance that a positive scores above a negative, a tie counting half.

    Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic
    curve", Radiology 143, 1982. Returns None as `average_precision` does.
    """
    return _plain(aurocs(truth, scores, np.ones((1, len(truth)))))


def average_precisions(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average precision of B resamples: (B,), NaN where one has no positive or no negative.

    Args:
        truth: (N,).
        scores: (N,).
        counts: (B, N) how often each resample holds each frame.
    """
    positives, negatives = _steps(truth, scores, counts)
    hits = positives.cumsum(1)
    seen = hits + negatives.cumsum(1)
    area = (positives * hits / np.maximum(seen, 1)).sum(1)
    total, others = positives.sum(1), negatives.sum(1)
    return np.where((total > 0) & (others > 0), area / np.maximum(total, 1), np.nan)


def aurocs(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AUROC of B resamples: (B,); arguments and NaN as for `average_precisions`."""
    positives, negatives = _steps(truth, scores, counts)
    total, others = positives.sum(1), negatives.sum(1)
    below = others[:, None] - negatives.cumsum(1)
    won = (positives * (below + negatives / 2)).sum(1)
    return np.where((total > 0) & (others > 0), won / np.maximum(total * others, 1), np.nan)


def recall(truth: np.ndarray, scores: np.ndarray, threshold: float) -> float | None:
    """Share of the positives that score at least `threshold`; None without a positive."""
    truth, scores = _known(truth, scores)
    return _share(scores[truth == 1] >= threshold)


def specificity(truth: np.ndarray, scores: np.ndarray, threshold: float) -> float | None:
    """Share of the negatives that score below `threshold`; None without a negative."""
    truth, scores = _known(truth, scores)
    return _share(scores[truth == 0] < threshold)


def f1(truth: np.ndarray, scores: np.ndarray, threshold: float) -> float | None:
    """Harmonic mean of precision and recall at `threshold`; None if nothing is there or found."""
    truth, scores = _known(truth, scores)
    found, positive = scores >= threshold, truth == 1
    either = int(found.sum()) + int(positive.sum())
    return 2 * int((found & positive).sum()) / either if either else None


def expected_calibration_error(
    truth: np.ndarray, scores: np.ndarray, bins: int = CALIBRATION_BINS
) -> float | None:
    """Mean distance of score and share of positives over bins of equally many frames, 0..1.

    The frames are sorted by score and cut into `bins` parts whose sizes differ by at most one;
    the error is the mean over parts, weighted by size, of |mean score - share of positives|.
    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015, with
    the equal-mass bins of Nguyen and O'Connor, "Posterior calibration and exploratory analysis for
    natural language processing models", EMNLP 2015. Frames of one score share their positives
    evenly, so that the order of the frames does not matter. Few frames a bin lift the value even
    for perfect scores.

    Returns None if nothing is known; frames fewer than `bins` get one bin each.
    """
    if bins < 1:
        raise InputError(f"bins is {bins}; expected at least 1")
    truth, scores = _known(truth, scores)
    if not len(truth):
        return None
    values, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    share = np.bincount(place, truth == 1, len(values)) / count
    gaps = np.repeat(values - share, count)
    parts = np.array_split(gaps, min(bins, len(gaps)))
    return float(sum(abs(part.sum()) for part in parts) / len(gaps))


def _steps(
    truth: np.ndarray, scores: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(B, G) positives and negatives at each of G different scores, from the highest down."""
    known = np.asarray(truth) >= 0
    truth, scores = _known(truth, scores)
    counts = np.asarray(counts, float)[:, known]
    if not len(truth):
        return np.zeros((len(counts), 1)), np.zeros((len(counts), 1))
    order = np.argsort(-scores, kind="stable")
    truth, scores, counts = truth[order], scores[order], counts[:, order]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores) != 0]))
    return (
        np.add.reduceat(counts * (truth == 1), starts, axis=1),
        np.add.reduceat(counts * (truth == 0), starts, axis=1),
    )


def _known(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, scores = np.asarray(truth), np.asarray(scores, np.float64)
    if truth.ndim != 1 or truth.shape != scores.shape:
        raise InputError(
            f"truth is {truth.shape} and scores {scores.shape}; expected two arrays (N,) of equal "
            "length: score one entity at a time"
        )
    if not np.isin(truth, (-1, 0, 1)).all():
        raise InputError("truth holds other values than 1, 0 and -1 (unknown); map them first")
    known = truth >= 0
    if not np.isfinite(scores[known]).all():
        raise InputError("scores hold NaN or infinity where truth is known; expected numbers")
    return truth[known], scores[known]


def _share(hits: np.ndarray) -> float | None:
    return float(hits.mean()) if len(hits) else None


def _plain(values: np.ndarray) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])
