"""A bag through the classes of the node: tables, output bag, account, and what goes wrong."""

from __future__ import annotations

import csv
import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from egmt_ros.errors import BagError, ConfigError, DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import ENTITIES, IMAGE
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.summary import summarise

STABLE = ("frames.csv", "scores.csv", "unused.csv")
FUSED = "/egmt_fusion/output/image"


def messages(folder: Path, topic: str) -> list:
    with BagSource(folder / "bag") as bag:
        return [bag.deserialize(r.data, r.msgtype) for r in bag.messages([topic])]


def nanoseconds(stamp) -> int:
    return stamp.sec * 10**9 + stamp.nanosec


def test_every_pair_has_its_row_and_its_messages(tmp_path, bags, evaluate):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(6))
    run = evaluate(bag, tmp_path / "out")
    assert run.complete and run.kind == "offline" and run.problems == ()
    result = load_result(tmp_path / "out")
    stamps = [bags.START + n * bags.STEP + 4 * bags.MS for n in range(6)]
    assert result.frames.keys["frame"].tolist() == list(range(6))
    assert result.frames.keys["stamp"].tolist() == stamps
    assert result.frames.keys["thermal_stamp"].tolist() == [s - 4 * bags.MS for s in stamps]
    assert result.frames.values["gap_ms"].tolist() == [-4.0] * 6
    assert result.frames.values["width"].tolist() == [64.0] * 6
    assert result.frames.values["thermal_high"].tolist() == [255.0] * 6
    assert result.scores.values["tree"].tolist() == [0.7] * 6
    assert (result.timing.values["fuse_ms"] > 0).all()
    images, labels = (
        messages(tmp_path / "out", FUSED),
        messages(tmp_path / "out", "/egmt_fusion/output/entities"),
    )
    assert [nanoseconds(m.header.stamp) for m in images] == stamps
    assert {m.header.frame_id for m in images} == {"visible"}
    assert [nanoseconds(m.thermal_stamp) for m in labels] == [s - 4 * bags.MS for s in stamps]
    assert [label.name for label in labels[0].labels][-1:] == ["car"]
    (vocabulary,) = messages(tmp_path / "out", "/egmt_fusion/output/vocabulary")
    assert vocabulary.names == ["person", "car", "tree"]
    assert nanoseconds(vocabulary.header.stamp) == stamps[0]
    assert np.allclose(vocabulary.thresholds, (0.5, 0.25, 0.75))
    with BagSource(tmp_path / "out" / "bag") as written:
        types = {t.name: (t.msgtype, t.latched) for t in written.topics}
    assert types[FUSED] == (IMAGE, False)
    assert types["/egmt_fusion/output/entities"] == (ENTITIES, False)
    assert types["/egmt_fusion/output/vocabulary"][1]
    assert not summarise(result).problems


def test_two_runs_are_equal_and_the_bag_is_named_by_its_hash(tmp_path, bags, evaluate):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(5))
    runs = [evaluate(bag, tmp_path / name, metrics=True, metrics_every=2) for name in ("a", "b")]
    for name in STABLE:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    for one, other in zip(*(messages(tmp_path / n, FUSED) for n in ("a", "b")), strict=True):
        assert np.array_equal(one.data, other.data)
    assert runs[0].bag["sha256"] == runs[1].bag["sha256"] != ""
    scored = load_result(tmp_path / "a").frames.values["ours.vif"]
    assert np.isfinite(scored).tolist() == [True, False, True, False, True]
    other = bags.make_bag(tmp_path / "in2", bags.pairs(4))
    assert evaluate(other, tmp_path / "c").bag["sha256"] != runs[0].bag["sha256"]


def test_memory_does_not_grow_with_the_bag(tmp_path, bags, evaluate):
    peaks = []
    for count in (300, 900):  # the first fills queues and chunks
        bag = bags.make_bag(tmp_path / f"in{count}", bags.pairs(count))
        tracemalloc.start()
        try:
            run = evaluate(bag, tmp_path / f"out{count}")
            assert run.account["visible"]["fused"] == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2e6, peaks  # 600 pairs more are 7 MB, their outputs 6 MB


