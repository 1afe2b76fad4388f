"""Dead pixels, rows and columns: found where they are, left alone where they are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.pipeline.thermal_repair import (
    DeadLines,
    fill_dead_lines,
    fill_non_finite,
    find_dead_lines,
)

DTYPES = [np.uint8, np.uint16, np.float32]
GAIN = {np.uint8: 1.0, np.uint16: 100.0, np.float32: 0.1}


def scene(dtype, shape=(120, 160), seed=0):
    """Smooth shapes with some noise, about 40..200 times the type's gain."""
    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.normal(0.0, 1.0, shape), (0, 0), 6.0)
    smooth = 120.0 + 30.0 * smooth / smooth.std() + rng.normal(0.0, 1.0, shape)
    return (np.clip(smooth, 1.0, 254.0) * GAIN[dtype]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dead_lines_are_found_and_interpolated(dtype):
    whole = scene(dtype)
    image = whole.copy()
    image[0] = 0
    image[40] = 255 * GAIN[dtype]
    image[80:82] = 0
    image[:, 70] = 0
    image[:, 159] = 254 * GAIN[dtype]
    lines = find_dead_lines(image)
    assert lines == DeadLines((0, 40, 80, 81), (70, 159))
    before = image.copy()
    repaired = fill_dead_lines(image, lines)
    np.testing.assert_array_equal(image, before)
    assert repaired.dtype == dtype
    error = np.abs(repaired.astype(float) - whole) / GAIN[dtype]
    assert error.max() < 20.0 and error.mean() < 0.2
    sound = np.ones(whole.shape, bool)
    sound[list(lines.rows)] = False
    sound[:, list(lines.columns)] = False
    np.testing.assert_array_equal(repaired[sound], whole[sound])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
def test_a_sound_image_has_none(dtype, seed):
    assert find_dead_lines(scene(dtype, seed=seed)) == DeadLines()


@pytest.mark.parametrize("dtype", DTYPES)
def test_borders_saturation_gradients_and_flat_images_are_no_dead_lines(dtype):
    letterbox = scene(dtype)
    letterbox[:12] = letterbox[-12:] = 0
    letterbox[:, :9] = 0
    hot = scene(dtype)
    hot[50:70] = 255 * GAIN[dtype]
    ramp = np.repeat(np.linspace(0, 200, 120)[:, None], 160, axis=1).astype(dtype)
    for image in (letterbox, hot, ramp, ramp.T, np.zeros((60, 80), dtype)):
        assert find_dead_lines(np.ascontiguousarray(image)) == DeadLines()


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(DTYPES),
    st.lists(st.sampled_from([0, 7, 200]), min_size=81, max_size=81),
)
def test_images_of_any_size_and_pattern_come_through(shape, dtype, values):
    image = np.array(values[: shape[0] * shape[1]], dtype).reshape(shape)
    repaired = fill_dead_lines(image, find_dead_lines(image))
    assert repaired.shape == shape and repaired.dtype == dtype
    assert image.min() <= repaired.min() and repaired.max() <= image.max()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_filled_from_around_and_counted(bad):
    whole = scene(np.float32)
    image = whole.copy()
    image[0, 0] = image[50, 60] = image[119, 159] = bad
    image[30] = bad
    image[70:90, 100:120] = bad
    filled, count = fill_non_finite(image)
    assert count == 3 + 160 + 400
    finite = np.isfinite(image)
    np.testing.assert_array_equal(filled[finite], whole[finite])
    assert np.isfinite(filled).all()
    assert whole[finite].min() <= filled.min() and filled.max() <= whole[finite].max()
    assert np.abs(filled - whole)[30].mean() < 0.2, "as near as the rows beside it"
    assert not np.isfinite(image[50, 60]), "the given image is unchanged"


@pytest.mark.parametrize("dtype", DTYPES)
def test_images_without_dead_pixels_are_the_same_object(dtype):
    image = scene(dtype)
    assert fill_non_finite(image)[0] is image


@given(st.integers(0, 8), st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_any_quarter_of_any_image_is_filled(count, height, width, seed):
    image = np.full((height, width), 20.0, np.float32)
    count = min(count, image.size // 4)
    places = np.random.default_rng(seed).permutation(image.size)[:count]
    image.ravel()[places] = np.nan
    filled, found = fill_non_finite(image)
    assert found == count
    np.testing.assert_array_equal(filled, np.full_like(image, 20.0))


def test_more_than_a_quarter_is_refused():
    image = np.zeros((8, 8), np.float32)
    image[:2] = np.nan
    assert fill_non_finite(image)[1] == 16
    image[2, 0] = np.nan
    with pytest.raises(InputError, match="17 of 64.*25%") as caught:
        fill_non_finite(image)
    assert caught.value.reason == "not_finite"
