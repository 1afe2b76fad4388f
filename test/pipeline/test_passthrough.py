"""One camera's image in the place of a fused one."""

from __future__ import annotations

import numpy as np
import pytest

from egmt_ros.pipeline.passthrough import thermal_alone, visible_alone
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region, ThermalReading
from egmt_ros.pipeline.thermal import ThermalRange
from egmt_ros.pipeline.thermal_reader import ThermalFrame

RNG = np.random.default_rng(0)


class Engine:
    """Notes what it is asked to fuse; its image is not the one to be shown."""

    labels = ()

    def fuse(self, thermal, visible, thermal_range, weights):
        self.asked = thermal, visible, thermal_range, weights
        return FusionResult(
            image=np.zeros((1, 1), np.uint8), scores={"person": 0.7}, labels=self.labels,
            attention=np.zeros((1, 1, 1), np.float32), attention_cell=8, timings={},
        )  # fmt: skip


@pytest.mark.parametrize("shape", [(6, 8, 3), (6, 8)])
def test_the_visible_image_is_shown_as_it_is(shape):
    engine, visible = Engine(), RNG.integers(0, 256, shape, np.uint8)
    result = visible_alone(engine.fuse, visible, "weights")
    assert np.array_equal(result.image, visible)
    assert result.scores == {"person": 0.7} and result.thermal is None
    assert result.sources.thermal is None and result.sources.visible is visible
    thermal, seen, limits, weights = engine.asked
    assert thermal.shape == (6, 8) and not thermal.any()
    assert seen is visible and (limits.low, limits.high) == (0, 255) and weights == "weights"


@pytest.mark.parametrize("colour", [True, False])
def test_the_thermal_image_is_shown_in_its_range(colour):
    engine = Engine()
    image = np.array([[7000, 8000, 9000, 9500]] * 3, np.uint16)
    reading = ThermalReading(20.0, 30.0, 0, 0, 0, False)
    frame = ThermalFrame(image, ThermalRange(7000, 9000), reading)
    result = thermal_alone(engine.fuse, frame, colour)
    grey = result.image[..., 0] if colour else result.image
    assert grey.tolist() == [[0, 128, 255, 255]] * 3
    assert result.image.shape == ((3, 4, 3) if colour else (3, 4))
    assert not colour or (result.image == grey[..., None]).all()
    assert result.sources.visible is None and result.sources.thermal is image
    assert result.thermal is reading and engine.asked[0] is image
    assert engine.asked[1].shape == result.image.shape and not engine.asked[1].any()


@pytest.mark.parametrize("seen", [(8, 6), (32, 12), (2, 3)])
def test_the_network_sees_a_size_that_it_is_prepared_for_and_regions_are_in_the_own_one(seen):
    engine = Engine()
    width, height = seen
    engine.labels = (
        EntityLabel(0, "person", 0.9, True, Region(width // 2, 0, width // 2, height), 0.8, 0.5),
        EntityLabel(1, "sky", 0.1, False, None, 0.0, 0.5),
    )
    visible = RNG.integers(0, 256, (6, 8, 3), np.uint8)
    frame = ThermalFrame(visible[..., 0].copy(), ThermalRange(0, 255), None)
    for result in (
        visible_alone(engine.fuse, visible, None, seen),
        thermal_alone(engine.fuse, frame, True, None, seen),
    ):
        assert engine.asked[0].shape == engine.asked[1].shape[:2] == (height, width)
        assert result.image.shape == visible.shape
        person, sky = result.labels
        assert person.region == Region(4, 0, 4, 6) and sky.region is None
