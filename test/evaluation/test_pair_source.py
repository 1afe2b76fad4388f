"""Pairs and fused images that cannot be scored are named and counted; the rest is scored."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.fusion.pairs import Evaluation, evaluate_pairs
from egmt_ros.evaluation.fusion.pairs_report import markdown, summarize

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (60, 80), np.uint8)
COLOUR = RNG.integers(0, 256, (60, 80, 3), np.uint8)


def put(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two data sets of three pairs each."""
    for dataset in ("Field", "Street"):
        for stem in "abc":
            put(tmp_path / "data" / dataset / "test" / "ir" / f"{stem}.png", GREY)
            put(tmp_path / "data" / dataset / "test" / "vi" / f"{stem}.png", COLOUR)
    return tmp_path / "data"


def scored(evaluation: Evaluation, method: str) -> list[str]:
    return [f"{row.dataset}/{row.name}" for row in evaluation.rows if method in row.metrics]


Spoil = Callable[[Path], object]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda d: put(d / "ir/b.png", GREY[:, :70]), r"b\.png is 70x60.*80x60.*equal size"),
        (lambda d: (d / "ir/b.png").unlink(), r"no thermal image of the name b in .*test/ir"),
        (lambda d: (d / "vi/b.png").unlink(), r"no visible image of the name b in .*test/vi"),
        (lambda d: put(d / "vi/b.jpg", COLOUR), r"several images of the name b: b\.jpg, b\.png"),
        (lambda d: put(d / "ir/b.png", GREY.astype(np.uint16)), r"ir/b\.png holds uint16.*8 bits"),
        (lambda d: put(d / "vi/b.png", COLOUR.astype(np.uint16)), r"vi/b\.png holds uint16.*8 b"),
        (lambda d: put(d / "ir/b.png", COLOUR), r"ir/b\.png is a colour image.*palette"),
        (lambda d: (d / "vi/b.png").write_bytes(b"\x89PNG"), r"vi/b\.png cannot be read"),
        (lambda d: (d / "ir/b.png").write_bytes(b""), r"ir/b\.png cannot be read"),
        (
            lambda d: [put(d / side / "b.png", GREY[:40]) for side in ("ir", "vi")],
            r"b\.png is 80x40; VIF needs at least 41 pixels",
        ),
    ],
    ids=[
        *("size", "thermal gone", "visible gone", "two of a name", "16-bit thermal"),
        *("16-bit visible", "palette", "damaged", "empty", "small"),
    ],
)
def test_a_bad_pair_is_named_and_the_rest_is_scored(data: Path, spoil: Spoil, words: str) -> None:
    spoil(data / "Field" / "test")
    evaluation = evaluate_pairs(data, "test", ["max"])
    assert scored(evaluation, "max") == [f"{d}/{s}" for d, s in zip(
        ["Field"] * 2 + ["Street"] * 3, "acabc", strict=True
    )]  # fmt: skip
    (rejection,) = evaluation.rejected
    assert (rejection.dataset, rejection.split, rejection.name) == ("Field", "test", "b")
    assert rejection.method is None and re.search(words, rejection.reason)


@pytest.mark.parametrize("side", ["ir", "vi"])
@pytest.mark.parametrize("gone", [False, True])
def test_an_empty_folder_is_named(data: Path, side: str, gone: bool) -> None:
    folder = data / "Field" / "test" / side
    for path in folder.iterdir():
        path.unlink()
    if gone:
        folder.rmdir()
    evaluation = evaluate_pairs(data, "test", ["max"])
    assert scored(evaluation, "max") == ["Street/a", "Street/b", "Street/c"]
    (rejection,) = evaluation.rejected
    assert (rejection.dataset, rejection.name) == ("Field", side)
    what = "does not exist" if gone else "holds no image"
    assert f"{folder} {what}; 3 images beside it" in rejection.reason


def test_the_command_names_and_counts_what_it_left_out(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "Field" / "test" / "vi" / "a.png").unlink()
    put(data / "Street" / "test" / "ir" / "c.png", GREY[1:])
    out = tmp_path / "summary.json"
    arguments = ["evaluate", "pairs", "--data", str(data), "--methods", "max", "--jobs", "1"]
    assert main([*arguments, "--out", str(out)]) == 0
    errors = capsys.readouterr().err
    assert "rejected Field/test/a: there is no visible image" in errors
    assert "rejected Street/test/c: " in errors and "2 rejected, 4 pairs scored" in errors
    summary = json.loads(out.read_text())
    assert summary["rejected_count"] == 2
    assert [(r["dataset"], r["name"]) for r in summary["rejected"]] == [
        *(("Field", "a"), ("Street", "c")),
    ]
    assert summary["pairs"] == {"Field": 2, "Street": 2}


