"""Percentiles over a window."""

from __future__ import annotations

from egmt_ros.pipeline.latency import SlidingPercentiles


def test_percentiles_of_the_newest_values():
    window = SlidingPercentiles(window=5)
    assert window.percentiles((50,)) is None
    for value in (900.0, 800.0, 1.0, 2.0, 3.0, 4.0, 5.0):
        window.add(value)
    assert len(window) == 5
    assert window.percentiles((0, 50, 95, 100)) == [1.0, 3.0, 4.8, 5.0]
    window.clear()
    assert window.percentiles((50,)) is None
