"""Contrast of drawn objects, the comparison with hot pixels, and the command."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.cli import main
from egmt_ros.evaluation.emphasis.contrast import SMALLEST, contrast_to_noise, figures
from egmt_ros.evaluation.emphasis.emphasis import DOSES, brighten_hottest, evaluate_emphasis
from egmt_ros.evaluation.emphasis.emphasis_report import as_json, markdown
from egmt_ros.pipeline.engine import FusionEngine

MASKS = {"A": {"folder": "seg", "classes": {1: "car", 2: "person"}}}


def test_contrast_of_a_figure_by_hand() -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[20:30, 20:30] = 1  # 100 pixels
    mask[50:53, 50:53] = 1  # too small
    (figure,) = figures(mask)
    assert figure.pixels.sum() == 100
    assert figure.around.sum() == 18 * 18 - 100  # a margin of 4
    image = np.full((60, 60), 100, np.uint8)
    image[::2] = 120  # mean 110, standard deviation 10
    image[20:30, 20:30] = 140
    assert contrast_to_noise(image, figure) == pytest.approx(30.0 / 10.0, rel=0.03)
    image[20:30, 20:30] = 80
    assert contrast_to_noise(image, figure) == pytest.approx(30.0 / 10.0, rel=0.03)
    flat = np.where(figure.pixels, 50, 40).astype(np.uint8)
    assert contrast_to_noise(flat, figure) == 5.0  # the noise is taken to be 2 at least


def test_neighbours_are_no_surroundings() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[10:40, 10:20] = mask[10:40, 24:34] = 1
    first, second = figures(mask)
    assert not (first.around & second.pixels).any() and not (second.around & first.pixels).any()
    assert figures(np.ones((64, 64), np.uint8)) == []  # nothing around it
    assert figures(mask[:12]) == [] and SMALLEST > 20


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), change=st.floats(0.0, 300.0))
def test_the_hottest_pixels_go_first_and_the_change_is_met(seed: int, change: float) -> None:
    rng = np.random.default_rng(seed)
    fused, thermal = rng.integers(0, 256, (2, 12, 16), np.uint8)
    found = brighten_hottest(fused, thermal, change)
    touched = found != fused
    assert (found[touched] == 255).all()
    if touched.any():
        spared = ~touched & (fused < 255)
        assert not spared.any() or thermal[spared].max() <= thermal[touched].min()
    reached = np.abs(found.astype(int) - fused).mean()
    assert reached <= change + 1e-6
    assert reached > change - 255 / fused.size or (found == 255).all()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path / "data" / "A"
    for kind in ("ir", "vi", "seg"):
        (folder / "test" / kind).mkdir(parents=True)
    for number in range(3):
        thermal = rng.integers(20, 60, (96, 128), np.uint8)
        mask = np.zeros((96, 128), np.uint8)
        mask[30:60, 20:36], mask[50:80, 70:110] = 2, 1
        thermal[mask == 2] = 230
        visible = rng.integers(60, 90, (96, 128, 3), np.uint8)
        for kind, image in (("ir", thermal), ("vi", visible), ("seg", mask)):
            cv2.imwrite(str(folder / "test" / kind / f"{number}.png"), image)
    (folder / "labels_meta.json").write_text('{"annotated_vocabulary": ["person", "car", "truck"]}')
    (folder / "labels.json").write_text(
        json.dumps({str(number): ["person", "car"] for number in range(3)})
    )
    return tmp_path / "data"


def test_every_figure_of_the_tables(data: Path) -> None:
    engine = FusionEngine.load(runtime="torch")
    found = evaluate_emphasis(engine, data, "test", MASKS, progress=False)
    person = found.by_entity["person"]
    assert person.contrast["person"].shape == (3, len(DOSES))
    assert person.frames["car"].tolist() == [0, 1, 2]
    neutral = DOSES.index(1.0)
    assert (person.change[:, neutral] == 0).all() and (person.change[:, -1] >= 0).all()
    assert len(found.absent) == 3 and {name for _, name in found.absent_cases} == {"truck"}
    values = as_json(found)
    assert values["by_entity"]["person"]["rest_change"]["vif"][neutral] == 0.0
    low, mean, high = (person.gain("person")[i][0] for i in (1, 0, 2))
    assert low <= mean <= high
    text = markdown(found)
    for part in ("| CNR of person (3) |", "| Qabf of the rest |", "3 frames and entities known"):
        assert part in text, part


def test_bad_arguments_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "emphasis"]) == 1
    assert "give --data to measure" in capsys.readouterr().err
    picture = tmp_path / "no" / "x.png"
    assert main(["evaluate", "emphasis", "--picture", str(picture)]) == 1
    assert "cannot be written" in capsys.readouterr().err
    out = tmp_path / "no" / "x.json"
    assert main(["evaluate", "emphasis", "--data", str(data), "--out", str(out)]) == 1
    assert "folder that exists" in capsys.readouterr().err
    assert main(["evaluate", "emphasis", "--data", str(data)]) == 1
    assert "MSRS" in capsys.readouterr().err  # the masks of the configuration
