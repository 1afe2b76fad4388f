"""EN, SD, SF, AG, MI and clipped pixels: cases worked by hand, and libraries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from egmt_ros.evaluation.fusion.image_statistics import (
    average_gradient,
    clipped_share,
    entropy,
    fusion_mutual_information,
    mutual_information,
    spatial_frequency,
    standard_deviation,
    stretch,
)

NOISE = np.random.default_rng(0).integers(0, 256, (3, 60, 80), np.uint8)
ROUGH = (NOISE[1] // 9).astype(np.uint8)
images = arrays(np.uint8, (5, 6))


def halves(low: int, high: int) -> np.ndarray:
    """Left half of one level, right half of another."""
    image = np.full((8, 10), low, np.uint8)
    image[:, 5:] = high
    return image


def test_entropy_by_hand() -> None:
    assert entropy(np.full((4, 4), 7, np.uint8)) == 0.0
    assert entropy(halves(3, 200)) == pytest.approx(1.0)
    assert entropy(np.arange(256, dtype=np.uint8).reshape(16, 16)) == pytest.approx(8.0)


def test_standard_deviation_by_hand() -> None:
    assert standard_deviation(halves(10, 30)) == pytest.approx(10.0)


def test_spatial_frequency_by_hand() -> None:
    """Columns 0, 10, 0, 10: every neighbour in a row differs by 10, none in a column."""
    stripes = np.tile(np.array([0, 10], np.uint8), (6, 4))
    assert spatial_frequency(stripes) == pytest.approx(10.0)
    board = (np.indices((6, 8)).sum(0) % 2 * 10).astype(np.uint8)
    assert spatial_frequency(board) == pytest.approx(10.0 * np.sqrt(2))


def test_average_gradient_by_hand() -> None:
    """A ramp of 3 a column; and of 3 a column and 4 a row."""
    y, x = np.mgrid[0:9, 0:12]
    assert average_gradient((3 * x).astype(np.uint8)) == pytest.approx(3 / np.sqrt(2))
    assert average_gradient((3 * x + 4 * y).astype(np.uint8)) == pytest.approx(5 / np.sqrt(2))


def test_mutual_information_by_hand() -> None:
    """Of two halves with themselves ln 2; with what they say nothing about, 0."""
    sides = halves(0, 255)
    assert mutual_information(sides, sides) == pytest.approx(np.log(2))
    assert mutual_information(sides, halves(9, 8)) == pytest.approx(np.log(2))
    top = np.zeros_like(sides)
    top[4:] = 1
    assert mutual_information(sides, top) == pytest.approx(0.0, abs=1e-12)
    assert fusion_mutual_information(sides, top, sides) == pytest.approx(np.log(2))


def test_clipped_pixels_by_hand() -> None:
    """Of four pixels the first is clipped; the second was white before; two are inside."""
    thermal = np.array([[9, 255, 9, 9]], np.uint8)
    visible = np.array([[200, 200, 200, 200]], np.uint8)
    assert clipped_share(thermal, visible, np.array([[255, 255, 254, 1]], np.uint8)) == 0.25
    assert clipped_share(thermal, visible, np.array([[0, 0, 0, 255]], np.uint8)) == 0.75


def test_stretch_by_hand() -> None:
    assert stretch(np.array([[50, 75, 150]], np.uint8)).tolist() == [[0, 64, 255]]
    flat = np.full((3, 3), 60, np.uint8)
    assert (stretch(flat) == flat).all()
    assert (stretch(stretch(ROUGH)) == stretch(ROUGH)).all()


@pytest.mark.parametrize("image", [NOISE[0], ROUGH, halves(1, 2)], ids=["noise", "rough", "halves"])
def test_entropy_equals_scikit_image(image: np.ndarray) -> None:
    measure = pytest.importorskip("skimage.measure")
    assert entropy(image) == pytest.approx(measure.shannon_entropy(image))


@pytest.mark.parametrize("other", [NOISE[0], NOISE[2], ROUGH], ids=["same", "noise", "rough"])
def test_mutual_information_equals_scikit_learn(other: np.ndarray) -> None:
    cluster = pytest.importorskip("sklearn.metrics")
    expected = cluster.mutual_info_score(NOISE[0].ravel(), other.ravel())
    assert mutual_information(NOISE[0], other) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(images, images, st.permutations(range(256)))
def test_mutual_information_ignores_which_level_is_which(
    a: np.ndarray, b: np.ndarray, levels: list[int]
) -> None:
    plain = mutual_information(a, b)
    assert plain == pytest.approx(mutual_information(b, a), abs=1e-9)
    assert plain == pytest.approx(mutual_information(np.array(levels, np.uint8)[a], b), abs=1e-9)
    assert mutual_information(a, a) == pytest.approx(entropy(a) * np.log(2), abs=1e-9)
    assert -1e-12 <= plain <= np.log(2) * min(entropy(a), entropy(b)) + 1e-9
