"""Label metrics by hand, and egmt evaluate pairs and egmt bench on small folders."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.errors import CheckpointError, DataError
from egmt_ros.evaluation.fusion.pairs import evaluate_pairs
from egmt_ros.evaluation.labels.label_metrics import average_precision


def test_average_precision_by_hand() -> None:
    truth = np.array([1, 0, 1, 0])
    assert average_precision(truth, np.array([0.9, 0.8, 0.7, 0.1])) == pytest.approx(
        (1 / 1 + 2 / 3) / 2
    )
    assert average_precision(truth, np.full(4, 0.5)) == pytest.approx(0.5)  # ties: prevalence
    assert average_precision(np.array([1, 1]), np.array([0.1, 0.2])) is None
    assert average_precision(np.array([0, 0]), np.array([0.1, 0.2])) is None


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One data set of two pairs, one of them labelled with a car by captions."""
    rng = np.random.default_rng(0)
    for kind, shape in (("ir", (80, 96)), ("vi", (80, 96, 3))):
        folder = tmp_path / "data" / "Street" / "test" / kind
        folder.mkdir(parents=True)
        for stem in ("a", "b"):
            cv2.imwrite(str(folder / f"{stem}.png"), rng.integers(0, 256, shape, np.uint8))
    captions = {
        stem: {"entities": {"infrared": seen, "visible": []}, "unsure": ["sky"]}
        for stem, seen in (("a", ["car"]), ("b", []))
    }
    (tmp_path / "data" / "Street" / "captions.json").write_text(json.dumps(captions))
    return tmp_path / "data"


def test_evaluate_pairs(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "summary.json"
    arguments = ["evaluate", "pairs", "--data", str(data), "--methods", "ours,thermal"]
    assert main([*arguments, "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    assert result["pairs"] == {"Street": 2}
    copy = result["fusion"]["Street"]["thermal"]
    assert copy["vif"] > 1.0 and copy["vif_min"] < 0.1 and copy["cc_min"] < 0.1
    assert result["fusion"]["Street"]["ours"]["vif_min"] > copy["vif_min"]
    # Only "car" has a known positive and a known negative; "sky" is unknown everywhere.
    assert list(result["labels"]) == ["car"]
    assert result["labels"]["car"]["known"] == 2
    text = capsys.readouterr().out
    assert "| thermal | " in text and "| car | " in text


def test_evaluate_names_what_is_wrong(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "pairs", "--data", str(data)]
    assert main([*arguments, "--methods", "ours,magic"]) == 1
    assert "'magic'" in capsys.readouterr().err
    assert main([*arguments, "--split", "val"]) == 1
    assert "no pairs in" in capsys.readouterr().err


def test_without_ours_no_engine_is_needed(data: Path) -> None:
    result = evaluate_pairs(data, "test", ["max"], weights="/nowhere.safetensors")
    assert result["model_id"] == "" and result["labels"] == {}
    assert list(result["fusion"]["Street"]) == ["max"]
    with pytest.raises(CheckpointError, match="nowhere"):
        evaluate_pairs(data, "test", ["ours"], weights="/nowhere.safetensors")


def test_the_current_folder_has_a_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data / "Street")
    assert evaluate_pairs(Path("."), "test", ["max"])["pairs"] == {"Street": 2}


@pytest.mark.parametrize(
    ("shape", "dtype", "words"),
    [((80, 90), np.uint8, "90x80.*96x80.*equal size"), ((80, 96), np.uint16, "uint16.*8 bits")],
)
def test_pairs_that_cannot_be_scored(
    data: Path, shape: tuple[int, int], dtype: type, words: str
) -> None:
    cv2.imwrite(str(data / "Street/test/ir/b.png"), np.zeros(shape, dtype))
    with pytest.raises(DataError, match=f"b.png.*{words}"):
        evaluate_pairs(data, "test", ["max"])


@pytest.mark.parametrize("option", ["--rounds", "--threads"])
def test_bench_refuses_to_measure_nothing(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", option, "0"]) == 1
    assert f"{option} is 0; expected at least 1" in capsys.readouterr().err


def test_bench_reports_time_as_a_ratio(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    arguments = ["bench", "--size", "96x64", "--threads", "1", "--rounds", "2", "--out", str(out)]
    assert main(arguments) == 0
    figures = json.loads(out.read_text())
    assert figures["ratio_of_minima"] == pytest.approx(
        figures["engine_ms_min"] / figures["matrix_product_ms_min"], abs=2e-3
    )
    assert 0 < figures["gmac"] < 0.2


# SeAFusion on the same test splits: VIF and Qabf by the same definitions.
SEAFUSION = {"RoadScene": (0.579, 0.496), "MSRS": (0.999, 0.661), "TNO": (0.704, 0.517)}
SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize("name", list(SEAFUSION))
def test_default_weights_are_no_worse_than_seafusion(name: str) -> None:
    if not (SHARED_DATA / name / "test").is_dir():
        pytest.skip("../shared is not here")
    scores = evaluate_pairs(SHARED_DATA / name, "test", ["ours", "mean"], device="cpu")
    ours, average = (scores["fusion"][name][method] for method in ("ours", "mean"))
    for metric, least in zip(("vif", "qabf"), SEAFUSION[name], strict=True):
        assert ours[metric] >= least and ours[metric] > average[metric], metric
