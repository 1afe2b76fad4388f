"""Flicker by hand, and of fusions whose flicker is known."""

from __future__ import annotations

import numpy as np
import pytest

from egmt_ros.errors import InputError
from egmt_ros.evaluation.robustness.conditions import Pair
from egmt_ros.evaluation.robustness.flicker import FlickerScore, flicker, measure_flicker

GREY = Pair(np.full((64, 64), 120, np.uint8), np.full((64, 64, 3), 120, np.uint8))
METHODS = {
    "thermal": lambda pair: pair.thermal,
    "still": lambda pair: np.full_like(pair.thermal, 7),
    "twice": lambda pair: np.clip(2 * (pair.thermal.astype(int) - 120) + 120, 0, 255),
}


def test_flicker_by_hand() -> None:
    first = np.array([[10, 20]], np.uint8)
    assert flicker([first, first]) == 0.0
    # Standard deviations of (10, 12) and (20, 20), one degree of freedom: sqrt(2) and 0.
    assert flicker([first, np.array([[12, 20]], np.uint8)]) == pytest.approx(np.sqrt(2) / 2)
    with pytest.raises(InputError, match="1 frames.*at least 2"):
        flicker([first])


@pytest.mark.parametrize("deviation", [5.0, 15.0])
def test_flicker_of_known_fusions(deviation: float) -> None:
    score = measure_flicker(
        METHODS, GREY, np.random.default_rng(0), camera="thermal", deviation=deviation
    )
    # The mean of sample standard deviations of 16 draws is 0.983 of the true one.
    assert score.thermal == pytest.approx(0.983 * deviation, rel=0.02) and score.visible == 0.0
    assert score.ratio("thermal") == 1.0
    assert score.ratio("still") == 0.0
    assert score.ratio("twice") == pytest.approx(2.0, rel=0.01)


def test_ratio_is_to_the_noisier_input() -> None:
    score = FlickerScore("Street", "a", "both", 5.0, thermal=4.0, visible=8.0, fused={"ours": 6.0})
    assert score.ratio("ours") == 0.75
    quiet = FlickerScore("Street", "a", "both", 5.0, 0.0, 0.0, {"ours": 1.0, "still": 0.0})
    assert quiet.ratio("ours") == float("inf") and quiet.ratio("still") == 0.0


def test_both_cameras_have_noise_of_their_own() -> None:
    difference = {"difference": lambda pair: pair.thermal.astype(int) - pair.visible[..., 0]}
    score = measure_flicker(
        difference, GREY, np.random.default_rng(0), camera="both", deviation=10.0
    )
    assert score.visible == pytest.approx(score.thermal, rel=0.05)
    assert score.ratio("difference") == pytest.approx(np.sqrt(2), rel=0.05)
