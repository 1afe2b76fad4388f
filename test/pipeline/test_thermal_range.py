"""ThermalRangeEstimator: fixed, smoothed and frame-wise ranges, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.thermal import ThermalRange, ThermalRangeEstimator, reject_non_finite

SECOND = 1_000_000_000


def scene(low, high, dtype=np.uint16, shape=(480, 640)):
    """A ramp whose percentiles are known."""
    return np.linspace(low, high, shape[0] * shape[1]).reshape(shape).astype(dtype)


def near(estimate, low, high, tolerance):
    return abs(estimate.low - low) <= tolerance and abs(estimate.high - high) <= tolerance


def test_fixed_is_full_scale_for_8_bit_images_by_default():
    estimate = ThermalRangeEstimator("fixed").update(scene(40, 60, np.uint8), 0)
    assert estimate == ThermalRange(0.0, 255.0)


def test_fixed_takes_the_given_range_also_an_inverted_one():
    estimator = ThermalRangeEstimator("fixed", fixed_range=(9000, 7000))
    assert estimator.update(scene(0, 65535), 0) == ThermalRange(9000.0, 7000.0)
    assert estimator.update(scene(0, 255, np.uint8), 1) == ThermalRange(9000.0, 7000.0)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_fixed_without_a_range_is_refused_for_other_types_naming_the_parameters(dtype):
    with pytest.raises(InputError, match="thermal.fixed_min.*percentile") as caught:
        ThermalRangeEstimator("fixed").update(scene(0, 100, dtype), 0)
    assert caught.value.reason == "thermal_range"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(480, 640), (61, 77), (1, 5), (2000, 30)])
def test_frame_takes_the_percentiles_of_the_image(dtype, shape):
    image = scene(20, 220, dtype, shape)
    estimate = ThermalRangeEstimator("frame", percentiles=(10, 90)).update(image, 0)
    low, high = np.percentile(image, (10, 90))
    assert near(estimate, low, high, 4.0 if image.size > 100 else 60.0)


def test_frame_remembers_nothing():
    estimator = ThermalRangeEstimator("frame")
    estimator.update(scene(0, 100), 0)
    assert near(estimator.update(scene(5000, 6000), SECOND // 30), 5005, 5995, 10)


def test_percentile_follows_a_step_with_its_time_constant():
    estimator = ThermalRangeEstimator("percentile", percentiles=(0, 100), time_constant=2.0)
    assert near(estimator.update(scene(1000, 2000, shape=(60, 80)), 10 * SECOND), 1000, 2000, 1)
    half = estimator.update(scene(3000, 4000, shape=(60, 80)), 12 * SECOND)
    share = 1 - math.exp(-1)
    assert near(half, 1000 + 2000 * share, 2000 + 2000 * share, 2)
    assert near(estimator.update(scene(3000, 4000, shape=(60, 80)), 60 * SECOND), 3000, 4000, 2)


def test_smoothing_depends_on_source_time_and_not_on_the_number_of_frames():
    ends = []
    for frames in (3, 90):
        estimator = ThermalRangeEstimator("percentile", time_constant=1.0)
        estimator.update(scene(1000, 2000), 0)
        for i in range(1, frames + 1):
            estimate = estimator.update(scene(3000, 4000), i * SECOND // frames)
        ends.append(estimate)
    assert near(ends[0], ends[1].low, ends[1].high, 2)


def test_a_hot_object_that_enters_changes_the_smoothed_range_gently():
    estimator = ThermalRangeEstimator("percentile", time_constant=1.0)
    image = scene(7000, 8000)
    before = estimator.update(image, 0)
    image[200:300, 200:300] = 20000
    after = estimator.update(image, SECOND // 30)
    assert 0 < after.high - before.high < 0.05 * (20000 - before.high)


def test_a_stamp_that_goes_back_starts_afresh():
    estimator = ThermalRangeEstimator("percentile", time_constant=100.0)
    estimator.update(scene(0, 100), 50 * SECOND)
    assert near(estimator.update(scene(5000, 6000), SECOND), 5005, 5995, 10)


def test_an_equal_stamp_changes_nothing():
    estimator = ThermalRangeEstimator("percentile")
    first = estimator.update(scene(0, 100), SECOND)
    assert estimator.update(scene(5000, 6000), SECOND) == first


def test_another_pixel_type_starts_afresh():
    estimator = ThermalRangeEstimator("percentile", time_constant=100.0)
    estimator.update(scene(0, 255, np.uint8), 0)
    assert near(estimator.update(scene(5000, 6000), 1), 5005, 5995, 10)


def test_reset_and_a_time_constant_of_zero_remember_nothing():
    smooth = ThermalRangeEstimator("percentile", time_constant=100.0)
    quick = ThermalRangeEstimator("percentile", time_constant=0.0)
    for estimator in (smooth, quick):
        estimator.update(scene(0, 100), 0)
    smooth.reset()
    for estimator in (smooth, quick):
        assert near(estimator.update(scene(5000, 6000), 1), 5005, 5995, 10)


@pytest.mark.parametrize("mode", ["percentile", "frame"])
@pytest.mark.parametrize(
    ("value", "dtype"),
    [(0, np.uint8), (255, np.uint8), (65535, np.uint16), (-3.5, np.float32), (3e38, np.float32)],
)
def test_a_flat_image_gets_a_range_around_its_value(mode, value, dtype):
    image = np.full((60, 80), value, dtype)
    estimate = ThermalRangeEstimator(mode).update(image, 0)
    assert estimate.low < float(image[0, 0]) < estimate.high
    assert np.float32(estimate.low) < np.float32(estimate.high)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("mode", ["fixed", "percentile", "frame"])
def test_one_pixel_that_is_not_finite_is_refused_wherever_it_is(mode, bad):
    image = scene(-10, 40, np.float32)
    image[7, 11] = bad
    estimator = ThermalRangeEstimator(mode, fixed_range=(-10, 40))
    with pytest.raises(InputError, match="1 of 307200") as caught:
        estimator.update(image, 0)
    assert caught.value.reason == "not_finite"


def test_reject_non_finite_lets_all_else_pass():
    for image in (np.zeros((2, 2), np.uint16), np.float32([[1e38, -1e38]]), np.zeros((0, 3), "f")):
        reject_non_finite(image)


@pytest.mark.parametrize(
    "image",
    [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float64), np.zeros((0, 4), np.uint8),
     np.zeros((4, 4), np.int16), np.zeros(4, np.uint8)],
)
def test_other_shapes_and_types_are_refused(image):
    with pytest.raises(InputError) as caught:
        ThermalRangeEstimator("frame").update(image, 0)
    assert caught.value.reason == "thermal_type"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mode": "auto"}, "thermal.range_mode"),
        ({"mode": "frame", "percentiles": (99, 1)}, "thermal.percentile_low"),
        ({"mode": "frame", "percentiles": (-1, 99)}, "thermal.percentile_low"),
        ({"mode": "percentile", "time_constant": -1.0}, "thermal.time_constant"),
        ({"mode": "percentile", "time_constant": math.nan}, "thermal.time_constant"),
        ({"mode": "fixed", "fixed_range": (5, 5)}, "thermal.fixed_min"),
        ({"mode": "fixed", "fixed_range": (0, math.nan)}, "thermal.fixed_max"),
    ],
)
def test_bad_arguments_are_refused_by_the_name_of_their_parameter(arguments, named):
    with pytest.raises(ConfigError, match=named):
        ThermalRangeEstimator(**arguments)
