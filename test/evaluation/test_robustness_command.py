"""`egmt evaluate robustness` with the default checkpoint on one small pair."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.errors import CheckpointError, ConfigError, DataError
from egmt_ros.evaluation.robustness.conditions import CONDITIONS
from egmt_ros.evaluation.robustness.robustness_command import add_arguments, run


def command(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """One data set of one pair without annotations."""
    rng = np.random.default_rng(0)
    for side, shape in (("ir", (64, 64)), ("vi", (64, 64, 3))):
        folder = tmp_path / "data" / "Street" / "test" / side
        folder.mkdir(parents=True)
        smooth = cv2.GaussianBlur(rng.integers(0, 256, shape, np.uint8), (0, 0), 2)
        assert cv2.imwrite(str(folder / "a.png"), smooth)
    return tmp_path / "data"


def test_tables_and_json(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "robustness.json"
    options = ("--datasets", "Street", "--flicker-pairs", 1, "--device", "cpu", "--out", out)
    assert command("--data", data, *options) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Robustness of egmt") and "(Street 1)" in text
    assert "| VIF | Qabf | SCD | SSIM | VIFmin | Qmin | SSIMmin | CCmin | macro AP |" in text
    for condition in CONDITIONS:
        assert f"| {condition.description} | ours |" in text
    assert "| 5 grey levels, thermal | 1 |" in text
    found = json.loads(out.read_text())
    assert [c["condition"] for c in found["conditions"]] == [c.name for c in CONDITIONS]
    assert found["seed"] == 0 and found["split"] == "test" and len(found["flicker"]) == 6


def test_arguments_are_checked_before_the_work(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--datasets is 'Street,'"):
        command("--data", data, "--datasets", "Street,")
    with pytest.raises(ConfigError, match="--out is .*make the folder"):
        command("--data", data, "--out", tmp_path / "nowhere" / "out.json")
    with pytest.raises(CheckpointError, match="nowhere"):
        command("--data", data, "--weights", "/nowhere.safetensors")


def test_what_is_missing_is_named(data: Path) -> None:
    with pytest.raises(DataError, match="no pairs in"):
        command("--data", data, "--split", "val")
    with pytest.raises(ConfigError, match="'Road'.*Street"):
        command("--data", data, "--datasets", "Road")
    with pytest.raises(ConfigError, match="limit is 0"):
        command("--data", data, "--limit", 0)
