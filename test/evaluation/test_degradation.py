"""Faults of cameras: by hand, and what holds for any image and strength."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from egmt_ros.evaluation.robustness import degradation

IMAGES = arrays(
    np.float32,
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    elements=st.floats(0, 1, width=32),
)
FAULTS: dict[str, Callable[[np.ndarray, float, int], np.ndarray]] = {
    "noise": lambda image, strength, seed: degradation.noise(
        image, strength, np.random.default_rng(seed)
    ),
    "blur": lambda image, strength, _: degradation.blur(image, 0.3 + 3 * strength),
    "darken": lambda image, strength, _: degradation.darken(image, strength),
    "over_expose": lambda image, strength, _: degradation.over_expose(image, 1 + 4 * strength),
    "shift": lambda image, strength, seed: degradation.shift(
        image, round(40 * strength) - 20, seed % 41 - 20
    ),
    "invert": lambda image, *_: degradation.invert(image),
    "constant": lambda image, strength, _: degradation.constant(image, strength),
}


@pytest.mark.parametrize("name", FAULTS)
@given(image=IMAGES, strength=st.floats(0, 1), seed=st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_type_shape_and_range_stay(
    name: str, image: np.ndarray, strength: float, seed: int
) -> None:
    before = image.copy()
    changed = FAULTS[name](image, strength, seed)
    assert changed.dtype == np.float32 and changed.shape == image.shape
    assert changed.min() >= 0 and changed.max() <= 1 + 1e-6  # a blur adds up rounded weights
    np.testing.assert_array_equal(image, before)


def test_shift_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6]], np.float32) / 10
    right = np.array([[1, 1, 2], [4, 4, 5]], np.float32) / 10
    up_left = np.array([[5, 6, 6], [5, 6, 6]], np.float32) / 10
    np.testing.assert_array_equal(degradation.shift(image, 1, 0), right)
    np.testing.assert_array_equal(degradation.shift(image, -1, -1), up_left)
    np.testing.assert_array_equal(degradation.shift(image, 0, 0), image)
    np.testing.assert_array_equal(degradation.shift(image, 9, -9), np.full((2, 3), np.float32(0.4)))


@given(image=IMAGES, right=st.integers(-30, 30), down=st.integers(-30, 30))
@settings(deadline=None)
def test_shift_takes_each_pixel_from_where_it_was(image: np.ndarray, right: int, down: int) -> None:
    moved = degradation.shift(image, right, down)
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            old_y, old_x = min(max(y - down, 0), height - 1), min(max(x - right, 0), width - 1)
            assert moved[y, x] == image[old_y, old_x]


@given(deviation=st.floats(0.005, 0.08), seed=st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_noise_has_its_standard_deviation_and_no_bias(deviation: float, seed: int) -> None:
    grey = np.full((100, 100), 0.5, np.float32)
    noisy = degradation.noise(grey, deviation, np.random.default_rng(seed))
    # Five standard errors of 10,000 draws; clipping starts at six standard deviations.
    assert abs(noisy.mean() - 0.5) < 5 * deviation / 100
    assert noisy.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * grey.size))


def test_noise_is_independent_from_pixel_to_pixel_and_draw_to_draw() -> None:
    grey, rng = np.full((200, 200), 0.5, np.float32), np.random.default_rng(0)
    one, two = (degradation.noise(grey, 0.05, rng) - 0.5 for _ in range(2))
    for left, right in ((one, two), (one[:, 1:], one[:, :-1]), (one[1:], one[:-1])):
        assert abs(np.corrcoef(left.ravel(), right.ravel())[0, 1]) < 0.03


def test_noise_comes_from_its_source_alone() -> None:
    image = np.full((8, 8), 0.5, np.float32)
    again = [degradation.noise(image, 0.1, np.random.default_rng(7)) for _ in range(2)]
    np.testing.assert_array_equal(*again)


def test_blur_widens_a_point_by_its_sigma() -> None:
    point = np.zeros((41, 41), np.float32)
    point[20, 20] = 1.0
    spread = degradation.blur(point, 2.0)
    assert spread.sum() == pytest.approx(1.0, abs=1e-4)
    offsets = np.arange(41) - 20
    assert (spread.sum(0) * offsets**2).sum() == pytest.approx(4.0, rel=0.05)


@given(value=st.floats(0, 1, width=32), sigma=st.floats(0.3, 4))
@settings(max_examples=20, deadline=None)
def test_blur_leaves_a_flat_image(value: float, sigma: float) -> None:
    flat = np.full((20, 30), value, np.float32)
    np.testing.assert_allclose(degradation.blur(flat, sigma), flat, atol=1e-6)


def test_light_by_hand() -> None:
    image = np.array([[0.0, 0.2, 0.5, 1.0]], np.float32)
    np.testing.assert_allclose(degradation.darken(image, 0.5), [[0, 0.1, 0.25, 0.5]])
    np.testing.assert_allclose(degradation.over_expose(image, 2.5), [[0, 0.5, 1, 1]])
    np.testing.assert_allclose(degradation.invert(image), [[1, 0.8, 0.5, 0]])
    np.testing.assert_array_equal(degradation.constant(image, 0.25), np.full((1, 4), 0.25))


@given(image=IMAGES)
@settings(deadline=None)
def test_inverting_twice_gives_the_image_back(image: np.ndarray) -> None:
    twice = degradation.invert(degradation.invert(image))
    np.testing.assert_allclose(twice, image, atol=1e-6)
