"""Checks of weights, device, runtime and memory."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from egmt_ros.doctor import machine
from egmt_ros.doctor.finding import Level
from egmt_ros.resources import weights_path


def test_the_default_weights_are_whole() -> None:
    finding = machine.check_weights(weights_path())
    assert finding.level is Level.OK and "egmt-base@" in finding.found


def test_damaged_and_missing_weights_are_problems(tmp_path: Path) -> None:
    for file in (weights_path(), weights_path().with_suffix(".json")):
        shutil.copy(file, tmp_path)
    weights = tmp_path / weights_path().name
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    finding = machine.check_weights(weights)
    assert finding.level is Level.PROBLEM and "SHA-256" in finding.found
    finding = machine.check_weights(tmp_path / "none.safetensors")
    assert finding.level is Level.PROBLEM and "none.safetensors" in finding.found


@pytest.mark.parametrize(
    ("facts", "level", "says"),
    [
        (("auto", "cpu", "", "", 4), Level.OK, "4 processors (auto: PyTorch sees no GPU)"),
        (("cpu", "cpu", "", "", 1), Level.WARNING, "1 processor"),
        (("auto", "cuda:0", "", "A GPU", 4), Level.OK, "A GPU"),
        (("cuda:3", "", "there are 0 CUDA devices", "", 4), Level.PROBLEM, "0 CUDA"),
    ],
)
def test_device(facts: tuple, level: Level, says: str) -> None:
    finding = machine.check_device(*facts)
    assert finding.level is level and says in finding.found


@pytest.mark.parametrize(
    ("facts", "level", "says"),
    [
        (("auto", "cpu", True), Level.OK, "openvino"),
        (("auto", "cpu", False), Level.WARNING, "torch"),
        (("torch", "cpu", False), Level.OK, "torch"),
        (("auto", "cuda:0", True), Level.OK, "torch"),
        (("cuda-graphs", "cuda:0", True), Level.OK, "cuda-graphs"),
        (("openvino", "cpu", False), Level.PROBLEM, "not installed"),
        (("openvino", "cuda:0", True), Level.PROBLEM, "CPU only"),
        (("cuda-graphs", "cpu", True), Level.PROBLEM, "cuda-graphs"),
    ],
)
def test_runtime(facts: tuple, level: Level, says: str) -> None:
    finding = machine.check_runtime(*facts)
    assert finding.level is level and says in finding.found


MEMINFO = "MemTotal:  8000000 kB\nMemAvailable:   4000000 kB\n"


@pytest.mark.parametrize(
    ("texts", "available"),
    [
        ((MEMINFO,), 4_096_000_000),
        ((MEMINFO, "max\n", "5\n"), 4_096_000_000),
        ((MEMINFO, f"{2**63 - 4096}", "5"), 4_096_000_000),
        ((MEMINFO, "1000000000\n", "400000000\n"), 600_000_000),
        ((MEMINFO, "10", "400"), 0),
        (("",), None),
    ],
)
def test_available_memory(texts: tuple[str, ...], available: int | None) -> None:
    assert machine.available_memory(*texts) == available


@pytest.mark.parametrize(
    ("available", "level"),
    [(None, Level.WARNING), (10**8, Level.PROBLEM), (9 * 10**8, Level.WARNING),
     (4 * 10**9, Level.OK)],
)  # fmt: skip
def test_memory(available: int | None, level: Level) -> None:
    assert machine.check_memory(available).level is level
