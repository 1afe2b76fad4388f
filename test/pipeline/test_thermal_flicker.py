"""Range modes on a sequence: a hot object enters, stays, trembles and leaves."""

from __future__ import annotations

import numpy as np
import pytest

from egmt_ros.pipeline.thermal import ThermalRangeEstimator

RATE = 30
SCENE = (7000.0, 8000.0)
BACKGROUND = np.linspace(*SCENE, 60 * 80).reshape(60, 80).astype(np.uint16)


def shown(value, limits):
    return float(np.clip(255.0 * (value - limits.low) / (limits.high - limits.low), 0.0, 255.0))


def greys(mode, heat, places):
    """Grey 0..255 of a cool, a middling and a warm place of the background in each frame.

    Args:
        heat: Value of the object.
        places: Its side in pixels in each frame, 0: it is not there.
    """
    estimator = ThermalRangeEstimator(mode)
    rows = []
    for i, side in enumerate(places):
        image = BACKGROUND.copy()
        image[20 : 20 + side, 30 : 30 + side] = heat
        limits = estimator.update(image, i * 1_000_000_000 // RATE)
        rows.append([shown(value, limits) for value in (7250.0, 7500.0, 7990.0)])
    return np.array(rows)


def jump(rows):
    """Largest change of any place from one frame to the next, grey levels."""
    return float(np.abs(np.diff(rows, axis=0)).max())


VISIT = [0] * 30 + [10] * 240 + [0] * 240  # 1 s without, 8 s with, 8 s without the object
TREMBLE = [0] * 30 + [4, 6] * 60  # 16 and 36 pixels of 4800: below and above 0.5 %


@pytest.mark.parametrize("heat", [9000, 20000, 65535])
@pytest.mark.parametrize("cold", [False, True])
def test_a_hot_or_cold_object_that_enters_and_leaves_does_not_make_the_rest_jump(heat, cold):
    heat = 0 if cold else heat
    rows = greys("percentile", heat, VISIT)
    assert jump(rows) < 10.0
    frame = greys("frame", heat, VISIT)
    assert jump(frame) > 60.0, "frame by frame it would"
    # Where the range has got to in the end is that of the frame alone.
    np.testing.assert_allclose(rows[265:270], frame[265:270], atol=12.0)
    np.testing.assert_allclose(rows[-5:], frame[-5:], atol=12.0)


@pytest.mark.parametrize("heat", [9000, 20000, 65535])
def test_an_object_that_trembles_around_the_percentile_does_not_flicker(heat):
    assert jump(greys("percentile", heat, TREMBLE)) < 10.0
    assert jump(greys("frame", heat, TREMBLE)) > 60.0


def test_the_range_widens_alike_at_any_rate():
    ends = []
    for frames in (10, 300):
        estimator = ThermalRangeEstimator("percentile")
        estimator.update(BACKGROUND, 0)
        hot = BACKGROUND.copy()
        hot[20:30, 30:40] = 60_000
        for i in range(1, frames + 1):
            limits = estimator.update(hot, i * 1_000_000_000 // frames)
        ends.append(limits.high - limits.low)
    assert ends[0] == pytest.approx(ends[1], rel=0.02)
    assert ends[0] == pytest.approx(990 * np.e, rel=0.03), "e-fold in a time constant"


def test_the_first_picture_after_a_closed_shutter_counts_at_once():
    estimator = ThermalRangeEstimator("percentile")
    estimator.update(np.full((60, 80), 7300, np.uint16), 0)
    limits = estimator.update(BACKGROUND, 1_000_000_000 // RATE)
    assert limits.high - limits.low > 950
