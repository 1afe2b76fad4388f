"""Registration: equal sizes out, or an error that says what to set."""

from __future__ import annotations

import numpy as np
import pytest

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.pairing import Side
from egmt_ros.pipeline.registration import Registration


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
    thermal, same = Registration("scale").apply(ramp(*size, dtype), visible)
    assert same is visible
    assert thermal.shape == (480, 640) and thermal.dtype == dtype
    assert np.abs(thermal.astype(float) - ramp(480, 640, float)).max() < 3


@pytest.mark.parametrize("channels", [(), (3,)])
def test_scale_to_a_thermal_reference_resizes_the_visible_image(channels):
    thermal = np.zeros((120, 160), np.uint8)
    visible = np.full((480, 640, *channels), 77, np.uint8)
    same, resized = Registration("scale", Side.THERMAL).apply(thermal, visible)
    assert same is thermal
    assert resized.shape == (120, 160, *channels) and resized.dtype == np.uint8
    assert (resized == 77).all()


def test_an_unknown_mode_is_refused_by_the_name_of_the_parameter():
    with pytest.raises(ConfigError, match="registration.mode is 'warp'.*none, scale"):
        Registration("warp")
