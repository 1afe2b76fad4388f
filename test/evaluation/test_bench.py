"""egmt bench: figures that agree with each other, growth, memory of a fresh process, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from egmt_ros.cli import main
from egmt_ros.errors import ConfigError, EgmtError
from egmt_ros.evaluation.bench import bench_memory, bench_model
from egmt_ros.evaluation.bench.options import parse_size
from egmt_ros.pipeline.runtime import available_runtimes

QUICK = ["--threads", "1", "--rounds", "2", "--no-memory"]


def line(width: int, height: int, ms: float, growth_mb: float | None = None) -> bench_model.Line:
    return bench_model.Line(
        width, height, "torch", "float32", prepare_ms=2 * ms, ms_min=ms, ms_median=ms,
        matrix_ms_min=50.0, matrix_ms_median=50.0, ratio_of_minima=ms / 50,
        ratio_of_medians=ms / 50, gmac=width * height * 6e-6, kmac_per_pixel=6.0,
        growth_mb=growth_mb,
    )  # fmt: skip


def test_figures_agree_with_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    sizes = ["--sizes", "96x64", "128x80"]
    assert main(["bench", "model", *QUICK, *sizes, "--runtime", "torch", "--out", str(out)]) == 0
    report = json.loads(out.read_text())
    first, second = report["lines"]
    assert [(one["width"], one["height"]) for one in (first, second)] == [(96, 64), (128, 80)]
    for one in (first, second):
        assert one["runtime"] == "torch"
        assert one["ms_min"] <= one["ms_median"] and one["matrix_ms_min"] > 0
        assert one["ratio_of_minima"] == pytest.approx(
            one["ms_min"] / one["matrix_ms_min"], abs=1e-3
        )
        pixels = one["width"] * one["height"]
        assert one["kmac_per_pixel"] == pytest.approx(1e6 * one["gmac"] / pixels, rel=0.02)
        assert one["peak_mb"] is None
    assert report["growth"][0]["gmac"] == pytest.approx(1.0, abs=0.1)
    table = capsys.readouterr().out
    assert "| 96x64 |" in table and "| 128x80 |" in table and report["facts"]["model_id"] in table


def test_all_runtimes_of_the_machine_are_measured(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    small, available = ["--sizes", "64x64"], available_runtimes(torch.device("cpu"))
    for options, expected in ((["--runtime", "all"], available), ([], available[-1:])):
        assert main(["bench", "model", *QUICK, *small, *options, "--out", str(out)]) == 0
        lines = json.loads(out.read_text())["lines"]
        assert tuple(one["runtime"] for one in lines) == expected
    runtimes, precisions = bench_model.expand("torch", "all", "cpu")
    assert (runtimes, precisions) == (("torch",), ("float32", "bfloat16"))


def test_memory_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    """What this process holds does not count, and a larger image takes more."""
    ballast = np.ones(700_000_000, np.uint8)
    options = bench_model.Options(
        sizes=((64, 64), (640, 640)), runtimes=("torch",), threads=1, rounds=1
    )
    small, large = bench_model.measure(options)["lines"]
    assert ballast[-1] == 1
    for one in (small, large):
        assert 0 <= one["growth_mb"] < one["peak_mb"] < 700 and one["device_mb"] is None
    assert large["growth_mb"] > small["growth_mb"] + 10


def test_a_failing_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_model.sys, "executable", "/bin/false")
    options = bench_model.Options(sizes=((64, 64),), runtimes=("torch",), threads=1, rounds=1)
    with pytest.raises(EgmtError, match="64x64 failed .*exit status 1.*--no-memory"):
        bench_model.measure(options)


def test_the_peak_counts_what_was_let_go() -> None:
    bench_memory.forget_peak()
    before = bench_memory.peak_bytes()
    ballast = np.ones(before + 50_000_000, np.uint8)
    del ballast
    assert bench_memory.peak_bytes() >= before + 50_000_000


def test_growth_is_the_exponent_of_the_pixels() -> None:
    lines = [line(100 * n, 100 * n, 2.0 * n**2, 5.0 * n) for n in (1, 2, 4)]
    (growth,) = bench_model.growth(lines)
    assert growth["time"] == pytest.approx(1.0) and growth["memory"] == pytest.approx(0.5)
    (unknown,) = bench_model.growth([line(100, 100, 2.0), line(200, 100, 4.0)])
    assert unknown["memory"] is None
    assert bench_model.growth([line(100, 200, 2.0), line(200, 100, 2.0)]) == []


@pytest.mark.parametrize("option", ["--rounds", "--threads"])
def test_bench_refuses_to_measure_nothing(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "model", option, "0"]) == 1
    assert f"{option} is 0; expected at least 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ["model", "--duration", "3"], ["node", "--rounds", "3"], ["both"]]
)
def test_each_bench_takes_its_own_options_alone(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", *arguments])
    assert caught.value.code == 2 and "error: " in capsys.readouterr().err


@pytest.mark.parametrize("what", ["model", "node"])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for out in (tmp_path, tmp_path / "no" / "bench.json"):
        assert main(["bench", what, "--out", str(out)]) == 1
        assert f"--out is {out}; expected a file in a folder" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "640", "640x", "x480", "640x480x3", "-640x480", "6.4x480",
                                  "63x480", "640X480"])  # fmt: skip
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="expected WIDTHxHEIGHT, each at least 64"):
        parse_size(text)
    assert parse_size("640x480") == (640, 480)