def test_every_frame_has_an_outcome_with_its_reason(tmp_path, bags, evaluate):
    frames = [
        *bags.pairs(4),
        bags.thermal_message(4),
        bags.visible_message(5),
        bags.thermal_message(6),
    ]
    bad = bags.visible_message(6, encoding="8UC9")
    bag = bags.make_bag(tmp_path / "in", [*frames, bad])
    run = evaluate(bag, tmp_path / "out")
    for side, received in (("thermal", 6), ("visible", 6)):
        counters = run.account[side]
        assert counters["received"] == counters["sent"] == received
        assert counters["fused"] == 4 and counters["in_flight"] == 0 == counters["inactive"]
        outcomes = ("fused", "unpaired", "rejected", "superseded", "passthrough")
        assert sum(counters[name] for name in outcomes) == received
    with (tmp_path / "out" / "unused.csv").open() as file:
        rows = {
            (r["side"], int(r["stamp"])): (r["outcome"], r["reason"]) for r in csv.DictReader(file)
        }
    assert rows == {
        ("thermal", bags.START + 4 * bags.STEP): ("unpaired", "timeout"),
        ("visible", bags.START + 5 * bags.STEP): ("unpaired", "unpaired"),
        ("thermal", bags.START + 6 * bags.STEP): ("unpaired", "timeout"),
        ("visible", bags.START + 6 * bags.STEP): ("rejected", "unknown_encoding"),
    }
    assert not summarise(load_result(tmp_path / "out")).problems


def test_images_of_a_lonely_camera_are_passed_through(tmp_path, bags, evaluate):
    lonely = [bags.visible_message(n) for n in range(3, 30)]
    bag = bags.make_bag(tmp_path / "in", [*bags.pairs(3), *lonely])
    given = {"sync.on_missing": "passthrough", "sync.missing_timeout": 0.5}
    run = evaluate(bag, tmp_path / "out", parameters=given)
    counters = run.account["visible"]
    assert counters["fused"] == 3 and counters["passthrough"] >= 20
    assert counters["passthrough"] + counters["unpaired"] == 27
    assert len(load_result(tmp_path / "out").frames) == 3
    assert len(messages(tmp_path / "out", FUSED)) == 3 + counters["passthrough"]
    arrays = messages(tmp_path / "out", "/egmt_fusion/output/entities")
    assert [a.mode for a in arrays][:4] == [0, 0, 0, arrays[-1].mode] and arrays[-1].mode != 0
    assert any("passed through" in note for note in run.notes)


def test_parameters_fit_the_images_unless_a_file_is_given(tmp_path, bags, evaluate):
    deep = [bags.thermal_message(n, size=(24, 32), dtype=np.uint16) for n in range(3)]
    bag = bags.make_bag(tmp_path / "in", [*deep, *(bags.visible_message(n) for n in range(3))])
    run = evaluate(bag, tmp_path / "out")
    assert run.changed["thermal.range_mode"] == "percentile"
    assert run.changed["registration.mode"] == "scale"
    assert len(run.notes) == 2 and run.account["thermal"]["fused"] == 3
    file = tmp_path / "params.yaml"
    file.write_text("/**:\n  ros__parameters:\n    thermal.range_mode: frame\n")
    with pytest.raises(DataError, match=r"rejected\.size_mismatch: .*registration.mode"):
        evaluate(bag, tmp_path / "file", params_file=file)
    again = evaluate(bag, tmp_path / "set", parameters={"thermal.range_mode": "frame"})
    assert again.parameters["thermal.range_mode"] == "frame" and len(again.notes) == 1


