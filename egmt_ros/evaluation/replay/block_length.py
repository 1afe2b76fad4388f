"""How many frames a bootstrap has to draw together.

By the autocorrelation: Politis and White, "Automatic block-length selection for the dependent
bootstrap", Econometric Reviews 23, 2004, with the correction of Patton, Politis and White, 2009. A
fixed n^(1/3) is too short for a slow scene at 30 Hz and too long for a bag of unrelated pictures;
this rule gives blocks of one row, the plain bootstrap, where no lag is correlated.
"""

from __future__ import annotations

import numpy as np

LEAST = 5
"""Rows from which anything is said of an interval."""


def block_length(values: np.ndarray) -> int:
    """Rows to draw together: 1 where no lag is correlated, at most a third of them.

    Args:
        values: (N,), finite, in the order of time.
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    if count < LEAST or np.ptp(values) == 0:
        return 1
    needed = max(5, int(np.ceil(np.sqrt(np.log10(count)))))
    furthest = min(int(np.ceil(np.sqrt(count))) + needed, count - 1)
    covariance = _autocovariance(values, furthest)
    limit = 2 * np.sqrt(np.log10(count) / count)
    related = np.abs(covariance[1:] / covariance[0]) >= limit
    last = _last_before_a_run_of_unrelated(related, needed)
    if last == 0:
        return 1
    lags = np.arange(1, min(2 * last, furthest) + 1)
    # The flat-top window of Politis and Romano, 1995.
    weights = np.clip(2 * (1 - lags / (2 * last)), 0, 1) * covariance[lags]
    spread = covariance[0] + 2 * weights.sum()
    if spread <= 0:
        return 1
    slope = 2 * (weights * lags).sum()
    length = (1.5 * (slope / spread) ** 2 * count) ** (1 / 3)
    most = max(1, min(int(np.ceil(3 * np.sqrt(count))), count // 3))
    return int(np.clip(np.round(length), 1, most))


def _autocovariance(values: np.ndarray, furthest: int) -> np.ndarray:
    """(furthest + 1,) of lags 0 to `furthest`, each divided by N."""
    count = len(values)
    centred = values - values.mean()
    return np.array([centred[: count - lag] @ centred[lag:] for lag in range(furthest + 1)]) / count


def _last_before_a_run_of_unrelated(related: np.ndarray, needed: int) -> int:
    """Lag (from 1) after which `needed` lags in a row are unrelated; the last related else."""
    run = 0
    for index, yes in enumerate(related):
        run = 0 if yes else run + 1
        if run == needed:
            return index + 1 - needed
    return int(np.flatnonzero(related)[-1]) + 1 if related.any() else 0
