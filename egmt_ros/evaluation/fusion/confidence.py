"""Confidence intervals of means over pairs, by the bootstrap.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentile interval).
Pairs are drawn with replacement; a paired difference is drawn as one value, so that what both
methods find hard in a pair cancels. Pairs of one scene are alike, and few pairs make intervals that
are too narrow: below about 20 pairs they are a hint, not a test.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LEVEL = 0.95


class Interval(NamedTuple):
    """Mean of each column and the bounds of its confidence interval, (M,) each."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def mean_interval(
    values: np.ndarray, resamples: int = 2000, seed: int = 0, level: float = LEVEL
) -> Interval:
    """Percentile bootstrap interval of the mean over rows.

    Args:
        values: (N, M), a row a pair and a column a metric, N at least 1.
        resamples: How many samples of N rows are drawn; at least 1.
        seed: Of the draws. One seed and N draw the same rows, whatever the values.
        level: Share of the resampled means between the bounds, 0..1.
    """
    count = len(values)
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    # How often each row was drawn makes the means one matrix product.
    times = np.zeros((resamples, count))
    np.add.at(times, (np.arange(resamples)[:, None], drawn), 1.0)
    means = times @ values / count
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(values.mean(0), low, high)