def test_the_command_fails_where_nothing_is_scored(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in data.glob("*/test/ir/*"):
        path.write_bytes(b"")
    arguments = ["evaluate", "pairs", "--data", str(data), "--methods", "max", "--jobs", "1"]
    assert main(arguments) == 1
    errors = capsys.readouterr().err
    assert "rejected Street/test/c: " in errors and "6 rejected, 0 pairs scored" in errors
    assert "none of the pairs" in errors


def test_fused_images_of_another_program(data: Path, tmp_path: Path) -> None:
    """Grey or colour, of any extension; scored as the same image would be within."""
    copy = data / "Field" / "test" / "ir" / "a.png"
    folder = tmp_path / "results" / "Theirs"
    for dataset in ("Field", "Street"):
        put(folder / dataset / "a.bmp", cv2.imread(str(copy), cv2.IMREAD_GRAYSCALE))
        put(folder / dataset / "b.png", COLOUR)
        put(folder / dataset / "c.png", COLOUR)
    evaluation = evaluate_pairs(data, "test", ["thermal", "visible"], fused=[folder])
    assert evaluation.methods == ("thermal", "visible", "Theirs") and not evaluation.rejected
    for row in evaluation.rows:
        same = "thermal" if row.name == "a" else "visible"
        assert row.metrics["Theirs"] == row.metrics[same]


def test_a_flat_folder_will_do_for_one_data_set(data: Path, tmp_path: Path) -> None:
    for stem in "abc":
        put(tmp_path / "Theirs" / f"{stem}.png", GREY)
    alone = evaluate_pairs(data / "Field", "test", [], fused=[tmp_path / "Theirs"])
    assert scored(alone, "Theirs") == ["Field/a", "Field/b", "Field/c"]
    both = evaluate_pairs(data, "test", ["max"], fused=[tmp_path / "Theirs"])
    assert not scored(both, "Theirs") and len(both.rejected) == 6
    assert "Theirs/Field" in both.rejected[0].reason


def test_bad_fused_images_cost_their_own_method_alone(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Theirs"
    put(folder / "b.png", GREY[:, 1:])
    put(folder / "c.png", GREY.astype(np.uint16))
    evaluation = evaluate_pairs(data / "Field", "test", ["max"], fused=[folder])
    assert scored(evaluation, "max") == ["Field/a", "Field/b", "Field/c"]
    assert not scored(evaluation, "Theirs")
    reasons = {r.name: r.reason for r in evaluation.rejected if r.method == "Theirs"}
    assert "no fused image of the name a" in reasons["a"]
    assert "79x60; expected 80x60" in reasons["b"]
    assert "uint16" in reasons["c"]
    put(folder / "c.png", GREY)
    evaluation = evaluate_pairs(data / "Field", "test", ["max"], fused=[folder])
    summary = summarize(evaluation, 10)
    assert summary["scored"]["Field"] == {"max": 3, "Theirs": 1}
    assert "| Theirs (1 of 3) |" in markdown(evaluation, summary)


def test_a_difference_is_taken_over_the_pairs_that_both_have(data: Path, tmp_path: Path) -> None:
    for dataset in ("Field", "Street"):
        for side in ("ir", "vi"):
            path = data / dataset / "test" / side / "a.png"
            put(path, RNG.integers(0, 256, (80, 96), np.uint8))
    put(tmp_path / "Theirs" / "a.png", RNG.integers(0, 256, (80, 96), np.uint8))
    fused = [tmp_path / "Theirs"]
    evaluation = evaluate_pairs(data / "Field", "test", ["ours"], device="cpu", fused=fused)
    (row,) = evaluation.rows  # the others are too small for the network, and have no fused image
    difference = summarize(evaluation, 10)["differences"]["Field"]["Theirs"]["vif"]
    expected = row.metrics["ours"]["vif"] - row.metrics["Theirs"]["vif"]
    assert difference == {field: pytest.approx(expected) for field in ("mean", "low", "high")}
    small = [r for r in evaluation.rejected if r.method == "ours"]
    assert [r.name for r in small] == ["b", "c"] and "64 pixels" in small[0].reason


def test_a_name_stands_for_one_method(data: Path, tmp_path: Path) -> None:
    for place in ("x/Theirs", "y/Theirs", "max"):
        (tmp_path / place).mkdir(parents=True)
    with pytest.raises(ConfigError, match="second method of the name 'Theirs'"):
        evaluate_pairs(data, "test", [], fused=[tmp_path / "x/Theirs", tmp_path / "y/Theirs"])
    with pytest.raises(ConfigError, match="second method of the name 'max'"):
        evaluate_pairs(data, "test", ["max"], fused=[tmp_path / "max"])


def test_what_holds_no_split_is_no_data_set(data: Path) -> None:
    (data / "notes").mkdir()
    (data / "Field" / "test").rename(data / "Field" / "val")
    assert set(scored(evaluate_pairs(data, "test", ["max"]), "max")) == {
        *("Street/a", "Street/b", "Street/c"),
    }
    with pytest.raises(DataError, match="no pairs in .*<dataset>/train/ir"):
        evaluate_pairs(data, "train", ["max"])
