"""Label metrics: cases worked by hand, scikit-learn, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.evaluation.labels.label_metrics import (
    auroc,
    aurocs,
    average_precision,
    average_precisions,
    expected_calibration_error,
    f1,
    recall,
    specificity,
)

# A busy machine must not fail a test.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Scores on a coarse grid have ties, as saturated sigmoids do.
FRAMES = st.lists(
    st.tuples(st.sampled_from([-1, 0, 1]), st.integers(0, 12).map(lambda n: n / 12)),
    min_size=1,
    max_size=40,
)


def columns(frames: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([t for t, _ in frames]), np.array([s for _, s in frames])


def same(a: float | None, b: float | None) -> bool:
    return (a is None) == (b is None) and (a is None or b is None or abs(a - b) < 1e-9)


def test_by_hand() -> None:
    truth = np.array([1, 0, 1, 0, -1])
    scores = np.array([0.9, 0.8, 0.7, 0.1, 0.85])
    assert average_precision(truth, scores) == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert auroc(truth, scores) == pytest.approx(3 / 4)
    assert recall(truth, scores, 0.75) == 0.5  # 0.9 of 0.9 and 0.7
    assert specificity(truth, scores, 0.75) == 0.5  # 0.1 of 0.8 and 0.1
    assert f1(truth, scores, 0.75) == pytest.approx(2 * 1 / (2 + 2))
    assert recall(truth, scores, 0.7) == 1.0  # the threshold itself counts as present


def test_ties_are_worth_chance() -> None:
    truth, level = np.array([1, 0, 0, 1, 0]), np.full(5, 0.5)
    assert average_precision(truth, level) == pytest.approx(2 / 5)
    assert auroc(truth, level) == pytest.approx(1 / 2)
    # One of the two positives is tied with one of the two negatives.
    assert auroc(np.array([1, 1, 0, 0]), np.array([0.9, 0.5, 0.5, 0.1])) == pytest.approx(3.5 / 4)


def test_nothing_to_count_is_none() -> None:
    for truth in ([1, 1], [0, 0], [-1, 1], [-1, -1]):
        assert average_precision(np.array(truth), np.array([0.1, 0.2])) is None
        assert auroc(np.array(truth), np.array([0.1, 0.2])) is None
    unknown = np.array([-1, -1]), np.array([0.9, 0.1])
    assert recall(*unknown, 0.5) is None and specificity(*unknown, 0.5) is None
    assert f1(*unknown, 0.5) is None and expected_calibration_error(*unknown) is None
    assert f1(np.array([0, 0]), np.array([0.1, 0.2]), 0.5) is None
    assert f1(np.array([0, 0]), np.array([0.1, 0.9]), 0.5) == 0.0


def test_calibration_error_by_hand() -> None:
    truth, scores = np.array([0, 1, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8])
    # Bins {0.1, 0.3}: 0.2 against 1/2; {0.6, 0.8}: 0.7 against 1.
    assert expected_calibration_error(truth, scores, 2) == pytest.approx((0.3 + 0.3) / 2)
    assert expected_calibration_error(truth, scores, 1) == pytest.approx(abs(0.45 - 0.75))
    # Five frames in two bins: three and two.
    truth, scores = np.array([0, 0, 0, 1, 1]), np.array([0.0, 0.0, 0.3, 0.9, 0.9])
    assert expected_calibration_error(truth, scores, 2) == pytest.approx((0.3 + 0.2) / 5)
    assert expected_calibration_error(np.array([0, 1, 1, 1]), np.full(4, 0.75)) == 0.0
    # A bin border through a tie: both sides take the tie's mean.
    truth, scores = np.array([1, 0, 0, 0]), np.array([0.25, 0.25, 0.25, 0.25])
    assert expected_calibration_error(truth, scores, 2) == pytest.approx(0.0)


@UNTIMED
@given(FRAMES, st.integers(1, 15), st.randoms(use_true_random=False))
def test_order_and_unknown_frames_change_nothing(frames, bins, random) -> None:
    shuffled = list(frames)
    random.shuffle(shuffled)
    known = [frame for frame in frames if frame[0] >= 0] or [(-1, 0.5)]
    measures = (
        average_precision,
        auroc,
        lambda t, s: f1(t, s, 0.5),
        lambda t, s: recall(t, s, 0.5),
        lambda t, s: specificity(t, s, 0.5),
        lambda t, s: expected_calibration_error(t, s, bins),
    )
    for measure in measures:
        value = measure(*columns(frames))
        assert same(value, measure(*columns(shuffled)))
        assert same(value, measure(*columns(known)))
        assert value is None or -1e-12 <= value <= 1 + 1e-12


@UNTIMED
@given(FRAMES)
def test_ranking_measures_see_the_order_alone(frames) -> None:
    truth, scores = columns(frames)
    for measure in (average_precision, auroc):
        assert same(measure(truth, scores), measure(truth, scores**3 / 2 + 0.1))
    flipped = np.where(truth < 0, truth, 1 - truth)
    area, opposite = auroc(truth, scores), auroc(flipped, scores)
    assert (area is None and opposite is None) or same(area, 1 - opposite)
    assert same(recall(truth, scores, 0.5), specificity(flipped, 1 - scores, 0.5 + 1e-9))


@UNTIMED
@given(FRAMES, st.lists(st.integers(0, 3), min_size=40, max_size=40))
def test_resamples_equal_repeated_frames(frames, numbers) -> None:
    truth, scores = columns(frames)
    counts = np.array(numbers[: len(frames)])
    pairs = ((average_precisions, average_precision), (aurocs, auroc))
    for many, one in pairs:
        (value,) = many(truth, scores, counts[None])
        expected = one(np.repeat(truth, counts), np.repeat(scores, counts))
        assert same(None if np.isnan(value) else float(value), expected)


@UNTIMED
@given(FRAMES)
def test_equal_to_scikit_learn(frames) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    truth, scores = columns(frames)
    known = truth >= 0
    value = average_precision(truth, scores)
    if value is None:
        return
    expected = metrics.average_precision_score(truth[known], scores[known])
    assert value == pytest.approx(expected, abs=1e-9)
    expected = metrics.roc_auc_score(truth[known], scores[known])
    assert auroc(truth, scores) == pytest.approx(expected, abs=1e-9)
    found = (scores[known] >= 0.5).astype(int)
    expected = metrics.f1_score(truth[known], found, zero_division=0)
    assert f1(truth, scores, 0.5) == pytest.approx(expected, abs=1e-9)
    expected = metrics.recall_score(truth[known], found, pos_label=0)
    assert specificity(truth, scores, 0.5) == pytest.approx(expected, abs=1e-9)


def test_what_cannot_be_scored_is_named() -> None:
    with pytest.raises(InputError, match=r"truth is \(3,\) and scores \(2,\)"):
        auroc(np.array([1, 0, 1]), np.array([0.1, 0.2]))
    with pytest.raises(InputError, match="other values than 1, 0 and -1"):
        average_precision(np.array([2, 0]), np.array([0.1, 0.2]))
    with pytest.raises(InputError, match="NaN"):
        f1(np.array([1, 0]), np.array([0.1, np.nan]), 0.5)
    assert recall(np.array([1, -1]), np.array([0.9, np.nan]), 0.5) == 1.0
    with pytest.raises(InputError, match="bins is 0"):
        expected_calibration_error(np.array([1, 0]), np.array([0.1, 0.2]), 0)
