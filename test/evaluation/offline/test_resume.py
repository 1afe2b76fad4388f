"""Evaluations that were interrupted, and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.summary import summarise

STABLE = ("frames.csv", "scores.csv", "unused.csv")
FRAMES = 9
RANGE = {"thermal.range_mode": "percentile"}  # depends on all frames before


@pytest.fixture
def bag(tmp_path, bags) -> Path:
    alone = [bags.thermal_message(FRAMES), bags.visible_message(FRAMES + 3)]
    return bags.make_bag(tmp_path / "in", [*bags.pairs(FRAMES), *alone])


@pytest.fixture
def whole(tmp_path, bag, evaluate) -> Path:
    """The evaluation that nothing interrupts."""
    evaluate(bag, tmp_path / "whole", metrics=True, metrics_every=4, parameters=RANGE)
    return tmp_path / "whole"


def images(folder: Path) -> list[bytes]:
    with BagSource(folder / "bag") as bag:
        names = ["/egmt_fusion/output/image", "/egmt_fusion/output/entities"]
        return [bytes(record.data) for name in names for record in bag.messages([name])]


def assert_equal(out: Path, whole: Path) -> None:
    for name in STABLE:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    assert images(out) == images(whole)
    kept = {path.name for path in whole.iterdir()}
    assert {path.name for path in out.iterdir()} == kept
    runs = [load_result(folder).run for folder in (out, whole)]
    assert runs[0].account == runs[1].account and runs[0].bag == runs[1].bag


def interrupt(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGINT)


def crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_interruption_finishes_the_frame_and_leaves_a_result(
    tmp_path, bag, bags, evaluate, whole
):
    engine = bags.FakeEngine()
    engine.before[5] = interrupt
    settings = {"metrics": True, "metrics_every": 4, "parameters": RANGE}
    run = evaluate(bag, tmp_path / "out", engine, **settings)
    assert not run.complete and run.problems == (
        "interrupted after 5 fused frames; --resume goes on",
    )
    result = load_result(tmp_path / "out")
    assert len(result.frames) == len(result.timing) == 5
    assert summarise(result).frames == 5
    begun = (whole / "frames.csv").read_text().splitlines()[:6]
    assert (tmp_path / "out" / "frames.csv").read_text().splitlines() == begun
    engine = bags.FakeEngine()
    run = evaluate(bag, tmp_path / "out", engine, resume=True, **settings)
    assert run.complete and engine.fused == FRAMES - 5
    assert any("5 of 9 frames are from a run that was interrupted" in n for n in run.notes)
    assert_equal(tmp_path / "out", whole)
    engine = bags.FakeEngine()  # there is nothing left to do
    assert evaluate(bag, tmp_path / "out", engine, resume=True, **settings).complete
    assert engine.fused == 0


def test_a_run_is_gone_on_with_more_than_once(tmp_path, bag, bags, evaluate, whole):
    settings = {"metrics": True, "metrics_every": 4, "parameters": RANGE}
    fused = 0
    for at in (6, 1, 2):  # the last two get less far than the first had
        engine = bags.FakeEngine()
        engine.before[at] = crash
        with pytest.raises(KeyboardInterrupt):
            evaluate(bag, tmp_path / "out", engine, resume=True, **settings)
        assert not load_result(tmp_path / "out").run.complete
        fused += engine.fused
    engine = bags.FakeEngine()
    assert evaluate(bag, tmp_path / "out", engine, resume=True, **settings).complete
    assert fused + engine.fused <= FRAMES + 6
    assert_equal(tmp_path / "out", whole)


KILLED = """
    import importlib.util, os, signal, sys
    from pathlib import Path
    from egmt_ros.evaluation.offline.evaluate import run_offline
    spec = importlib.util.spec_from_file_location("bags", sys.argv[1])
    bags = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bags)
    engine = bags.FakeEngine()
    engine.before[6] = lambda: os.kill(os.getpid(), signal.SIGKILL)
    given = {"thermal.range_mode": "percentile"}
    asked = bags.request(
        Path(sys.argv[2]), Path(sys.argv[3]), metrics=True, metrics_every=4, parameters=given
    )
    run_offline(asked, engine.load)
