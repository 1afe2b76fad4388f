"""Registration: equal sizes out, or an error that says what to set."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.registration.homography import Homography
from egmt_ros.pipeline.registration.register import Registration


def ramp(height, width, dtype):
    """Brightness rises from left to right, 0 to 200."""
    return np.tile(np.linspace(0, 200, width), (height, 1)).astype(dtype)


@pytest.mark.parametrize("mode", ["none", "scale"])
def test_equal_sizes_pass_untouched(mode):
    thermal, visible = np.zeros((48, 64), np.uint16), np.zeros((48, 64, 3), np.uint8)
    out = Registration(mode).apply(thermal, visible)
    assert out[0] is thermal and out[1] is visible


def test_none_refuses_other_sizes_and_names_both_and_the_parameter():
    with pytest.raises(InputError, match="160x120.*640x480.*registration.mode") as caught:
        Registration("none").apply(np.zeros((120, 160), np.uint8), np.zeros((480, 640), np.uint8))
    assert caught.value.reason == "size_mismatch"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(120, 160), (481, 641), (1000, 900)])
def test_scale_brings_the_thermal_image_to_the_visible_size(dtype, size):
    visible = np.zeros((480, 640, 3), np.uint8)
    thermal, same, _ = Registration("scale").apply(ramp(*size, dtype), visible)
    assert same is visible
    assert thermal.shape == (480, 640) and thermal.dtype == dtype
    assert np.abs(thermal.astype(float) - ramp(480, 640, float)).max() < 3


@pytest.mark.parametrize("channels", [(), (3,)])
def test_scale_to_a_thermal_reference_resizes_the_visible_image(channels):
    thermal = np.zeros((120, 160), np.uint8)
    visible = np.full((480, 640, *channels), 77, np.uint8)
    same, resized, _ = Registration("scale", Side.THERMAL).apply(thermal, visible)
    assert same is thermal
    assert resized.shape == (120, 160, *channels) and resized.dtype == np.uint8
    assert (resized == 77).all()


def test_an_unknown_mode_is_refused_by_the_name_of_the_parameter():
    with pytest.raises(ConfigError, match="registration.mode is 'warp'.*none, scale"):
        Registration("warp")


TURNED = np.array([[1.02, 0.03, 9.0], [-0.02, 0.98, -6.0], [2e-5, -1e-5, 1.0]])


def warp(matrix, thermal_size=None, visible_size=None):
    homography = Homography.from_matrix(np.array(matrix, float), thermal_size, visible_size)
    return Registration("homography", homography=homography)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_homography_lays_the_thermal_image_over_the_visible_one(dtype):
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.uniform(0, 200, (240, 320)), (0, 0), 4)
    scene = cv2.normalize(scene, None, 0, 200, cv2.NORM_MINMAX)
    # A thermal pixel p shows what the visible image has at TURNED p.
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    thermal = cv2.warpPerspective(scene, TURNED, (300, 220), flags=flags).astype(dtype)
    visible = np.dstack([scene.astype(np.uint8)] * 3)
    pair = warp(TURNED, (300, 220), (320, 240)).apply(thermal, visible)
    assert pair.visible is visible
    assert pair.thermal.shape == (240, 320) and pair.thermal.dtype == dtype
    inside = cv2.erode(1 - pair.outside, np.ones((9, 9), np.uint8), borderValue=0) > 0
    # Away from the edge of the scene itself, from where the thermal image was made.
    inside[:12] = inside[-12:] = inside[:, :12] = inside[:, -12:] = False
    assert inside.mean() > 0.6
    assert np.abs(pair.thermal.astype(float) - scene)[inside].max() < 3


@pytest.mark.parametrize("channels", [(), (3,)])
def test_outside_the_overlap_the_visible_image_is_shown_alone(channels):
    rng = np.random.default_rng(0)
    visible = rng.integers(0, 256, (60, 80, *channels), np.uint8)
    pair = warp([[1, 0, 10], [0, 1, 0], [0, 0, 1]]).apply(np.full((60, 50), 9, np.uint8), visible)
    assert (pair.thermal == 9).all(), "no edge where the thermal image ends"
    assert (pair.outside[:, :10] == 1).all() and (pair.outside[:, 60:] == 1).all()
    assert (pair.outside[:, 10:60] == 0).all()
    image = pair.complete(np.full_like(visible, 100))
    assert (image[:, 10:60] == 100).all()
    assert (image[:, :10] == visible[:, :10]).all() and (image[:, 60:] == visible[:, 60:]).all()


def test_the_same_field_of_view_is_covered_to_the_last_pixel():
    half = [[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]
    pair = warp(half).apply(ramp(24, 32, np.uint8), np.zeros((48, 64), np.uint8))
    assert pair.outside is None
    fused = np.ones((48, 64), np.uint8)
    assert pair.complete(fused) is fused and (fused == 1).all()


def test_what_lies_behind_the_thermal_camera_is_outside():
    # Visible columns beyond 1 / 0.02 = 50 would be seen with w below 0.
    inverse = np.array([[1, 0, 0], [0, 1, 0], [-0.02, 0, 1.0]])
    pair = warp(np.linalg.inv(inverse)).apply(
        np.zeros((60, 2000), np.uint8), np.zeros((60, 80), np.uint8)
    )
    assert pair.outside[:, 51:].all() and not pair.outside[0, :40].any()


def test_tables_are_made_once_for_each_size(monkeypatch):
    registration = warp(TURNED)
    thermal, visible = np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
    first = registration.apply(thermal, visible)
    monkeypatch.setattr(cv2, "convertMaps", None)
    assert registration.apply(thermal, visible).outside is first.outside
    with pytest.raises(TypeError):
        registration.apply(thermal[:40], visible)


def test_other_sizes_than_those_calibrated_are_refused():
    with pytest.raises(InputError, match="thermal image is 64x48.*for 32x24.*calibrate") as caught:
        warp(np.eye(3), (32, 24), (64, 48)).apply(
            np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
        )
    assert caught.value.reason == "size_mismatch"


def test_a_homography_that_parts_the_images_is_refused():
    with pytest.raises(InputError, match="registration.homography.*beside") as caught:
        warp([[1, 0, 100], [0, 1, 0], [0, 0, 1]]).apply(
            np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8)
        )
    assert caught.value.reason == "no_overlap"


def test_a_homography_belongs_to_its_mode_and_to_a_visible_reference():
    with pytest.raises(ConfigError, match="registration.homography is empty.*egmt calibrate"):
        Registration("homography")
    with pytest.raises(ConfigError, match="output.reference is 'thermal'.*visible"):
        Registration("homography", Side.THERMAL, Homography.from_matrix(np.eye(3)))
