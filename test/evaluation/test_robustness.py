"""Robustness of a stand-in for the engine, whose scores are known, on a small folder."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.fusion.metrics import PairScores, score_pair
from egmt_ros.evaluation.robustness.conditions import CONDITIONS, NOISE, Pair, random_source
from egmt_ros.evaluation.robustness.robustness import (
    ALL,
    OURS,
    REFERENCE,
    Robustness,
    closeness,
    evaluate_robustness,
    evenly_spaced,
    score_fused,
)
from egmt_ros.evaluation.robustness.robustness_report import as_json, markdown
from egmt_ros.pipeline.image_files import read_image, to_grey

SIZE = (72, 96)


class Maximum:
    """The pixelwise maximum as an engine; "car" where the thermal image is bright."""

    names = ("person", "car")
    text_encoder = "none"
    model_id = "maximum@0"

    def fuse(self, thermal: np.ndarray, visible: np.ndarray) -> SimpleNamespace:
        grey = cv2.cvtColor(visible, cv2.COLOR_BGR2GRAY) if visible.ndim == 3 else visible
        scores = {"person": 0.5, "car": float(thermal.mean()) / 255}
        return SimpleNamespace(image=np.maximum(thermal, grey), scores=scores)


def textured(seed: int, middle: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = cv2.GaussianBlur(rng.standard_normal(SIZE), (0, 0), 3)
    return np.uint8(np.clip(middle + 40 * image / image.std(), 0, 255))


def write(data: Path, dataset: str, stems: str, split: str = "test") -> None:
    """Pairs of a data set; the first half of the stems is bright, and shows a car."""
    for i, stem in enumerate(stems):
        bright = i < len(stems) / 2
        own = 10 * len(dataset) + i  # no two pairs look the same, so that no labels tie
        images = {"ir": textured(own, 150 if bright else 90), "vi": textured(100 + own, 110)}
        images["vi"] = cv2.cvtColor(images["vi"], cv2.COLOR_GRAY2BGR)
        for side, image in images.items():
            folder = data / dataset / split / side
            folder.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(folder / f"{stem}.png"), image)
    captions = {
        stem: {
            "entities": {"infrared": ["car"] if i < len(stems) / 2 else [], "visible": []},
            "unsure": ["person"],
        }
        for i, stem in enumerate(stems)
    }
    (data / dataset / "captions.json").write_text(json.dumps(captions))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder, "Street", "abcd")
    write(folder, "Yard", "xy")
    return folder


@pytest.fixture(scope="module")
def found(data: Path) -> Robustness:
    return evaluate_robustness(Maximum(), data, "test", flicker_pairs=1)


def test_every_condition_is_scored_on_every_pair(found: Robustness) -> None:
    assert found.pairs == {"Street": 4, "Yard": 2}
    assert [r.condition for r in found.conditions] == [c.name for c in CONDITIONS]
    for result in found.conditions:
        assert set(result.fusion) == {ALL, "Street", "Yard"}
        for by_method in result.fusion.values():
            # The stand-in is the reference.
            assert by_method[OURS] == pytest.approx(by_method[REFERENCE], abs=1e-6)
        street, yard = (result.fusion[name][OURS]["vif"] for name in ("Street", "Yard"))
        assert result.fusion[ALL][OURS]["vif"] == pytest.approx((4 * street + 2 * yard) / 6)


def test_labels_follow_what_the_engine_is_given(found: Robustness) -> None:
    results = {result.condition: result for result in found.conditions}
    assert found.entities == ("car",)  # of a person nothing is known
    assert results["clean"].macro_ap == 1.0
    # All six scores are equal: the average precision is the prevalence.
    assert results["missing thermal"].macro_ap == pytest.approx(0.5)
    # Worst order: hits at ranks 4, 5 and 6.
    assert results["thermal inversion"].macro_ap == pytest.approx((1 / 4 + 2 / 5 + 3 / 6) / 3)


@pytest.mark.parametrize(
    ("name", "against_clean"),
    [("noise both", True), ("blur visible", False), ("misregistration 8", False)],
)
def test_noise_is_scored_against_the_clean_sources_and_the_rest_as_given(
    data: Path, name: str, against_clean: bool
) -> None:
    found = evaluate_robustness(Maximum(), data / "Yard", "test", limit=1, flicker_pairs=0)
    clean = Pair(*(read_image(data / f"Yard/test/{side}/y.png") for side in ("ir", "vi")))
    condition = next(c for c in CONDITIONS if c.name == name)
    given = condition.degrade(clean, random_source(0, "Yard", "y", name))
    fused = np.maximum(given.thermal, to_grey(given.visible))
    expected = {
        source: score_fused(pair.thermal, to_grey(pair.visible), [fused])[0]
        for source, pair in (("clean", clean), ("given", given))
    }
    result = next(r for r in found.conditions if r.condition == name)
    scores = result.fusion["Yard"][OURS]
    wanted, other = ("clean", "given") if against_clean else ("given", "clean")
    assert list(scores.values()) == pytest.approx(list(expected[wanted]), abs=1e-4)
    assert abs(scores["vif"] - expected[other].vif) > 0.05


def test_closeness_to_the_source_that_is_left(found: Robustness) -> None:
    results = {result.condition: result for result in found.conditions}
    for name in ("missing thermal", "missing visible"):
        close = results[name].closeness[ALL][OURS]
        assert close.difference == pytest.approx(0.0, abs=1.0)
        assert close.cc == pytest.approx(1.0, abs=0.01)
        assert close.ssim == pytest.approx(1.0, abs=0.02)
    grey = results["constant thermal"].closeness[ALL][OURS]
    assert grey.difference > 10 and grey.cc < 0.9
    assert results["clean"].closeness == {} and results["noise both"].closeness == {}


def test_flicker_of_a_maximum(found: Robustness) -> None:
    assert {(s.dataset, s.camera, s.deviation) for s in found.flicker} == {
        (dataset, camera, deviation)
        for dataset in ("Street", "Yard")
        for camera in ("thermal", "visible", "both")
        for deviation in (5.0, NOISE)
    }
    for score in found.flicker:
        assert (score.thermal > 0) == (score.camera != "visible")
        assert (score.visible > 0) == (score.camera != "thermal")
        assert 0 < score.ratio(OURS) <= 1.0


def test_a_pair_keeps_its_noise_whatever_is_beside_it(data: Path, found: Robustness) -> None:
    alone = evaluate_robustness(Maximum(), data, "test", datasets=["Yard"], flicker_pairs=1)
    assert alone.pairs == {"Yard": 2}
    for one, other in zip(alone.conditions, found.conditions, strict=True):
        assert one.fusion["Yard"] == other.fusion["Yard"]
    assert list(alone.flicker) == [s for s in found.flicker if s.dataset == "Yard"]
    other_seed = evaluate_robustness(
        Maximum(), data / "Yard", "test", limit=1, flicker_pairs=0, seed=1
    )
    assert other_seed.pairs == {"Yard": 1} and other_seed.flicker == ()
    assert other_seed.entities == () and other_seed.conditions[0].macro_ap is None
    assert "macro AP" in markdown(other_seed) and "Flicker" not in markdown(other_seed)


def test_markdown_and_json(found: Robustness) -> None:
    text = markdown(found)
    lines = text.splitlines()
    for condition in CONDITIONS:
        row = next(line for line in lines if line.startswith(f"| {condition.description} | ours |"))
        assert row.count("|") == 12 and ("(" in row.split("ours")[1]) == (
            condition != CONDITIONS[0]
        )
    assert sum(line.startswith("|  | max |") for line in lines) == len(CONDITIONS) + 3
    plain = json.loads(json.dumps(as_json(found), allow_nan=False))
    assert plain["pairs"] == found.pairs
    inverted = next(c for c in plain["conditions"] if c["condition"] == "missing visible")
    assert set(inverted["closeness"][ALL]["ours"]) == {"difference", "cc", "ssim"}
    assert plain["flicker"][0]["ratio"].keys() == {OURS, REFERENCE}


def test_scores_are_those_of_score_pair() -> None:
    thermal, visible = textured(0, 120), textured(1, 120)
    fused = [np.maximum(thermal, visible), visible]
    tensors = [
        torch.from_numpy(image).float()[None, None] for image in (thermal, visible, fused[0])
    ]
    expected = [float(value) for value in score_pair(*tensors)]
    assert score_fused(thermal, visible, fused)[0] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("level", [0, 1, 16, 128, 255])
def test_a_flat_source_has_nothing_to_represent(level: int) -> None:
    visible = textured(1, 120)
    flat, fused = np.full_like(visible, level), cv2.GaussianBlur(visible, (0, 0), 1)
    for thermal, other in ((flat, visible), (visible, flat)):
        scores = score_fused(thermal, other, [fused])[0]
        # Of the one source that shows something, in double precision.
        alone, sums = score_double(visible, visible, fused), score_double(flat, visible, fused)
        for name in ("vif_min", "q_min", "ssim_min", "cc_min"):
            assert getattr(scores, name) == pytest.approx(getattr(alone, name), abs=1e-4), name
        assert scores.qabf == pytest.approx(alone.q_min, abs=1e-4)
        for name in ("vif", "scd", "ssim"):
            assert getattr(scores, name) == pytest.approx(getattr(sums, name), abs=1e-4), name


def test_two_flat_sources_are_scored_without_a_number_that_is_none() -> None:
    flat = np.full(SIZE, 40, np.uint8)
    assert np.isfinite(score_fused(flat, flat, [flat, textured(0, 120)])).all()


def score_double(thermal: np.ndarray, visible: np.ndarray, fused: np.ndarray) -> PairScores:
    images = (torch.from_numpy(i).double()[None, None] for i in (thermal, visible, fused))
    return PairScores(*(float(value) for value in score_pair(*images)))


def test_closeness_by_hand() -> None:
    source = textured(0, 120)
    brighter = np.uint8(np.clip(source.astype(int) + 10, 0, 255))
    same, off, negative = closeness(source, [source, brighter, 255 - source])
    assert same == pytest.approx((0.0, 1.0, 1.0), abs=1e-4)
    assert off.difference == pytest.approx(10.0, abs=0.1) and off.cc > 0.99
    assert negative.cc == pytest.approx(-1.0, abs=1e-4) and negative.ssim < 0


def test_evenly_spaced() -> None:
    assert evenly_spaced(range(10), None) == list(range(10))
    assert evenly_spaced(range(3), 5) == [0, 1, 2]
    assert evenly_spaced(range(10), 1) == [5]
    assert evenly_spaced(range(10), 0) == []
    for count in range(1, 11):
        chosen = evenly_spaced(range(10), count)
        gaps = np.diff(chosen)
        assert len(chosen) == count and (count == 1 or gaps.max() - gaps.min() <= 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"datasets": ["Road"]}, "'Road'.*Street, Yard"),
        ({"limit": 0}, "limit is 0"),
        ({"flicker_pairs": -1}, "flicker_pairs is -1"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_arguments_that_cannot_be_used(data: Path, arguments: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        evaluate_robustness(Maximum(), data, "test", **arguments)


@pytest.mark.parametrize(
    ("thermal", "words"),
    [
        (np.zeros((80, 90), np.uint8), "90x80.*96x72.*equal size"),
        (np.zeros(SIZE, np.uint16), "uint16.*8 bits"),
    ],
)
def test_pairs_that_cannot_be_scored(tmp_path: Path, thermal: np.ndarray, words: str) -> None:
    write(tmp_path, "Street", "a")
    assert cv2.imwrite(str(tmp_path / "Street/test/ir/a.png"), thermal)
    with pytest.raises(DataError, match=f"a.png.*{words}"):
        evaluate_robustness(Maximum(), tmp_path, "test")


def test_data_that_is_not_there(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pairs in.*val/ir"):
        evaluate_robustness(Maximum(), data, "val")
    write(tmp_path, "Street", "ab")
    (tmp_path / "Street/test/vi/b.png").unlink()
    with pytest.raises(DataError, match="'b'.*no partner"):
        evaluate_robustness(Maximum(), tmp_path, "test")
    for side in ("ir", "vi"):
        (tmp_path / f"Street/test/{side}/b.png").unlink(missing_ok=True)
        assert cv2.imwrite(
            str(tmp_path / f"Street/test/{side}/a.png"), np.zeros((48, 96), np.uint8)
        )
    with pytest.raises(DataError, match="a.png is 96x48; expected at least 64"):
        evaluate_robustness(Maximum(), tmp_path, "test")
