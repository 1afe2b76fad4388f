"""Bags that break off, and places that take no results."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from egmt_ros.cli import main
from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.run import load_run
from egmt_ros.evaluation.replay.summary import summarise


def cut(bag: Path, share: float) -> Path:
    """Leave the first part of a bag's file, as an interrupted recording does."""
    (file,) = bag.glob("*.mcap")
    os.truncate(file, int(file.stat().st_size * share))
    return file


def test_what_comes_before_the_break_is_kept(tmp_path, bags, evaluate):
    size = (240, 320)  # a chunk of the file has few of them
    frames = [
        message
        for n in range(12)
        for message in (bags.thermal_message(n, size=size), bags.visible_message(n, size=size))
    ]
    bag = bags.make_bag(tmp_path / "in", frames)
    whole = evaluate(bag, tmp_path / "whole")
    file = cut(bag, 0.6)
    run = evaluate(file, tmp_path / "out")
    assert not run.complete and len(run.problems) == 1 and file.name in run.problems[0]
    result = load_result(tmp_path / "out")
    count = len(result.frames)
    assert 2 <= count < whole.account["thermal"]["fused"]
    first = (tmp_path / "whole" / "frames.csv").read_text().splitlines()[: count + 1]
    assert (tmp_path / "out" / "frames.csv").read_text().splitlines() == first
    for counters in run.account.values():
        outcomes = ("fused", "unpaired", "rejected")
        assert counters["received"] == sum(counters[name] for name in outcomes)
    assert summarise(result).frames == count and not summarise(result).complete


def test_a_bag_of_which_nothing_is_left(tmp_path, bags, evaluate):
    file = cut(bags.make_bag(tmp_path / "in", bags.pairs(3)), 0.02)
    with pytest.raises(BagError):
        evaluate(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_message_that_is_no_image_is_rejected(tmp_path, bags, evaluate):
    frames = bags.pairs(3)
    broken = bags.BagMessage(bags.VISIBLE, bags.IMAGE, frames[-1].stamp + bags.STEP, b"\0\1\0\0ab")
    run = evaluate(bags.make_bag(tmp_path / "in", [*frames, broken]), tmp_path / "out")
    assert run.complete and run.account["visible"]["rejected.unreadable"] == 1
    assert run.account["visible"]["received"] == 4 and run.account["visible"]["fused"] == 3


@pytest.mark.parametrize("name", ["out", "out/.probe"])
def test_a_folder_that_may_not_be_written(tmp_path, bags, evaluate, monkeypatch, name):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(1))
    method = "touch" if name.endswith(".probe") else "mkdir"
    done = getattr(Path, method)

    def refuse(path: Path, *args, **kwargs):  # root may write everywhere
        if path == tmp_path / name:
            raise PermissionError(13, "Permission denied")
        return done(path, *args, **kwargs)

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(DataError, match="results cannot be written to .*Permission denied"):
        evaluate(bag, tmp_path / "out")


def test_a_folder_that_cannot_be_made(tmp_path, bags, evaluate):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(1))
    with pytest.raises(DataError, match="results cannot be written to .*--out"):
        evaluate(bag, Path("/proc/nowhere/out"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
@pytest.mark.parametrize("name", ["frames.csv", "scores.csv"])
def test_a_full_disk_is_told(tmp_path, bags, evaluate, monkeypatch, name):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(4))
    opened = Path.open

    def full(path: Path, *args, **kwargs):
        return opened(Path("/dev/full") if path.name == name else path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DataError, match=f"{name} cannot be written .No space left on device"):
        evaluate(bag, tmp_path / "out")
    monkeypatch.undo()
    assert not load_run(tmp_path / "out").complete
    assert evaluate(bag, tmp_path / "out", resume=True).account["thermal"]["fused"] == 4


def test_the_command_says_what_it_was(tmp_path, bags, capsys):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(1))
    out = str(tmp_path / "out")
    for arguments, words in (
        (["--resume", "--overwrite"], "give one of them"),
        (["--params", str(tmp_path / "none.yaml")], "none.yaml cannot be read"),
        (["--param", "sync.wait"], "expected NAME:=VALUE"),
        (["--thermal-topic", "/x"], "no topic /x"),
        (["--jobs", "0"], "--jobs is 0"),
    ):
        assert main(["evaluate", "bag", str(bag), "--out", out, "--no-progress", *arguments]) == 1
        assert words in capsys.readouterr().err
    assert main(["evaluate", "bag", str(tmp_path / "gone"), "--out", out]) == 1
    assert "gone" in capsys.readouterr().err
