"""`egmt evaluate bag --live`: a real node under a bag with all that a bag may have."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.errors import BagError, ConfigError, EgmtError, MissingDependencyError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import (
    COMPRESSED_IMAGE,
    IMAGE,
    header_message,
    image_message,
    typestore,
)
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.live import evaluate, session
from egmt_ros.evaluation.live.account import OUTCOMES
from egmt_ros.evaluation.live.environment import require_ros
from egmt_ros.evaluation.live.evaluate import run_live
from egmt_ros.evaluation.live.options import LiveOptions
from egmt_ros.evaluation.live.topics import CAMERA_INFO
from egmt_ros.evaluation.replay.measuring import Images, Measurer
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.evaluation.replay.result import Result, load_result
from egmt_ros.evaluation.replay.summary import summarise
from egmt_ros.pipeline.image_files import to_grey

try:
    require_ros()
except MissingDependencyError as error:
    pytest.skip(str(error), allow_module_level=True)

START = 86_400_000_000_000  # 2 January 1970
PERIOD = 100_000_000
PAIRS = 10
THERMAL, VISIBLE = "/front/thermal/image_raw", "/front/rgb/image_raw/compressed"
VISIBLE_INFO = "/front/rgb/camera_info"
LATCHED = "/robot_description"
PARAMETERS = {"model.runtime": "torch", "input.thermal.depth": 100, "input.visible.depth": 100,
              "output.depth": 100}


def _pictures(number: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(number)
    grey = cv2.resize(rng.integers(0, 255, (6, 8), dtype=np.uint8), (96, 64))
    return grey, cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (96, 64))


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """1 s of pairs long ago, colour as PNG, with calibration, a latched topic, one frame alone."""
    path = tmp_path_factory.mktemp("bags") / "old"
    types = typestore().types
    with BagWriter(path) as writer:
        writer.add_topic(THERMAL, IMAGE)
        writer.add_topic(VISIBLE, COMPRESSED_IMAGE)
        writer.add_topic(VISIBLE_INFO, CAMERA_INFO)
        writer.add_topic(LATCHED, "std_msgs/msg/String", latched=True)
        writer.write(LATCHED, START, types["std_msgs/msg/String"](data="<robot/>"))
        for i in range(PAIRS + 1):
            stamp = START + i * PERIOD
            grey, colour = _pictures(i)
            png = cv2.imencode(".png", colour)[1].reshape(-1)
            writer.write(VISIBLE, stamp, types[COMPRESSED_IMAGE](
                header_message(stamp, "rgb"), "bgr8; png compressed bgr8", png))
            roi = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            writer.write(VISIBLE_INFO, stamp, types[CAMERA_INFO](
                header_message(stamp, "rgb"), 64, 96, "plumb_bob", np.zeros(5), np.eye(3).ravel(),
                np.eye(3).ravel(), np.eye(3, 4).ravel(), 0, 0, roi))
            if i < PAIRS:
                later = stamp + 2_000_000
                writer.write(THERMAL, later, image_message(grey, later, "thermal"))
    return path


def request(bag: Path, out: Path, **more) -> ReplayRequest:
    return ReplayRequest(bag, out, **{"parameters": PARAMETERS, "methods": ("max",),
                                      "progress": False, **more})


@pytest.fixture(scope="module")
def result(bag, tmp_path_factory) -> Result:
    """Played slowly, then swept at a rate that most machines follow."""
    out = tmp_path_factory.mktemp("live") / "out"
    options = LiveOptions(rate=0.4, sweep=True, highest=2.0, try_seconds=0.6)
    run = run_live(request(bag, out), options)
    read = load_result(out)
    assert read.run.account == run.account
    return read


def test_the_account_is_exact(result):
    run = result.run
    assert run.kind == "live" and run.complete and run.problems == ()
    for side, sent in (("thermal", PAIRS), ("visible", PAIRS + 1)):
        row = run.account[side]
        assert row["sent"] == sent == row["received"] + row["lost"] and row["lost"] >= 0
        outcomes = sum(row[name] for name in OUTCOMES)
        assert row["received"] == outcomes and row["in_flight"] == 0
        assert row["fused"] == len(result.frames) > 0
        unused = [line for line in result.unused if line["side"] == side]
        assert len(unused) == sent - row["fused"]
    assert str(START + PAIRS * PERIOD) in {line["stamp"] for line in result.unused}
    assert summarise(result).consistent


def test_rows_hold_what_was_recorded_of_what_was_played(result):
    frames = result.frames
    stamps = frames.keys["visible_stamp"]
    assert (frames.keys["stamp"] == stamps).all()
    assert ((stamps - START) % PERIOD == 0).all() and (np.diff(stamps) > 0).all()
    assert np.allclose(frames.values["gap_ms"], 2.0)
    assert set(frames.values["width"]) == {96.0} and set(frames.values["height"]) == {64.0}
    assert set(frames.values["thermal_low"]) == {0.0}
    assert set(frames.values["thermal_high"]) == {255.0}
    assert len(result.run.entities) == len(result.scores.values) > 10
    for scores in result.scores.values.values():
        assert ((scores >= 0) & (scores <= 1)).all()
    for name in ("reference_to_image_ms", "last_frame_to_image_ms"):
        assert (result.timing.values[name] > 0).all()
    assert (result.timing.values["reference_to_image_ms"]
            >= result.timing.values["last_frame_to_image_ms"]).all()
    own = result.timing.values["release_to_publish_ms"]
    assert np.isnan(own).all() or (own >= result.timing.values["processing_ms"]).all()


def test_metrics_are_those_of_the_recorded_image_and_the_sources_of_the_bag(result):
    assert result.run.methods == ("ours", "max")
    with BagSource(result.folder / "bag") as bag:
        topics = {topic.name: topic for topic in bag.topics}
        image_topic = result.run.topics["image"]["name"]
        images = [bag.deserialize(r.data, IMAGE) for r in bag.messages([image_topic])]
        assert topics[LATCHED].latched and topics[LATCHED].count == 1
        assert topics[result.run.topics["vocabulary"]["name"]].latched
        assert topics[result.run.topics["entities"]["name"]].count == len(images)
        assert START <= bag.start and bag.end <= START + (PAIRS + 1) * PERIOD
    assert len(images) == len(result.frames)
    stamp = int(result.frames.keys["stamp"][-1])
    assert images[-1].header.stamp.sec * 10**9 + images[-1].header.stamp.nanosec == stamp
    grey, colour = _pictures((stamp - START) // PERIOD)
    found = Measurer(("max",)).score(
        Images(grey, to_grey(colour), to_grey(images[-1].data.reshape(64, 96, 3))))
    for method, metrics in found.items():
        for name, value in metrics.items():
            written = result.frames.values[f"{method}.{name}"][-1]
            assert written == pytest.approx(value, rel=1e-5, abs=1e-6), (method, name)


def test_what_only_a_live_replay_knows(result):
    live = result.run.live
    assert live["rate"] == 0.4
    assert live["lost"] == {side: result.run.account[side]["lost"] for side in live["lost"]}
    times = live["latency_ms"]["reference_to_image_ms"]
    assert times["count"] == len(result.frames)
    assert 0 < times["p50"] <= times["p95"] <= times["p99"] <= times["max"]
    assert live["process"]["memory_mib"]["peak"] > 10 and live["process"]["over_time"]
    assert live["process"]["cpu_cores"]["peak"] > 0
    assert live["rates_hz"]["visible"] > 0
    assert result.run.model["runtime"] == "torch" and result.run.model["model_id"]
    assert result.run.parameters["model.threads"] or result.run.model["threads"] > 0
    assert result.run.topics["visible"]["type"] == COMPRESSED_IMAGE
    assert result.run.parameters["input.visible.transport"] == "compressed"
    assert any("publish_all" in note for note in result.run.notes)


def test_the_sweep_tries_rates_and_takes_latencies(result):
    live = result.run.live
    assert [each["rate"] for each in live["at_rate"]] == [10.0, 15.0, 30.0]
    assert live["search"][0]["rate"] == 2.0
    assert live["highest_rate_hz"] in (None, 2.0)
    for each in (*live["search"], *live["at_rate"]):
        assert each["sent"] > 0 and 0 <= each["fused"] <= each["sent"]
        assert each["fused"] == 0 or 0 < each["p50"] <= each["p95"]


def test_ctrl_c_keeps_what_was_recorded(bag, tmp_path, monkeypatch):
    class Impatient(session.PlayProgress):
        def update(self, source, data):
            super().update(source, data)
            if source == "recorder" and not self.said and sum(data["received"].values()) and any(
                count >= 2 for topic, count in data["received"].items() if "output/image" in topic
            ):
                self.said = True
                os.kill(os.getpid(), signal.SIGINT)

        said = False

    monkeypatch.setattr(session, "PlayProgress", Impatient)
    run = run_live(request(bag, tmp_path / "out", metrics=False), LiveOptions(rate=0.1))
    assert not run.complete and any(text.startswith("interrupted") for text in run.problems)
    row = run.account["visible"]
    assert 2 <= row["sent"] <= PAIRS and row["sent"] == row["received"] + row["lost"]
    assert len(load_result(tmp_path / "out").frames) == row["fused"] >= 2
    assert _left_over(tmp_path) == []


def _left_over(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in command:
                found.append(int(entry.name))
    return found


def test_what_cannot_be_played_is_said_before_anything_starts(bag, tmp_path):
    with pytest.raises(ConfigError, match="--resume cannot go on"):
        run_live(request(bag, tmp_path / "out", resume=True), LiveOptions())
    with pytest.raises(BagError, match="no topic /nowhere"):
        run_live(request(bag, tmp_path / "out", thermal_topic="/nowhere"), LiveOptions())
    assert not (tmp_path / "out").exists()


def test_a_node_that_fails_is_told_with_its_log(bag, tmp_path, monkeypatch):
    command = (sys.executable, "-c", "import sys; print('no such camera'); sys.exit(3)")
    options = session.SessionOptions
    monkeypatch.setattr(evaluate, "SessionOptions",
                        lambda **more: options(**more, node_command=command))
    for _ in range(2):  # the log that was left does not keep a second one from being tried
        with pytest.raises(EgmtError, match=r"(?s)node ended with status 3.*node\.log.*no such"):
            run_live(request(bag, tmp_path / "out"), LiveOptions())
    assert _left_over(tmp_path) == []


def test_without_ros_the_remedy_is_named(bag, tmp_path, monkeypatch):
    def missing() -> None:
        raise MissingDependencyError("a live replay needs rclpy; install it")

    monkeypatch.setattr(evaluate, "require_ros", missing)
    with pytest.raises(MissingDependencyError, match="install"):
        run_live(request(bag, tmp_path / "out"), LiveOptions())
    assert not (tmp_path / "out").exists()
