"""Bayes' rule on a threshold, and its limits."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from egmt_ros.downstream.settings import ShiftSettings
from egmt_ros.downstream.thresholds import shifted_threshold, threshold_shift

UNLIMITED = ShiftSettings(max_lowering=10.0, max_raising=10.0, floor=0.0)
inside = st.floats(0.02, 0.98)
scores = st.floats(0.0, 1.0)


@given(confidence=inside, threshold=inside, score=st.floats(0.05, 0.95), rate=st.floats(0.05, 0.95))
def test_the_new_threshold_asks_what_bayes_rule_asks(confidence, threshold, score, rate):
    # Posterior under the new prior: likelihood ratio of the old one, times the new odds.
    likelihood_ratio = confidence / (1 - confidence) / (rate / (1 - rate))
    odds = likelihood_ratio * score / (1 - score)
    posterior = odds / (1 + odds)
    shift = threshold_shift(score, True, rate, UNLIMITED)
    lowered = shifted_threshold(threshold, shift, floor=0.0)
    if abs(posterior - threshold) > 1e-9:
        assert (posterior >= threshold) == (confidence >= lowered)


def test_numbers_by_hand():
    # odds of 0.8 are 4, of 0.5 are 1: the threshold's odds 1 become 1/4.
    shift = threshold_shift(0.8, True, 0.5, UNLIMITED)
    assert shifted_threshold(0.5, shift, 0.0) == pytest.approx(0.2)
    # By default at most one unit of log odds: 1 / (1 + e).
    shift = threshold_shift(0.99, True, 0.5, ShiftSettings())
    assert shifted_threshold(0.5, shift, 0.05) == pytest.approx(0.2689, abs=1e-4)


@given(threshold=inside, score=scores | st.none(), present=st.booleans(), rate=inside)
def test_by_default_no_threshold_rises_and_only_what_is_present_lowers_one(
    threshold, score, present, rate
):
    settings = ShiftSettings()
    shift = threshold_shift(score, present, rate, settings)
    new = shifted_threshold(threshold, shift, settings.floor)
    assert -settings.max_lowering <= shift <= 0.0
    assert min(threshold, settings.floor) <= new <= threshold
    if not present or score is None:
        assert new == threshold


# Log odds there and back take an ulp, more than this shift adds.
@example(
    threshold=0.1875, rate=0.5, low=0.0, high=1.0, weight=1.0,
    lowering=0.0, raising=1e-60, floor=0.0,
)  # fmt: skip
@given(
    threshold=inside, rate=inside, low=scores, high=scores, weight=st.floats(0.0, 1.0),
    lowering=st.floats(0.0, 10.0), raising=st.floats(0.0, 10.0), floor=scores,
)  # fmt: skip
def test_a_higher_score_never_gives_a_higher_threshold(
    threshold, rate, low, high, weight, lowering, raising, floor
):
    settings = ShiftSettings(weight, lowering, raising, floor)
    low, high = sorted((low, high))
    first, second = (
        shifted_threshold(threshold, threshold_shift(s, True, rate, settings), floor)
        for s in (low, high)
    )
    rounding = 1e-12  # of log odds that differ in their last bits
    assert 0.0 < second <= first + rounding <= 1.0 + rounding


def test_weight_discounts_the_prior():
    full, half, none = (
        threshold_shift(0.8, True, 0.5, ShiftSettings(weight, 10.0)) for weight in (1.0, 0.5, 0.0)
    )
    assert half == pytest.approx(full / 2) and none == 0.0


def test_an_absent_entity_raises_the_threshold_if_asked_to():
    settings = ShiftSettings(max_raising=0.5)
    assert threshold_shift(0.01, False, 0.5, settings) == 0.5
    assert threshold_shift(None, False, 0.5, settings) == 0.0
    assert shifted_threshold(0.5, 0.5, 0.05) == pytest.approx(0.6225, abs=1e-4)
