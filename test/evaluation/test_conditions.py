"""The named conditions on pairs of 8 bits."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from egmt_ros.evaluation.robustness.conditions import (
    CLEAN,
    CONDITIONS,
    FLAT,
    LOW_LIGHT,
    NOISE,
    SHIFTS,
    Condition,
    Pair,
    noise_condition,
    random_source,
)
from egmt_ros.pipeline.image_files import to_grey

BY_NAME = {condition.name: condition for condition in CONDITIONS}


@pytest.fixture
def pair() -> Pair:
    """Smooth, in muted colours that no conversion clips."""
    y, x = np.mgrid[0:72, 0:96]
    thermal = np.uint8(100 + 60 * np.sin(x / 9))
    planes = [np.uint8(120 + 25 * np.sin(x / a + y / b)) for a, b in ((7, 5), (11, 9), (13, 8))]
    return Pair(thermal, np.dstack(planes))


def degrade(condition: Condition, pair: Pair, seed: int = 0) -> Pair:
    return condition.degrade(pair, random_source(seed, condition.name))


def test_every_fault_that_was_asked_for_is_there() -> None:
    assert CONDITIONS[0] is CLEAN
    assert len(BY_NAME) == len(CONDITIONS)
    assert {
        *("noise thermal", "noise visible", "noise both", "blur thermal", "blur visible"),
        *("low light", "over-exposure", "thermal inversion", "constant thermal"),
        *("misregistration 2", "misregistration 4", "misregistration 8"),
        *("missing thermal", "missing visible"),
    } <= set(BY_NAME)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_type_and_size_stay_and_the_input_too(condition: Condition, grey: bool, pair: Pair) -> None:
    pair = Pair(pair.thermal, to_grey(pair.visible)) if grey else pair
    before = [image.copy() for image in pair]
    given = degrade(condition, pair)
    for image, changed, old in zip(pair, given, before, strict=True):
        assert changed.dtype == np.uint8 and changed.shape == image.shape
        np.testing.assert_array_equal(image, old)
    changes = [bool((a != b).any()) for a, b in zip(pair, given, strict=True)]
    visible = condition.luminance is not None or condition.chroma is not None
    assert changes == [condition.thermal is not None, visible]
    again = degrade(condition, pair)
    for one, two in zip(given, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_noise_is_seeded_and_of_its_strength(pair: Pair) -> None:
    condition = BY_NAME["noise both"]
    given, other = degrade(condition, pair), degrade(condition, pair, seed=1)
    for clean, one, two in zip(pair, given, other, strict=True):
        assert (one != two).any()
        error = to_grey(one).astype(float) - to_grey(clean)
        assert error.std() == pytest.approx(NOISE, rel=0.05)
    thermal, visible = (
        to_grey(g).astype(float) - to_grey(c) for c, g in zip(pair, given, strict=True)
    )
    assert abs(np.corrcoef(thermal.ravel(), visible.ravel())[0, 1]) < 0.06
    assert np.std(
        degrade(noise_condition(5.0, "thermal"), pair).thermal - pair.thermal.astype(float)
    ) == pytest.approx(5.0, rel=0.05)


def test_a_source_of_chance_belongs_to_its_names() -> None:
    draw = random_source(0, "a", "b").integers(0, 2**31, 4).tolist()
    assert draw == random_source(0, "a", "b").integers(0, 2**31, 4).tolist()
    others = (random_source(1, "a", "b"), random_source(0, "a", "c"), random_source(0, "b", "a"))
    assert all(draw != other.integers(0, 2**31, 4).tolist() for other in others)


def test_less_light_leaves_less_colour(pair: Pair) -> None:
    dark = degrade(BY_NAME["low light"], pair).visible
    old, new = (cv2.cvtColor(i, cv2.COLOR_BGR2YCrCb).astype(float) for i in (pair.visible, dark))
    np.testing.assert_allclose(new[..., 0], LOW_LIGHT * old[..., 0], atol=1.5)
    np.testing.assert_allclose(new[..., 1:] - 128, LOW_LIGHT * (old[..., 1:] - 128), atol=1.5)


def test_noise_and_blur_leave_the_colour(pair: Pair) -> None:
    for name in ("noise visible", "blur visible"):
        given = degrade(BY_NAME[name], pair)
        old, new = (cv2.cvtColor(v, cv2.COLOR_BGR2YCrCb) for v in (pair.visible, given.visible))
        # What the rounding of a conversion and its reverse moves.
        assert np.abs(new[..., 1:].astype(float) - old[..., 1:]).max() <= 2


@pytest.mark.parametrize("pixels", SHIFTS)
def test_misregistration_moves_luminance_and_colour(pixels: int, pair: Pair) -> None:
    moved = degrade(BY_NAME[f"misregistration {pixels}"], pair).visible.astype(float)
    assert np.abs(moved[:, pixels:] - pair.visible[:, :-pixels]).max() <= 2
    assert np.abs(moved[:, :pixels] - pair.visible[:, :1]).max() <= 2


def test_cameras_that_show_nothing(pair: Pair) -> None:
    assert (degrade(BY_NAME["missing thermal"], pair).thermal == 0).all()
    assert (degrade(BY_NAME["missing visible"], pair).visible == 0).all()
    assert (degrade(BY_NAME["constant thermal"], pair).thermal == FLAT).all()
    np.testing.assert_array_equal(
        degrade(BY_NAME["thermal inversion"], pair).thermal, 255 - pair.thermal
    )
    survivors = {c.name: c.survivor for c in CONDITIONS if c.survivor}
    assert survivors == {
        "constant thermal": "visible",
        "missing thermal": "visible",
        "missing visible": "thermal",
    }
