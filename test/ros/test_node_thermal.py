"""What the node makes of thermal images of every kind, over real DDS."""

from __future__ import annotations

import math

import numpy as np
import pytest

MS = 1_000_000
START = 1_700_000_000_000_000_000


def noise(low, high, dtype):
    """64x64 with both values in it."""
    image = np.random.default_rng(0).uniform(low, high, (64, 64)).astype(dtype)
    image[0, 0], image[-1, -1] = low, high
    return image


def wait_labels(rig, count):
    rig.wait(
        lambda: len(rig.messages["image"]) >= count and len(rig.messages["entities"]) >= count,
        f"{count} images and label arrays have come",
    )
    return rig.messages["entities"][-1]


def set_parameters(rig, **values):
    from rclpy.parameter import Parameter

    result = rig.node.set_parameters_atomically(
        [Parameter(f"thermal.{name}", value=value) for name, value in values.items()]
    )
    assert result.successful, result.reason


def test_radiometric_images_fill_the_temperature_range_of_the_labels(rig):
    rig.start(parameters={"thermal.fixed_min": -20.0, "thermal.fixed_max": 80.0})
    images = {
        "centikelvin": (noise(26315, 30965, np.uint16), "mono16", {}),
        "decicelsius": (noise(900, 1365, np.uint16), "16UC1", {}),
        "celsius": (noise(-10.0, 36.5, np.float32), "32FC1", {}),
        "linear": (noise(20, 113, np.uint8), "mono8", {"scale": 0.5, "offset": -20.0}),
    }
    for count, (encoding, (pixels, kind, more)) in enumerate(images.items(), start=1):
        set_parameters(rig, encoding=encoding, **more)
        rig.send_pair(START + count * 100 * MS, pixels=pixels, encoding=kind)
        labels = wait_labels(rig, count)
        assert labels.thermal_min_celsius == pytest.approx(-10.0, abs=1e-3), encoding
        assert labels.thermal_max_celsius == pytest.approx(36.5, abs=1e-3), encoding
        np.testing.assert_array_equal(rig.engine.thermal[-1], pixels)
    blacks = [limits.low for limits in rig.engine.ranges]
    whites = [limits.high for limits in rig.engine.ranges]
    assert blacks == pytest.approx([25315.0, 800.0, -20.0, 0.0]), "-20 degrees"
    assert whites == pytest.approx([35315.0, 1800.0, 80.0, 200.0]), "80 degrees"
    rig.wait(
        lambda: rig.status("thermal input")[1].get("max_celsius") == "36.500",
        "diagnostics tell the temperature",
    )


def test_images_that_are_not_radiometric_tell_no_temperature_and_arrive_as_they_are(rig):
    rig.start(parameters={"thermal.range_mode": "frame"})
    for count, (dtype, kind) in enumerate(
        [(np.uint8, "mono8"), (np.uint16, "mono16"), (np.float32, "32FC1")], start=1
    ):
        pixels = noise(10, 200, dtype)
        rig.send_pair(START + count * 100 * MS, pixels=pixels, encoding=kind)
        labels = wait_labels(rig, count)
        assert math.isnan(labels.thermal_min_celsius) and math.isnan(labels.thermal_max_celsius)
        assert rig.engine.thermal[-1].dtype == dtype
        np.testing.assert_array_equal(rig.engine.thermal[-1], pixels)


def test_a_wrong_encoding_and_a_palette_are_refused_with_the_remedy(rig):
    rig.start(parameters={"thermal.encoding": "centikelvin"})
    rig.send_pair(START, pixels=noise(0, 255, np.uint8))
    rig.settled(thermal=1, visible=1)
    rig.wait(
        lambda: "thermal.encoding is centikelvin" in rig.status("thermal input")[1]["last_reject"],
        "diagnostics name the parameter",
    )
    palette = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    rig.send_pair(START + 100 * MS, pixels=palette, encoding="rgb8")
    rig.settled(thermal=2, visible=2)
    rig.wait(
        lambda: "a palette does not tell temp" in rig.status("thermal input")[1]["last_reject"],
        "diagnostics name the palette",
    )
    counts = rig.account("thermal")
    assert counts["rejected.thermal_encoding"] == counts["rejected.colour_thermal"] == 1
    assert rig.account("visible")["rejected.partner_rejected"] == 2
    assert rig.messages["image"] == []


def test_dead_pixels_and_lines_are_repaired_and_counted_on_diagnostics(rig):
    rig.start(parameters={"thermal.encoding": "celsius", "thermal.range_mode": "frame"})

    def thermal_input():
        return rig.status("thermal input")

    pixels = noise(20.0, 30.0, np.float32)
    pixels[10, 10:14] = math.nan
    pixels[11, 11] = math.inf
    pixels[40], pixels[:, 5] = 0.0, 900.0
    rig.send_pair(START, pixels=pixels, encoding="32FC1")
    assert wait_labels(rig, 1).thermal_max_celsius == 900.0
    assert np.isfinite(rig.engine.thermal[-1]).all()
    rig.wait(lambda: thermal_input()[1].get("filled_pixels") == "5", "the pixels are counted")
    rig.wait(lambda: "thermal.repair_lines" in thermal_input()[0].message, "it warns of the lines")
    status, values = thermal_input()
    assert status.level == status.WARN and "1 dead rows and 1 dead columns" in status.message
    assert (values["last_dead_rows"], values["repaired_lines"]) == ("1", "0")

    set_parameters(rig, repair_lines=True)
    rig.send_pair(START + 100 * MS, pixels=pixels, encoding="32FC1")
    labels = wait_labels(rig, 2)
    assert 20.0 <= labels.thermal_min_celsius < labels.thermal_max_celsius <= 30.0
    rig.wait(lambda: thermal_input()[1]["repaired_lines"] == "2", "the lines are counted")
    status, values = thermal_input()
    assert "dead" not in status.message
    assert (values["filled_pixels"], values["last_dead_columns"]) == ("10", "1")
    assert "filled_pixels" not in rig.status("visible input")[1]


def test_invert_reaches_the_engine_and_can_be_changed_while_running(rig):
    rig.start()
    rig.send_pair(START)
    wait_labels(rig, 1)
    set_parameters(rig, invert=True)
    rig.send_pair(START + 100 * MS)
    wait_labels(rig, 2)
    assert [(r.low, r.high) for r in rig.engine.ranges] == [(0.0, 255.0), (255.0, 0.0)]