"""


def test_a_run_that_was_killed_is_gone_on_with(tmp_path, bag, bags, evaluate, whole):
    arguments = [
        sys.executable,
        "-c",
        textwrap.dedent(KILLED),
        bags.__file__,
        bag,
        tmp_path / "out",
    ]
    killed = subprocess.run(list(map(str, arguments)), capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    result = load_result(tmp_path / "out")
    assert not result.run.complete and 1 <= len(result.frames) <= 5
    assert summarise(result).frames == len(result.frames)
    settings = {"metrics": True, "metrics_every": 4, "parameters": RANGE}
    assert evaluate(bag, tmp_path / "out", resume=True, **settings).complete
    assert_equal(tmp_path / "out", whole)


def test_singles_between_pairs_are_made_again(tmp_path, bags, evaluate):
    lonely = [bags.visible_message(n) for n in range(3, 12)]
    later = [m for m in bags.pairs(20) if m.stamp > bags.START + 12 * bags.STEP]
    bag = bags.make_bag(tmp_path / "in", [*bags.pairs(3), *lonely, *later])
    given = {"sync.on_missing": "passthrough", "sync.missing_timeout": 0.3}
    evaluate(bag, tmp_path / "whole", parameters=given)
    alone = load_result(tmp_path / "whole").run.account["visible"]["passthrough"]
    assert alone > 3
    engine = bags.FakeEngine()
    engine.before[3 + alone + 3] = crash
    with pytest.raises(KeyboardInterrupt):
        evaluate(bag, tmp_path / "out", engine, parameters=given)
    engine = bags.FakeEngine()
    evaluate(bag, tmp_path / "out", engine, parameters=given, resume=True)
    frames = len(load_result(tmp_path / "whole").frames)
    assert engine.fused < frames + alone
    assert_equal(tmp_path / "out", tmp_path / "whole")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parameters": {"sync.max_gap": 0.02}}, r"sync\.max_gap was 0\.05 and is 0\.02"),
        ({"metrics": True}, "methods was none and is ours,thermal"),
        ({"metrics_every": 3}, "metrics-every was 1 and is 3"),
        ({"model_id": "other@1"}, r"model: model_id was 'fake@000000000000' and is 'other@1'"),
    ],
)
def test_what_differs_from_the_interrupted_run_is_named(
    tmp_path, bag, bags, evaluate, changes, words
):
    engine = bags.FakeEngine()
    engine.before[3] = interrupt
    evaluate(bag, tmp_path / "out", engine)
    other = bags.FakeEngine()
    other.model_id = changes.pop("model_id", other.model_id)
    before = (tmp_path / "out" / "frames.csv").read_bytes()
    with pytest.raises(DataError, match=words):
        evaluate(bag, tmp_path / "out", other, resume=True, **changes)
    assert (tmp_path / "out" / "frames.csv").read_bytes() == before


def test_another_bag_is_noticed(tmp_path, bag, bags, evaluate):
    engine = bags.FakeEngine()
    engine.before[4] = interrupt
    evaluate(bag, tmp_path / "out", engine)
    changed = bags.pairs(FRAMES)
    pixels = changed[3].msg.data.copy()
    pixels[7] ^= 1
    changed[3].msg.data = pixels
    other = bags.make_bag(tmp_path / "other", changed)
    with pytest.raises(DataError, match="differs within the first [0-9]+ messages"):
        evaluate(other, tmp_path / "out", resume=True)
    later = bags.make_bag(tmp_path / "later", bags.pairs(FRAMES, gap=5_000_000))
    with pytest.raises(DataError, match="frame 0 is another"):
        evaluate(later, tmp_path / "out", resume=True)
    assert np.isfinite(load_result(tmp_path / "out").frames.values["gap_ms"]).all()
    assert evaluate(bag, tmp_path / "out", resume=True).complete
