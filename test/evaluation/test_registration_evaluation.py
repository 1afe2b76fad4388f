"""`egmt evaluate registration`, and the watch on real pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.evaluation.registration import known_warps
from egmt_ros.evaluation.registration.known_warps import (
    Count,
    displaced,
    distance,
    draw_warp,
    known_warp,
    try_warp,
)
from egmt_ros.evaluation.registration.registration_command import _read
from egmt_ros.evaluation.registration.watching import LIMIT, watch_groups
from egmt_ros.evaluation.scene.street import StreetScene
from egmt_ros.node_core.parameters import BY_NAME
from egmt_ros.pipeline.image_files import to_grey
from egmt_ros.pipeline.registration.edges import ImagePair

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("dataset", ["MSRS", "RoadScene"])
def test_shifts_of_8_to_12_pixels_on_real_pairs_are_warned_of_and_nothing_else(dataset) -> None:
    if not DATA.is_dir():
        pytest.skip("../shared is not here")
    pairs = _read(DATA / dataset / "val")
    found = watch_groups(pairs, 9, np.random.default_rng(0))
    assert found.shifted.warned == found.shifted.total == len(pairs) // 9
    assert (found.still.warned, found.still.unknown) == (0, 0)
    assert found.strange.unknown == found.strange.total
    # Of single checks, each on another scene, nearly all would do.
    found = watch_groups(pairs, 1, np.random.default_rng(0))
    assert found.shifted.warned >= 0.95 * found.shifted.total and found.still.warned == 0


def test_the_limit_is_the_parameters_default() -> None:
    assert BY_NAME["registration.check_limit"].default == LIMIT


def street(seed: int) -> ImagePair:
    scene = StreetScene(seed, 640, 480, "night")
    return ImagePair(scene.render_thermal(2.0), to_grey(scene.render_visible(2.0)))


def test_both_readings_of_a_known_warp() -> None:
    matrix = known_warp((12, -7), 1.03, 1.5)
    # A pair that is off by itself: the first reading has that in it, the second has not.
    trial = try_warp([displaced(street(1), known_warp((5, 0), 1, 0))], matrix, "similarity")
    assert trial.against_known == pytest.approx(5, abs=0.5) and trial.against_itself < 0.5
    dark = ImagePair(np.zeros((480, 640), np.uint8), street(1).visible)
    assert try_warp([dark], matrix, "similarity") == (float("inf"), float("inf"))


def test_counts_and_drawn_warps() -> None:
    assert Count.of([0.5, 2.0, float("inf")]) == (2.0, 1, 3)
    rng = np.random.default_rng(0)
    for _ in range(50):
        matrix = draw_warp(rng)
        scale = np.sqrt(np.linalg.det(matrix[:2, :2]))
        assert 0.95 <= scale <= 1.05
        assert abs(np.degrees(np.arctan2(matrix[0, 1], matrix[0, 0]))) <= 2
        middle = matrix @ [319.5, 239.5, 1] - [319.5, 239.5, 1]
        assert (np.abs(middle) <= known_warps.MAX_SHIFT).all()
    assert distance(known_warp((3, 4), 1, 0), np.eye(3)) == pytest.approx(5)


def test_the_command_prints_both_tables(tmp_path, capsys) -> None:
    for number in range(2):
        pair = street(number)
        for side, image in (("ir", pair.thermal), ("vi", pair.visible)):
            folder = tmp_path / "Street" / "val" / side
            folder.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / f"{number}.png"), image)
    arguments = ["evaluate", "registration", "--data", str(tmp_path), "--datasets", "Street"]
    assert main([*arguments, "--groups", "2"]) == 0
    said = capsys.readouterr().out
    assert "| Street | 2 | 0." in said and said.count("1 of 1") >= 3
    assert main([*arguments, "--groups", "0"]) == 0
    said = capsys.readouterr().out
    assert "against" not in said and "| Street | 1 | 2 of 2 | 0 of 2 | 0 of 2 |" in said
    assert main([*arguments, "--groups", "a"]) == 1
    assert "--groups is 'a'" in capsys.readouterr().err
    assert main([*arguments, "--split", "no"]) == 1
    assert "does not exist" in capsys.readouterr().err
