"""Intervals of correlated frames: how often they hold the truth, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from egmt_ros.errors import InputError
from egmt_ros.evaluation.fusion import confidence
from egmt_ros.evaluation.labels.label_metrics import average_precisions
from egmt_ros.evaluation.replay.block_length import block_length
from egmt_ros.evaluation.replay.intervals import (
    Interval,
    block_counts,
    difference_interval,
    function_interval,
    mean_interval,
    quantiles,
    statistic_interval,
)


def autoregressive(memory: float, count: int, seed: int) -> np.ndarray:
    """Mean 0; each value is ``memory`` times the one before, and noise."""
    noise = np.random.default_rng(seed).normal(size=count + 200)
    values = [0.0]
    for step in noise:
        values.append(memory * values[-1] + step)
    return np.array(values[-count:])


def coverage(memory: float, count: int, tries: int = 120, block: int | None = None) -> float:
    held = 0
    for seed in range(tries):
        interval = mean_interval(autoregressive(memory, count, seed), resamples=500, block=block)
        held += interval.low <= 0 <= interval.high
    return held / tries


@pytest.mark.parametrize(("memory", "least"), [(0.0, 0.89), (0.5, 0.88), (0.9, 0.82)])
def test_interval_holds_the_true_mean_about_as_often_as_it_says(memory: float, least: float):
    assert least <= coverage(memory, 400) <= 0.99


def test_plain_bootstrap_of_correlated_frames_claims_far_too_much():
    assert coverage(0.9, 400, tries=40, block=1) < 0.5


def test_unrelated_rows_get_the_plain_bootstrap():
    values = np.random.default_rng(0).normal(size=361)
    interval = mean_interval(values, resamples=4000)
    plain = confidence.mean_interval(values[:, None], resamples=4000)
    assert interval.block == 1
    assert interval.low == pytest.approx(plain.low[0], abs=0.01)
    assert interval.high == pytest.approx(plain.high[0], abs=0.01)


def test_unrelated_rows_seldom_get_long_blocks():
    lengths = [block_length(np.random.default_rng(s).normal(size=361)) for s in range(200)]
    assert np.mean(np.array(lengths) == 1) > 0.9


@pytest.mark.parametrize("memory", [0.5, 0.9])
def test_blocks_grow_with_the_correlation_as_politis_and_white_give_them(memory: float):
    count = 4000
    # Of such a series the autocorrelation at lag k is memory^k.
    lags = np.arange(1, 400)
    slope, spread = 2 * (memory**lags * lags).sum(), 1 + 2 * (memory**lags).sum()
    expected = (1.5 * (slope / spread) ** 2 * count) ** (1 / 3)
    lengths = [block_length(autoregressive(memory, count, seed)) for seed in range(10)]
    assert np.median(lengths) == pytest.approx(expected, rel=0.25)


def test_alternating_rows_do_not_fail():
    interval = mean_interval(np.tile([0.0, 1.0], 50))
    assert interval.low <= 0.5 <= interval.high


def test_equal_seeds_give_equal_intervals():
    values = autoregressive(0.8, 300, 5)
    assert mean_interval(values, seed=3) == mean_interval(values, seed=3)
    assert mean_interval(values, seed=3) != mean_interval(values, seed=4)


def test_rows_without_a_value_are_left_out():
    values = autoregressive(0.3, 200, 1)
    thinned = np.full(1000, np.nan)
    thinned[::5] = values
    assert mean_interval(thinned) == mean_interval(values)
    assert mean_interval(thinned).count == 200


def test_difference_is_of_rows_that_have_both():
    before = np.array([1.0, np.nan, 1.0, 1.0, 1.0, 1.0, 1.0])
    after = np.array([1.5, 9.0, 1.5, np.nan, 1.5, 1.5, 1.5])
    interval = difference_interval(before, after)
    assert interval == Interval(0.5, 0.5, 0.5, 5)
    assert interval.verdict == "higher"


def test_what_both_find_hard_cancels():
    scene = autoregressive(0.95, 400, 2) * 10
    gain = 0.1 + np.random.default_rng(3).normal(0, 0.3, 400)
    assert difference_interval(scene, scene + gain).verdict == "higher"
    assert difference_interval(scene + gain, scene).verdict == "lower"
    alone = mean_interval(scene + gain)
    assert alone.high - alone.low > 1


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 0.3, "higher"), (-2.0, -1.0, "lower"), (-1.0, 1.0, "unclear"), (0.0, 0.0, "equal"),
     (0.0, 1.0, "unclear"), (np.nan, np.nan, "unclear")],
)  # fmt: skip
def test_verdict(low: float, high: float, verdict: str):
    assert Interval((low + high) / 2, low, high, 10).verdict == verdict


@pytest.mark.parametrize("count", [0, 1, 4])
def test_too_few_rows_have_no_interval(count: int):
    interval = mean_interval(np.arange(count, dtype=float))
    assert np.isnan(interval.low) and np.isnan(interval.high) and interval.count == count
    assert np.isnan(interval.mean) == (count == 0)
    assert interval.verdict == "unclear"


def test_average_precision_gets_an_interval_in_blocks():
    truth = (autoregressive(0.95, 600, 1) > 0).astype(int)
    rng = np.random.default_rng(2)
    good, poor = (np.clip(truth * gap + rng.random(600), 0, 2) / 2 for gap in (0.8, 0.1))

    def gain(counts: np.ndarray) -> np.ndarray:
        better = average_precisions(truth, good, counts)
        return better - average_precisions(truth, poor, counts)

    interval = statistic_interval(gain, truth, resamples=300)
    assert interval.verdict == "higher" and interval.low < interval.mean < interval.high
    assert interval.block > 5
    plain = statistic_interval(gain, truth, resamples=300, block=1)
    assert plain.mean == interval.mean and plain.high - plain.low < interval.high - interval.low


def test_figure_that_is_seldom_defined_has_no_interval():
    def of_the_first_row(counts: np.ndarray) -> np.ndarray:
        return np.where(counts[:, 0] == 1, 1.0, np.nan)

    interval = statistic_interval(of_the_first_row, np.zeros(50))
    assert interval.mean == 1.0 and np.isnan(interval.low)


def test_draws_are_whole_blocks_that_wrap_around():
    counts = np.concatenate(list(block_counts(10, 4, resamples=500, seed=1)))
    assert counts.shape == (500, 10) and (counts.sum(1) == 10).all()
    assert counts.mean(0) == pytest.approx(np.ones(10), abs=0.2)
    single = next(block_counts(8, 8, resamples=3))
    assert (single == 1).all()


def test_means_are_those_of_the_counts():
    values = autoregressive(0.9, 97, 4)
    counts = np.concatenate(list(block_counts(97, 7, resamples=400, seed=9)))
    low, high = np.quantile(counts @ values / 97, [0.3, 0.7])
    interval = mean_interval(values, resamples=400, seed=9, block=7)
    assert interval.low < low < high < interval.high
    by_counts = statistic_interval(lambda c: c @ values / 97, values, resamples=400, seed=9,
                                   block=7)
    assert by_counts.low == pytest.approx(interval.low)
    assert by_counts.high == pytest.approx(interval.high)


def test_long_bags_are_drawn_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch):
    values = autoregressive(0.5, 300, 8)
    at_once = mean_interval(values, resamples=200)
    monkeypatch.setattr("egmt_ros.evaluation.replay.intervals.BUDGET", 600)
    sizes = [len(counts) for counts in block_counts(300, 3, resamples=7)]
    assert sizes == [2, 2, 2, 1]
    assert mean_interval(values, resamples=200) == at_once


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
def test_quantiles_of_resamples_are_numpys(share: float):
    values = np.random.default_rng(0).gamma(3.0, 2.0, 41)
    counts = np.concatenate(list(block_counts(41, 3, resamples=20)))
    expected = [np.quantile(np.repeat(values, row.astype(int)), share) for row in counts]
    assert quantiles(values, counts, share) == pytest.approx(expected)


def test_wrong_arguments_are_refused():
    with pytest.raises(InputError, match="one column"):
        mean_interval(np.zeros((3, 2)))
    with pytest.raises(InputError, match="match the frames"):
        difference_interval(np.zeros(3), np.zeros(4))
    with pytest.raises(InputError, match="0 resamples"):
        mean_interval(np.zeros(9), resamples=0)
    with pytest.raises(InputError, match="blocks of 10 of 9"):
        mean_interval(np.zeros(9), block=10)


def test_figure_of_means_is_that_of_the_counts():
    shown = (autoregressive(0.9, 300, 6) > 0).astype(float)
    found = shown * (np.random.default_rng(0).random(300) < 0.7)
    columns = np.stack([found, shown], 1)

    def by_counts(counts: np.ndarray) -> np.ndarray:
        return (counts @ found) / (counts @ shown)

    recall = function_interval(lambda m: m[:, 0] / m[:, 1], columns, block=9)
    assert recall.mean == pytest.approx(found.sum() / shown.sum())
    slow = statistic_interval(by_counts, found, block=9)
    assert (recall.low, recall.high) == pytest.approx((slow.low, slow.high))


def test_blocks_of_a_figure_of_means_are_those_of_what_moves_it():
    scene = autoregressive(0.95, 500, 3)
    shown = np.ones(500)
    unrelated = np.random.default_rng(1).normal(size=500)
    columns = np.stack([scene, scene + unrelated, shown], 1)
    alone = function_interval(lambda m: m[:, 0] / m[:, 2], columns)
    difference = function_interval(lambda m: (m[:, 1] - m[:, 0]) / m[:, 2], columns)
    assert alone.block == block_length(scene) > 5
    assert difference.block == block_length(unrelated) == 1
