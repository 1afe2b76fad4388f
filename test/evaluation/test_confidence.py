"""Bootstrap intervals of means over pairs."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from egmt_ros.evaluation.fusion.confidence import mean_interval

VALUES = np.random.default_rng(0).gamma(2.0, 1.0, (30, 2))


def test_equals_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    draws = "rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state"
    expected = stats.bootstrap(
        (VALUES[:, 0],),
        np.mean,
        n_resamples=5000,
        method="percentile",
        **{draws: np.random.default_rng(7)},
    ).confidence_interval
    found = mean_interval(VALUES, resamples=5000, seed=7)
    assert found.low[0] == pytest.approx(expected.low, rel=1e-9)
    assert found.high[0] == pytest.approx(expected.high, rel=1e-9)


def test_two_pairs_by_hand() -> None:
    """Means of two drawn from 0 and 1 are 0, 1/2, 1 with shares 1/4, 1/2, 1/4."""
    found = mean_interval(np.array([[0.0], [1.0]]), resamples=4000)
    assert (found.mean[0], found.low[0], found.high[0]) == (0.5, 0.0, 1.0)
    found = mean_interval(np.array([[0.0], [1.0]]), resamples=4000, level=0.4)
    assert (found.low[0], found.high[0]) == (0.5, 0.5)


def test_what_does_not_vary_has_no_width() -> None:
    for values in (np.full((9, 1), 3.5), np.array([[3.5]])):
        found = mean_interval(values, resamples=50)
        assert found.mean[0] == found.low[0] == found.high[0] == 3.5


def test_a_seed_draws_the_same_pairs_for_every_metric() -> None:
    """A paired difference lies where the two resampled together would."""
    found = mean_interval(VALUES, seed=3)
    again = mean_interval(VALUES, seed=3)
    assert all((a == b).all() for a, b in zip(found, again, strict=True))
    assert (found.low != mean_interval(VALUES, seed=4).low).any()
    shifted = mean_interval(np.stack([VALUES[:, 0], VALUES[:, 0] + 5], 1))
    np.testing.assert_allclose(shifted.low[1] - shifted.low[0], 5)
    # Pairs that are hard for both methods do not widen the interval of their difference.
    difference = mean_interval(VALUES[:, :1] - (VALUES[:, :1] - 0.1))
    assert difference.high[0] - difference.low[0] < 1e-9


def test_interval_narrows_with_pairs() -> None:
    many = np.tile(VALUES, (16, 1))
    width = np.subtract(*mean_interval(VALUES)[:0:-1])
    assert np.subtract(*mean_interval(many)[:0:-1]) == pytest.approx(width / 4, rel=0.15)