def test_topics_that_do_not_overlap_are_told_with_both_ranges(tmp_path, bags, evaluate):
    early = [bags.thermal_message(n) for n in range(4)]
    late = [bags.visible_message(n) for n in range(30, 34)]
    bag = bags.make_bag(tmp_path / "in", early + late)
    with pytest.raises(DataError) as caught:
        evaluate(bag, tmp_path / "out")
    words = str(caught.value)
    assert "do not overlap in time" in words and bags.THERMAL in words and bags.VISIBLE in words
    assert (
        f"{bags.START / 1e9:.3f}" in words and f"{(bags.START + 33 * bags.STEP) / 1e9:.3f}" in words
    )
    assert load_result(tmp_path / "out").run.account["thermal"]["unpaired"] == 4


def test_what_nothing_could_be_made_of_is_told_by_the_most_frequent_reason(
    tmp_path, bags, evaluate
):
    bag = bags.make_bag(
        tmp_path / "in",
        [
            m
            for n in range(3)
            for m in (bags.thermal_message(n), bags.visible_message(n, encoding="8UC9"))
        ],
    )
    with pytest.raises(DataError, match="no pair could be fused.*unknown_encoding.*'8UC9'"):
        evaluate(bag, tmp_path / "out")


def test_sizes_that_change_within_a_topic_are_fused_all_the_same(tmp_path, bags, evaluate):
    small = [
        bags.thermal_message(3, size=(96, 128)),
        bags.visible_message(3, 4 * bags.MS, size=(96, 128)),
    ]
    bag = bags.make_bag(
        tmp_path / "in", [*bags.pairs(3), *small, bags.thermal_message(4), bags.visible_message(4)]
    )
    run = evaluate(bag, tmp_path / "out")
    assert run.changed["model.runtime"] == "torch"
    assert load_result(tmp_path / "out").frames.values["width"].tolist() == [64, 64, 64, 128, 64]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"thermal_topic": "/nowhere"}, BagError, "no topic /nowhere"),
        ({"metrics_every": 0}, ConfigError, "--metrics-every is 0"),
        ({"jobs": 0}, ConfigError, "--jobs is 0"),
        ({"metrics": True, "methods": ("magic",)}, ConfigError, "'magic'"),
        ({"parameters": {"sync.max_gpa": 1.0}}, ConfigError, "did you mean sync.max_gap"),
        ({"parameters": {"sync.wait": "long"}}, ConfigError, "sync.wait"),
        ({"params_file": Path("nowhere.yaml")}, ConfigError, "nowhere.yaml cannot be read"),
    ],
)
def test_wrong_requests_are_refused_before_anything_is_written(
    tmp_path, bags, evaluate, changes, error, words
):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(1))
    with pytest.raises(error, match=words):
        evaluate(bag, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_folders_that_hold_other_things_are_left_alone(tmp_path, bags, evaluate):
    bag = bags.make_bag(tmp_path / "in", bags.pairs(2))
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "thesis.txt").write_text("years of work")
    for options in ({}, {"overwrite": True}, {"resume": True}):
        with pytest.raises(DataError, match="holds other things"):
            evaluate(bag, taken, **options)
    assert (taken / "thesis.txt").read_text() == "years of work"
    with pytest.raises(DataError, match="inside the bag"):
        evaluate(bag, bag / "results")
    with pytest.raises(DataError, match="which is a file"):
        evaluate(bag, taken / "thesis.txt")
    evaluate(bag, tmp_path / "out")
    with pytest.raises(DataError, match="--overwrite.*--resume"):
        evaluate(bag, tmp_path / "out")
    inside = bags.make_bag(tmp_path / "out" / "in", bags.pairs(2))
    with pytest.raises(DataError, match="part of the evaluation"):
        evaluate(inside, tmp_path / "out", overwrite=True)
    shutil.rmtree(inside)
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(ZeroDivisionError):  # an engine that cannot be loaded replaces nothing
        evaluate(bag, tmp_path / "out", SimpleNamespace(load=lambda **_: 1 / 0), overwrite=True)
    assert len(load_result(tmp_path / "out").frames) == 2
    evaluate(bag, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "mine.txt").exists()
