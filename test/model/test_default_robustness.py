"""The default checkpoint with one camera lost, and under noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from egmt_ros.evaluation.robustness.conditions import CONDITIONS, Pair, random_source
from egmt_ros.evaluation.robustness.flicker import NOISES, measure_flicker
from egmt_ros.evaluation.robustness.robustness import closeness
from egmt_ros.evaluation.scene import StreetScene
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.image_files import to_grey

LARGEST_DIFFERENCE = 12.0
"""Of the fused image to the source that is left: mean, grey levels."""
LEAST_CORRELATION = 0.95
LARGEST_FLICKER_RATIO = 1.0
LOST = {condition.name: condition for condition in CONDITIONS if condition.survivor}


def street(time_of_day: str, time: float) -> Pair:
    scene = StreetScene(seed=0, width=320, height=240, time_of_day=time_of_day)
    return Pair(scene.render_thermal(time), scene.render_visible(time))


def gradients() -> Pair:
    """A horizontal ramp in thermal, a vertical one in grey visible."""
    y, x = np.mgrid[0:128, 0:160]
    return Pair(np.uint8(30 + 190 * x / 159), np.uint8(30 + 190 * y / 127))


def shapes() -> Pair:
    """A warm disc on a cool ground, and a coloured chequer board."""
    y, x = np.mgrid[0:128, 0:160]
    disc = np.where((y - 64) ** 2 + (x - 60) ** 2 < 900, 210, 60).astype(np.uint8)
    board = ((y // 16 + x // 16) % 2).astype(bool)[..., None]
    return Pair(disc, np.where(board, (60, 120, 180), (110, 70, 40)).astype(np.uint8))


SCENES: dict[str, Callable[[], Pair]] = {
    "night": lambda: street("night", 5.0),
    "dusk": lambda: street("dusk", 5.0),
    "gradients": gradients,
    "shapes": shapes,
}


@pytest.fixture(scope="module")
def engine() -> FusionEngine:
    return FusionEngine.load(device="cpu")


@pytest.fixture(scope="module", params=list(SCENES))
def pair(request: pytest.FixtureRequest) -> Pair:
    return SCENES[request.param]()


@pytest.mark.parametrize("name", list(LOST))
def test_without_one_camera_the_other_is_shown(engine: FusionEngine, pair: Pair, name: str) -> None:
    condition = LOST[name]
    given = condition.degrade(pair, random_source(0, name))
    survivor = given.thermal if condition.survivor == "thermal" else to_grey(given.visible)
    close = closeness(survivor, [to_grey(engine.fuse(*given).image)])[0]
    assert close.difference <= LARGEST_DIFFERENCE and close.cc >= LEAST_CORRELATION, close


@pytest.mark.parametrize(("camera", "deviation"), NOISES)
def test_noise_flickers_no_more_than_in_the_noisier_camera(
    engine: FusionEngine, pair: Pair, camera: str, deviation: float
) -> None:
    score = measure_flicker(
        {"ours": lambda given: to_grey(engine.fuse(*given).image)},
        pair,
        random_source(0, camera, f"{deviation:g}"),
        camera=camera,
        deviation=deviation,
    )
    assert score.ratio("ours") <= LARGEST_FLICKER_RATIO, score
