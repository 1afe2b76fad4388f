"""What is scored of a fused frame, and that it is what `egmt evaluate pairs` scores."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from egmt_ros.cli import main
from egmt_ros.errors import ConfigError, EgmtError
from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagMessage
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.offline.scoring import Scoring
from egmt_ros.evaluation.replay.measuring import BLOCK, Measurer, largest_window
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.pipeline.results import Sources
from egmt_ros.pipeline.thermal import FULL_SCALE_8_BIT, ThermalRange

SCENE = np.random.default_rng(5)


def scene(*shape: int) -> np.ndarray:
    coarse = SCENE.integers(0, 256, (shape[0] // 8, shape[1] // 8, *shape[2:]))
    return cv2.resize(coarse.astype(np.uint8), shape[1::-1], interpolation=cv2.INTER_CUBIC)


def test_numbers_equal_those_of_evaluate_pairs(tmp_path, bags, capsys):
    """By the real network: the same images as files and as a bag."""
    messages = []
    for number, stem in enumerate("abc"):
        stamp = bags.START + number * bags.STEP
        for side, topic, shape in (
            ("ir", bags.THERMAL, (80, 96)),
            ("vi", bags.VISIBLE, (80, 96, 3)),
        ):
            image = scene(*shape)
            path = tmp_path / "data" / "Street" / "test" / side / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), image)
            messages.append(BagMessage(topic, IMAGE, stamp, image_message(image, stamp, side)))
    bag = bags.make_bag(tmp_path / "bag", messages)
    common = ["--methods", "ours,thermal,visible,max,gff", "--jobs", "1"]
    pairs = ["evaluate", "pairs", "--data", str(tmp_path / "data"), "--resamples", "10"]
    table = tmp_path / "pairs.csv"
    assert main([*pairs, *common, "--device", "cpu", "--csv", str(table)]) == 0
    replay = ["evaluate", "bag", str(bag), "--out", str(tmp_path / "out"), "--no-progress"]
    on_cpu = ["--param", "model.runtime:=torch", "--param", "model.device:=cpu"]
    assert main([*replay, *common, *on_cpu]) == 0
    assert "gff" in capsys.readouterr().out
    found = load_result(tmp_path / "out").frames
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 5
    for row in rows:
        frame = "abc".index(row["name"])
        for metric in COLUMNS:
            value = found.values[f"{row['method']}.{metric}"][frame]
            assert value == pytest.approx(float(row[metric]), rel=1e-6, abs=1e-9), (row, metric)


def sources(**changes) -> Sources:
    given = {
        "thermal": scene(48, 64),
        "range": FULL_SCALE_8_BIT,
        "visible": scene(48, 64, 3),
        "outside": None,
    }
    return Sources(**given | changes)


def test_thermal_images_are_scored_as_their_range_shows_them():
    measurer = Measurer(("thermal",))
    plain = sources()
    fused = scene(48, 64, 3)
    images = measurer.images(plain, fused)
    assert images.thermal is plain.thermal
    assert np.array_equal(images.fused, cv2.cvtColor(fused, cv2.COLOR_BGR2GRAY))
    deep = sources(
        thermal=plain.thermal.astype(np.uint16) * 100 + 7000,
        range=ThermalRange(7000.0, 32500.0),
        visible=plain.visible,
    )
    assert np.array_equal(measurer.images(deep, fused).thermal, plain.thermal)
    hot_is_dark = sources(thermal=255 - plain.thermal, range=ThermalRange(255.0, 0.0))
    assert np.array_equal(measurer.images(hot_is_dark, fused).thermal, plain.thermal)


def test_what_the_thermal_camera_does_not_see_is_not_scored():
    outside = np.zeros((96, 128), np.uint8)
    outside[:, :20] = 1
    outside[:5] = 1
    plain = sources(thermal=scene(96, 128), visible=scene(96, 128), outside=outside)
    measurer = Measurer(("visible",))
    images = measurer.images(plain, plain.visible)
    assert np.array_equal(images.visible, plain.visible[8:, 24:])
    assert list(measurer.score(images)) == ["ours", "visible"]
    outside[40:] = 1
    again = Measurer(()).images(plain, plain.visible)
    assert again is None  # too few pixels for VIF


def test_nothing_is_scored_where_images_are_small():
    assert (
        Measurer(()).images(sources(visible=scene(40, 64), thermal=scene(40, 64)), scene(40, 64))
        is None
    )


def test_unknown_methods_are_refused():
    with pytest.raises(ConfigError, match="'magic'; expected of mean, max"):
        Measurer(("magic",))
    assert Measurer(("max", "ours", "max")).methods == ("ours", "max")


@settings(max_examples=60, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_the_window_is_the_largest_that_is_inside(inside: np.ndarray):
    outside = np.kron(~inside, np.ones((BLOCK, BLOCK))).astype(np.uint8)
    rows, columns = largest_window(outside)
    window = outside[rows, columns]
    assert not window.any()
    height, width = inside.shape
    areas = [
        (bottom - top) * (right - left)
        for top in range(height)
        for bottom in range(top + 1, height + 1)
        for left in range(width)
        for right in range(left + 1, width + 1)
        if inside[top:bottom, left:right].all()
    ]
    assert window.size == max(areas, default=0) * BLOCK**2


def test_processes_give_the_same_values_and_their_end_is_told():
    measurer = Measurer(("laplacian",))
    images = measurer.images(sources(), scene(48, 64, 3))
    here = Scoring.result(Scoring(measurer, 1).submit(images))
    scoring = Scoring(measurer, 2)
    try:
        there = Scoring.result(scoring.submit(images))
        assert there.metrics == here.metrics and there.ms > 0
        for process in list(scoring._executor._processes.values()):
            process.kill()
            process.join()
        with pytest.raises(EgmtError, match="ended from outside.*fewer --jobs, and --resume"):
            while True:  # until the pool has noticed
                Scoring.result(scoring.submit(images))
    finally:
        scoring.close()
