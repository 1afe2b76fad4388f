"""ThermalReader: from a camera's pixels to image, range and temperatures."""

from __future__ import annotations

import math

import numpy as np
import pytest

from egmt_ros.errors import InputError
from egmt_ros.pipeline.thermal import ThermalRange, ThermalRangeEstimator
from egmt_ros.pipeline.thermal_encoding import ThermalEncoding
from egmt_ros.pipeline.thermal_reader import ThermalReader

SHAPE = (60, 80)


def ramp(low, high, dtype):
    return np.linspace(low, high, SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(dtype)


def reader(encoding="auto", mode="frame", fixed=None, percentiles=(0.0, 100.0), **options):
    estimator = ThermalRangeEstimator(mode, fixed, percentiles)
    if isinstance(encoding, str):
        encoding = ThermalEncoding(encoding)
    return ThermalReader(estimator, encoding, **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("mode", "fixed"), [("fixed", (10.0, 200.0)), ("frame", None)])
def test_auto_leaves_the_image_and_its_range_as_they_are(dtype, mode, fixed):
    image = ramp(20, 220, dtype)
    frame = reader(mode=mode, fixed=fixed).read(image, 0)
    assert frame.image is image, "not even copied"
    assert frame.range == ThermalRangeEstimator(mode, fixed, (0.0, 100.0)).update(image, 0)
    assert math.isnan(frame.reading.min_celsius) and math.isnan(frame.reading.max_celsius)


def test_a_dead_row_of_an_8_bit_image_is_counted_but_stays_unless_asked_for():
    rng = np.random.default_rng(0)
    image = rng.integers(100, 140, SHAPE).astype(np.uint8)
    image[30] = 0
    frame = reader(mode="fixed").read(image, 0)
    assert frame.image is image and frame.range == ThermalRange(0.0, 255.0)
    assert (frame.reading.dead_rows, frame.reading.dead_columns) == (1, 0)
    assert not frame.reading.lines_repaired
    repaired = reader(mode="fixed", repair_lines=True).read(image, 0)
    assert repaired.image[30].min() >= 100
    assert repaired.reading.dead_rows == 1 and repaired.reading.lines_repaired
    assert image[30].max() == 0


@pytest.mark.parametrize(
    ("encoding", "dtype", "low", "high"),
    [
        (ThermalEncoding("centikelvin"), np.uint16, 26315, 30965),
        (ThermalEncoding("decicelsius"), np.uint16, 900, 1365),
        (ThermalEncoding("celsius"), np.float32, -10.0, 36.5),
        (ThermalEncoding("linear", 0.5, -20.0), np.uint8, 20, 113),
    ],
)
def test_radiometric_images_tell_their_coldest_and_hottest_pixel(encoding, dtype, low, high):
    frame = reader(encoding).read(ramp(low, high, dtype), 0)
    assert frame.reading.min_celsius == pytest.approx(-10.0)
    assert frame.reading.max_celsius == pytest.approx(36.5)
    assert frame.image.dtype == dtype, "the engine gets the camera's own numbers"


def test_dead_pixels_count_neither_for_the_range_nor_for_the_temperatures():
    image = ramp(10, 30, np.float32)
    image[5, 5], image[20] = math.inf, math.nan
    frame = reader("celsius").read(image, 0)
    assert frame.reading.filled_pixels == 81
    assert frame.range == ThermalRange(10.0, 30.0)
    assert (frame.reading.min_celsius, frame.reading.max_celsius) == (10.0, 30.0)


@pytest.mark.parametrize("mode", ["fixed", "percentile", "frame"])
def test_invert_shows_low_values_white_in_every_mode(mode):
    image = ramp(7000, 9000, np.uint16)
    plain = reader(mode=mode, fixed=(7000, 9000)).read(image, 0).range
    inverted = reader(mode=mode, fixed=(7000, 9000), invert=True).read(image, 0).range
    assert plain == ThermalRange(7000.0, 9000.0)
    assert inverted == ThermalRange(9000.0, 7000.0)


@pytest.mark.parametrize(
    "image", [np.zeros((0, 4), np.float32), np.zeros((4, 4, 3), np.uint8), np.zeros(4, np.int16)]
)
def test_what_is_no_thermal_image_is_refused(image):
    with pytest.raises(InputError) as caught:
        reader().read(image, 0)
    assert caught.value.reason == "thermal_type"


def test_another_pixel_type_than_the_encoding_s_is_refused():
    with pytest.raises(InputError, match="centikelvin") as caught:
        reader("centikelvin").read(ramp(0, 255, np.uint8), 0)
    assert caught.value.reason == "thermal_encoding"
