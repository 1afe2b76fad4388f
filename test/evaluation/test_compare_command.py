"""`egmt evaluate compare`: what it prints and writes, and its exit status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from egmt_ros.cli import main


@pytest.fixture(scope="module")
def folders(
    scene_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("command")
    scene_folder(root / "a", frames=80, seed=1)
    scene_folder(root / "b", frames=80, seed=2, lift={"qabf": -0.02})
    return str(root / "a"), str(root / "b")


def evaluate(*arguments: str) -> int:
    return main(["evaluate", "compare", *arguments, "--resamples", "200"])


def test_table_is_printed_and_files_are_written(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, table = tmp_path / "new" / "c.json", tmp_path / "c.md"
    assert evaluate(*folders, "--out", str(out), "--markdown", str(table)) == 0
    printed = capsys.readouterr().out
    assert printed == table.read_text()
    assert "## Worse in B" in printed and "`metric.qabf`" in printed
    content = json.loads(out.read_text())
    qabf = content["figures"]["metric.qabf"]
    assert qabf["verdict"] == "worse" and qabf["low"] < qabf["difference"] < qabf["high"] < 0
    assert content["frames"] == {"matched": 80, "only_a": 0, "only_b": 0, "partners": 0}
    assert content["bootstrap"] == {"resamples": 200, "seed": 0}
    assert content["failed"] is False and content["gates"] == []


def test_equal_seeds_give_equal_tables(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
):
    tables = []
    for seed in "5", "5", "6":
        assert evaluate(*folders, "--seed", seed) == 0
        tables.append(capsys.readouterr().out.replace(f"seed {seed}", ""))
    assert tables[0] == tables[1] != tables[2]


def test_gate_that_fails_gives_3(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "c.json"
    gates = ["--fail-if", "qabf < -0.01", "--fail-if=fuse_ms>200%", "--fail-if", "fused<0"]
    assert evaluate(*folders, *gates, "--out", str(out)) == 3
    printed = capsys.readouterr()
    assert "failed: qabf < -0.01: B - A is -0.0" in printed.err
    assert printed.out.count("passed") == 2 and "**failed**" in printed.out
    content = json.loads(out.read_text())
    assert [gate["failed"] for gate in content["gates"]] == [True, False, False]
    assert content["failed"] is True


def test_gates_that_hold_give_0(folders: tuple[str, str]):
    assert evaluate(*folders, "--fail-if", "qabf<-0.05", "--fail-if", "labels.f1<-20%") == 0
    assert evaluate(*folders, "--fail-if", "qabf<-0.02", "--surely") == 0


def test_what_was_not_measured_gives_3(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
):
    assert evaluate(*folders, "--fail-if", "labels.person.recall_both<-1") == 3
    assert "cannot be judged: the truth knows no frame" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gate", "said"),
    [("qabf=3", "is no condition"), ("qbaf<0", "labels.traffic_light.ap")],
)
def test_wrong_gate_gives_2_and_says_what_there_is(
    folders: tuple[str, str], gate: str, said: str, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(*folders, "--fail-if", gate) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and gate in printed.err and said in printed.err


def test_wrong_arguments_give_2(folders: tuple[str, str]):
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "compare", *folders, "--resamples", "0"])


def test_no_evaluation_gives_1(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert evaluate(folders[0], str(tmp_path)) == 1
    assert "egmt evaluate bag BAG --out FOLDER" in capsys.readouterr().err


def test_file_that_cannot_be_written_gives_1(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
):
    taken = str(Path(folders[0]) / "run.json" / "c.json")
    assert evaluate(*folders, "--out", taken) == 1
    assert "cannot be written" in capsys.readouterr().err
