"""How often something happens."""

from __future__ import annotations

import pytest

from egmt_ros.pipeline.rate import SlidingRate


def feed(rate, hz, seconds, start=0.0, count=0, every=0.5):
    """Updates at a rate; returns the last time and count."""
    steps = round(seconds / every)
    for step in range(steps + 1):
        now = start + step * every
        rate.update(now, count + round(step * every * hz))
    return now, count + round(seconds * hz)


def test_without_two_updates_there_is_no_rate():
    rate = SlidingRate(5.0)
    assert (rate.rate, rate.seconds) == (0.0, 0.0)
    rate.update(3.0, 100)
    assert (rate.rate, rate.seconds) == (0.0, 0.0)
    assert not rate.short_of(30.0)


def test_it_forgets_what_lies_before_the_window():
    rate = SlidingRate(5.0)
    now, count = feed(rate, 30.0, seconds=20.0)
    assert rate.rate == pytest.approx(30.0)
    now, count = feed(rate, 10.0, 6.0, now, count)
    assert rate.rate == pytest.approx(10.0) and 5.0 <= rate.seconds < 5.6


def test_updates_that_are_rare_are_looked_at_two_by_two():
    rate = SlidingRate(5.0)
    for minute, count in enumerate((0, 600, 1800)):
        rate.update(60.0 * minute, count)
    assert (rate.rate, rate.seconds) == (20.0, 60.0)


@pytest.mark.parametrize(
    "hz, expected, short",
    [(30, 30, False), (27.4, 30, False), (26, 30, True), (1, 1, False), (0.8, 1, False),
     (0.2, 1, True), (60, 30, False), (0, 0, False)],
)  # fmt: skip
def test_short_is_what_lacks_a_tenth_and_more_than_one(hz, expected, short):
    rate = SlidingRate(5.0)
    feed(rate, hz, seconds=5.0)
    assert rate.short_of(expected) is short


def test_only_a_full_window_can_be_short():
    rate = SlidingRate(5.0)
    now, _ = feed(rate, 1.0, seconds=4.5)
    assert not rate.short_of(30.0)
    rate.update(now + 0.5, 5)
    assert rate.short_of(30.0)
    rate.clear()
    assert not rate.short_of(30.0) and rate.rate == 0.0
