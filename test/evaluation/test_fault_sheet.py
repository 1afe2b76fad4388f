"""The picture of the street under faults."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.robustness import fault_sheet, faults_command
from egmt_ros.evaluation.robustness.fault_sheet import CAPTION, GAP, HEIGHT, WIDTH
from egmt_ros.pipeline.engine import FusionEngine


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    faults_command.add_arguments(parser)
    return parser.parse_args([*words, "--device", "cpu"])


def test_each_row_shows_both_inputs_and_the_output() -> None:
    engine = FusionEngine.load(device="cpu", runtime="torch")
    sheet = fault_sheet.fault_sheet(engine, "dusk", ("clean", "missing visible"))
    row = CAPTION + HEIGHT
    assert sheet.shape == (2 * row, 3 * WIDTH + 2 * GAP, 3)
    assert sheet[:CAPTION].max() > 150  # a caption

    def cell(number: int, column: int) -> np.ndarray:
        left = column * (WIDTH + GAP)
        return sheet[number * row + CAPTION : (number + 1) * row, left : left + WIDTH]

    assert cell(1, 1).max() == 0 and cell(0, 1).max() > 100  # the visible camera is lost
    assert np.array_equal(cell(0, 0), cell(1, 0))  # the thermal one is not
    assert all(cell(number, 2).std() > 10 for number in (0, 1))


def test_it_is_written_or_the_reason_is_said(tmp_path: Path) -> None:
    out = tmp_path / "faults.jpg"
    assert faults_command.run(arguments("--out", str(out))) == 0
    rows = len(fault_sheet.SHOWN)
    assert cv2.imread(str(out)).shape[0] == rows * (CAPTION + HEIGHT)
    for name in ("no such folder/faults.jpg", "faults.nothing"):
        with pytest.raises(ConfigError, match="cannot be written; give a .png"):
            faults_command.run(arguments("--out", str(tmp_path / name)))
