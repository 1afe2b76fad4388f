"""Bags of every kind, and what is wrong with them, through `egmt evaluate bag` itself."""

from __future__ import annotations

import json
import shutil
import sys
import tracemalloc
from pathlib import Path

import pytest

from egmt_ros.cli import main
from egmt_ros.evaluation.bags.bag_writer import write_bag
from egmt_ros.evaluation.offline import evaluate as offline
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.run import load_run

STABLE = ("frames.csv", "scores.csv", "unused.csv")


@pytest.fixture
def command(bags, monkeypatch):
    """Run `egmt evaluate bag` with a fake engine: (bag, folder, options) -> exit status."""
    run_offline = offline.run_offline
    monkeypatch.setattr(
        offline, "run_offline", lambda asked: run_offline(asked, bags.FakeEngine().load)
    )

    def run(bag: Path | str, out: Path, *options: str) -> int:
        arguments = ["--out", str(out), "--no-metrics", "--no-report", "--no-progress", *options]
        return main(["evaluate", "bag", str(bag), *arguments])

    return run


def test_bags_of_every_kind_give_the_same_tables(tmp_path, bags, made, command):
    frames = bags.pairs(5)
    bags.make_bag(tmp_path / "plain", frames)
    write_bag(tmp_path / "sqlite", frames, storage="sqlite3")
    made.write_compressed(tmp_path / "by_file", frames, "file")
    made.write_compressed(tmp_path / "by_message", frames, "message", "sqlite3")
    made.write_split(tmp_path / "split", [frames[:4], frames[4:]])
    for compress in ("", "bz2", "lz4"):
        made.write_ros1(tmp_path / f"ros1{compress}.bag", frames, compress)
    (file,) = (tmp_path / "sqlite").glob("*.db3")
    shutil.copy(file, tmp_path / "alone.db3")
    assert command(tmp_path / "plain", tmp_path / "out") == 0
    assert len(load_result(tmp_path / "out").frames) == 5
    kinds = (
        "sqlite", "by_file", "by_message", "split/", "alone.db3",
        "ros1.bag", "ros1bz2.bag", "ros1lz4.bag",
    )  # fmt: skip
    for number, kind in enumerate(kinds):
        out = tmp_path / f"out{number}"
        assert command(f"{tmp_path}/{kind}", out) == 0, kind
        for name in STABLE:
            assert (out / name).read_bytes() == (tmp_path / "out" / name).read_bytes(), kind


def test_no_ros_is_needed_and_paths_may_be_relative(tmp_path, bags, command, monkeypatch):
    for module in ("rclpy", "egmt_msgs", "sensor_msgs"):
        monkeypatch.setitem(sys.modules, module, None)
    bags.make_bag(tmp_path / "in", bags.pairs(3))
    monkeypatch.chdir(tmp_path / "in")
    assert command(".", Path("../out")) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["frames"] == 3
    assert sorted(p.name for p in Path().iterdir()) == ["in.mcap", "metadata.yaml"]


def test_a_bag_without_its_metadata(tmp_path, bags, command, capsys):
    write_bag(tmp_path / "bag", bags.pairs(2), storage="sqlite3")
    (tmp_path / "bag" / "metadata.yaml").unlink()
    assert command(tmp_path / "bag", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "has no metadata.yaml" in said and "ros2 bag reindex" in said and "bag.db3" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [5, 6], ids=["message", "chunk"])
def test_announced_gigabytes_end_the_bag_and_keep_the_rest(
    tmp_path, bags, made, command, capsys, kind
):
    size = (240, 320)  # a chunk of the file has few of them
    frames = [
        message
        for n in range(12)
        for message in (bags.thermal_message(n, size=size), bags.visible_message(n, size=size))
    ]
    bags.make_bag(tmp_path / "in", frames)
    data = (tmp_path / "in" / "in.mcap").read_bytes()
    broken = tmp_path / "broken.mcap"
    at = data.rindex(b"\x06", 0, len(data) * 2 // 3)  # anywhere, as a disk fails
    broken.write_bytes(data[:at] + made.record(kind, bytes(40), 1 << 40))
    tracemalloc.start()
    try:
        assert command(broken, tmp_path / "out") == 1
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()
    assert "problem: bag" in capsys.readouterr().out
    run = load_run(tmp_path / "out")
    assert not run.complete and "can only be read in part" in run.problems[0]
    assert 2 <= len(load_result(tmp_path / "out").frames) < 12


def test_an_image_that_announces_gigabytes_is_rejected(tmp_path, bags, command):
    frames = bags.pairs(3)
    bag = bags.make_bag(tmp_path / "in", frames)
    from egmt_ros.evaluation.bags.bag_reader import BagSource

    with BagSource(bag) as source:
        records = list(source.messages([bags.VISIBLE]))
    raw = bytearray(records[-1].data)
    count = len(frames[-1].msg.data).to_bytes(4, "little")
    at = raw.index(count, 40)
    raw[at : at + 4] = (2**32 - 1).to_bytes(4, "little")
    liar = bags.BagMessage(bags.VISIBLE, bags.IMAGE, frames[-1].stamp, bytes(raw))
    bags.make_bag(tmp_path / "liar", [*frames[:-1], liar])
    assert command(tmp_path / "liar", tmp_path / "out") == 0
    account = load_run(tmp_path / "out").account["visible"]
    assert account["fused"] == 2 and account["rejected.unreadable"] == 1
