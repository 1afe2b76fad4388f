"""Confidence intervals of figures of a replay, whose frames resemble their neighbours.

Moving-block bootstrap: Künsch, "The jackknife and the bootstrap for general stationary
observations", Annals of Statistics 17, 1989; blocks wrap around the end, so that every row is drawn
equally often (the circular bootstrap of Politis and Romano, 1992).

How long the blocks are: see `block_length`.

The percentiles are widened as in Hesterberg, "What teachers should know about the bootstrap", The
American Statistician 69, 2015, section 4.2 (Student's t), with the number of blocks in place of the
number of rows: few blocks make plain percentiles too narrow.

A difference of two runs is drawn as one value a frame, so that what both find hard cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.evaluation.replay.block_length import LEAST, block_length

LEVEL = 0.95
RESAMPLES = 2000
BUDGET = 4_000_000
"""Most numbers that a step of the resampling holds at a time."""

Verdict = Literal["higher", "lower", "equal", "unclear"]
Statistic = Callable[[np.ndarray], np.ndarray]
"""(B, N) times that each row is drawn -> (B,) values, NaN where it is not defined."""


@dataclass(frozen=True)
class Interval:
    """A figure and its interval of 95 %.

    Attributes:
        mean: The figure: a mean, or the statistic of all rows; NaN where there is none.
        low, high: Bounds; NaN where there are fewer than `LEAST` rows or it is seldom defined.
        count: Rows that it is of.
        block: Rows that are drawn together; 1 where rows are unrelated.
    """

    mean: float
    low: float
    high: float
    count: int
    block: int = 1

    @property
    def verdict(self) -> Verdict:
        """On which side of 0 the whole interval lies; "unclear" where 0 is in it.

        "equal": the interval is 0 alone, as between runs that differ nowhere.
        """
        if self.low > 0:
            return "higher"
        if self.high < 0:
            return "lower"
        return "equal" if self.low == self.high == 0 else "unclear"


def mean_interval(
    values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0, block: int | None = None
) -> Interval:
    """Interval of a mean.

    Args:
        values: (N,) in the order of time; NaN is left out, and what is beside it closes up.
        resamples: At least 1.
        seed: Of the draws: equal seeds and arguments give equal intervals.
        block: Rows that are drawn together; None: `block_length`.

    Raises:
        InputError: `values` is no vector, or `resamples` or `block` below 1.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1:
        raise InputError(f"values is {values.shape}; expected (N,): give one column at a time")
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(np.nan, np.nan, np.nan, 0)
    length = block_length(values) if block is None else block
    # About 0, so that a sum of many equal values stays exact.
    offset = values[0]
    means = _resampled_means(values[:, None] - offset, length, resamples, seed)[:, 0] + offset
    return _interval(float(values.mean()), means, len(values), length)


def affordable(count: int, most: int = RESAMPLES) -> int:
    """Resamples of `count` rows for which nobody waits: `most`, and fewer of many rows, at least
    500, of which the bounds are right to about a tenth of the interval's half."""
    return min(most, max(500, 1_000_000 // max(1, count)))


def difference_interval(
    before: np.ndarray,
    after: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    block: int | None = None,
) -> Interval:
    """Interval of the mean of `after` - `before`, (N,) each, row by row the same frame.

    Rows that lack either value are left out; otherwise as `mean_interval`.
    """
    before, after = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if before.shape != after.shape:
        raise InputError(
            f"{before.shape} values beside {after.shape}; expected as many: match the frames first"
        )
    return mean_interval(after - before, resamples=resamples, seed=seed, block=block)


def statistic_interval(
    statistic: Statistic,
    series: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    block: int | None = None,
) -> Interval:
    """Interval of any figure of rows, such as a difference of average precisions.

    Args:
        statistic: As `label_metrics.average_precisions` with truth and scores bound. Resamples in
            which it is NaN are left out.
        series: (N,) or (N, K): what the figure is of, in the order of time, finite. Only the block
            length is taken from it, the longest of its columns.
        resamples, seed, block: As for `mean_interval`.
    """
    series = np.asarray(series, np.float64)
    series = series[:, None] if series.ndim == 1 else series
    count = len(series)
    if not count:
        return Interval(np.nan, np.nan, np.nan, 0)
    length = block
    if length is None:
        length = max((block_length(column) for column in series.T), default=1)
    value = float(statistic(np.ones((1, count)))[0])
    drawn = [statistic(counts) for counts in block_counts(count, length, resamples, seed)]
    return _interval(value, np.concatenate(drawn), count, length)


def function_interval(
    function: Callable[[np.ndarray], np.ndarray],
    columns: np.ndarray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    block: int | None = None,
) -> Interval:
    """Interval of a figure that only needs means, such as a recall: fast on long bags.

    Args:
        function: (B, K) means -> (B,) values, NaN where it is not defined.
        columns: (N, K), finite, in the order of time.
        resamples, seed, block: As for `mean_interval`; the block length is that of the figure's
            linear part, by differences about the means of all rows.
    """
    columns = np.asarray(columns, np.float64)
    if not len(columns):
        return Interval(np.nan, np.nan, np.nan, 0)
    means = columns.mean(0)
    value = float(function(means[None])[0])
    if block is None:
        steps = np.diag(np.maximum(1e-4 * columns.std(0), 1e-12))
        slopes = (function(means + steps) - function(means - steps)) / (2 * steps.diagonal())
        block = block_length(columns @ np.nan_to_num(slopes, posinf=0.0, neginf=0.0))
    drawn = function(_resampled_means(columns, block, resamples, seed))
    return _interval(value, drawn, len(columns), block)


def quantiles(values: np.ndarray, counts: np.ndarray, share: float) -> np.ndarray:
    """Quantile of B resamples: (B,), linear between values as `numpy.quantile`.

    Args:
        values: (N,), finite.
        counts: (B, N) whole times that each is drawn, of equal sums.
        share: 0..1.
    """
    order = np.argsort(values, kind="stable")
    ordered, reached = values[order], counts[:, order].cumsum(1)
    place = share * (reached[0, -1] - 1)
    whole = np.floor(place)
    lower = ordered[(reached > whole).argmax(1)]
    upper = ordered[(reached > min(whole + 1, reached[0, -1] - 1)).argmax(1)]
    return lower + (place - whole) * (upper - lower)


def block_counts(
    count: int, block: int, resamples: int = RESAMPLES, seed: int = 0
) -> Iterator[np.ndarray]:
    """How often each of `count` rows is drawn: (b, count), `resamples` rows of them in all.

    Every row sums to `count`; the last block of a resample is cut short for it.
    """
    for starts in _starts(count, block, resamples, seed):
        drawn = (starts[:, :, None] + np.arange(block)).reshape(len(starts), -1)[:, :count] % count
        drawn += np.arange(len(starts))[:, None] * count
        times = np.bincount(drawn.ravel(), minlength=len(starts) * count)
        yield times.reshape(len(starts), count).astype(np.float64)


def _resampled_means(values: np.ndarray, block: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, K) means of (N, K) rows."""
    count, width = values.shape
    if width > block:  # many short blocks: counting them is less work than adding each up
        drawn = block_counts(count, block, resamples, seed)
        return np.concatenate([counts @ values for counts in drawn]) / count
    around = np.concatenate([values, values[:block]])
    sums = np.concatenate([np.zeros((1, width)), around.cumsum(0)])
    rest = count - (count - 1) // block * block
    means = []
    for starts in _starts(count, block, resamples, seed):
        ends = starts + block
        ends[:, -1] = starts[:, -1] + rest
        means.append((sums[ends] - sums[starts]).sum(1) / count)
    return np.concatenate(means)


def _starts(count: int, block: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """(b, blocks) first rows of the blocks of each resample, so many at a time as fit BUDGET."""
    if resamples < 1 or not 1 <= block <= count:
        raise InputError(
            f"{resamples} resamples in blocks of {block} of {count} rows; expected at least 1 of"
            " each, and no block longer than the rows"
        )
    generator = np.random.default_rng(seed)
    blocks = -(-count // block)
    step = max(1, BUDGET // count)
    for done in range(0, resamples, step):
        yield generator.integers(0, count, (min(step, resamples - done), blocks))


def _interval(value: float, resampled: np.ndarray, count: int, block: int) -> Interval:
    defined = resampled[np.isfinite(resampled)]
    if count < LEAST or not np.isfinite(value) or len(defined) < len(resampled) / 2:
        return Interval(value, np.nan, np.nan, count, block)
    tail = _widened_tail(count / block)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high), count, block)


def _widened_tail(blocks: float) -> float:
    """Share of the resamples beyond each bound, for that many blocks (3 or more)."""
    normal = NormalDist()
    z, free = normal.inv_cdf((1 + LEVEL) / 2), blocks - 1
    # Student's quantile: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    return normal.cdf(-t * (blocks / free) ** 0.5)
