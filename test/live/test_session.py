"""Real sessions: a short bag played over DDS into the real node, and sessions that go wrong."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.errors import BagError, EgmtError, MissingDependencyError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.live.environment import (
    require_ros,
    reserved_domain,
    session_environment,
)
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.live.session import SessionOptions, run_session
from egmt_ros.evaluation.report.pictures import load_pictures
from egmt_ros.evaluation.report.recording import load_recording
from egmt_ros.evaluation.report.summary import summarise

try:
    require_ros()
except MissingDependencyError as error:
    pytest.skip(str(error), allow_module_level=True)

START = 1_700_000_000_000_000_000
FRAMES = 20
THERMAL, VISIBLE = "/thermal/image_raw", "/visible/image_raw"
NODE_PARAMETERS = {"diagnostics.period": 0.25, "entities.publish_all": True, "output.depth": 100,
                   "model.runtime": "torch",
                   "input.thermal.depth": 100, "input.visible.depth": 100,
                   "model.warm_up_width": 128, "model.warm_up_height": 96}


def _stamps(side: str) -> list[int]:
    shift = 0 if side == "thermal" else 3_000_000
    return [START + i * 50_000_000 + shift for i in range(FRAMES)]


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    """1 s of 128x96 pairs at 20 Hz."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("bags") / "short"
    with BagWriter(path) as writer:
        writer.add_topic(THERMAL, IMAGE)
        writer.add_topic(VISIBLE, IMAGE)
        for thermal, visible in zip(_stamps("thermal"), _stamps("visible"), strict=True):
            grey = rng.integers(0, 255, (96, 128), dtype=np.uint8)
            colour = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
            writer.write(THERMAL, thermal, image_message(grey, thermal, "thermal_optical_frame"))
            writer.write(VISIBLE, visible, image_message(colour, visible, "visible_optical_frame"))
    return path


@pytest.fixture(scope="module")
def looped(bag, tmp_path_factory) -> SessionResult:
    """The bag played twice into the real node."""
    with reserved_domain() as domain:
        return run_session(bag, tmp_path_factory.mktemp("session"), SessionOptions(
            loops=2, parameters=NODE_PARAMETERS, progress=False, domain_id=domain))


def test_account_of_every_frame_is_exact(looped):
    recording = load_recording(looped)
    summary = summarise(looped, recording)
    assert summary.consistent, summary.problems
    with looped.sent_csv.open(newline="") as stream:
        written = [row["topic"] for row in csv.DictReader(stream)]
    enough_shared_memory = not session_environment(0, looped.folder)[1]
    for side in ("thermal", "visible"):
        account = summary.inputs[side]
        assert account.sent == 2 * FRAMES == written.count(looped.topics[side])
        if enough_shared_memory:
            assert account.lost == 0
        assert account.in_flight == 0
        assert account.fused > 0
    assert summary.outputs.published == summary.inputs["visible"].fused
    assert summary.outputs.images == summary.outputs.label_arrays == summary.outputs.published
    assert looped.node_exit == 0 and looped.drained


def test_source_stamps_are_intact_in_both_passes(looped):
    recording = load_recording(looped)
    for side in ("thermal", "visible"):
        assert [frame.stamp for frame in recording.sent[side]] == _stamps(side) * 2
        assert [frame.loop for frame in recording.sent[side]] == [0] * FRAMES + [1] * FRAMES
    assert {array.stamp for array in recording.arrays} <= set(_stamps("visible"))
    for array in recording.arrays:
        assert array.stamp == array.visible_stamp == array.thermal_stamp + 3_000_000
    stamps = [array.stamp for array in recording.arrays]
    backwards = sum(b < a for a, b in zip(stamps, stamps[1:], strict=False))
    assert backwards == 1  # the loop, and nothing else


def test_output_bag_holds_all_that_arrived(looped):
    with BagSource(looped.output_bag) as bag:
        topics = {topic.name: topic for topic in bag.topics}
        with looped.received_csv.open(newline="") as stream:
            arrivals = [row["topic"] for row in csv.DictReader(stream)]
        for role in ("image", "entities", "vocabulary", "diagnostics"):
            name = looped.topics[role]
            assert topics[name].count == arrivals.count(name) > 0
        vocabulary = looped.topics["vocabulary"]
        assert topics[vocabulary].latched and topics[vocabulary].count == 1
    recording = load_recording(looped)
    assert len(recording.vocabulary.names) >= 20
    assert all(len(a.labels) == len(recording.vocabulary.names) for a in recording.arrays)
    assert recording.values["pipeline_latency_ms"]


def test_pictures_are_those_of_the_same_moment(looped, bag):
    recording = load_recording(looped)
    pictures = load_pictures(looped, recording, 3)
    assert len(pictures) == 3
    with BagSource(bag) as source:
        records = {record.stamp: record for record in source.messages([VISIBLE])}
        for frame in pictures:
            message = source.deserialize(records[frame.array.visible_stamp].data, IMAGE)
            np.testing.assert_array_equal(frame.visible, message.data.reshape(96, 128, 3))
            assert frame.fused.shape == (96, 128, 3)


def test_session_can_be_read_back(looped):
    assert SessionResult.load(looped.folder / "session.json") == looped


def test_missing_topic_is_said_before_anything_starts(bag, tmp_path, ros_domain):
    options = SessionOptions(thermal_topic="/nowhere", domain_id=ros_domain, progress=False)
    with pytest.raises(BagError, match="no topic /nowhere.*/thermal/image_raw"):
        run_session(bag, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_missing_bag(tmp_path, ros_domain):
    with pytest.raises(BagError, match="no bag at"):
        run_session(tmp_path / "none", tmp_path / "out", SessionOptions(domain_id=ros_domain))


def test_node_that_dies_at_start(bag, tmp_path, ros_domain):
    command = [sys.executable, "-c", "import sys; print('no such camera'); sys.exit(3)"]
    options = SessionOptions(node_command=command, domain_id=ros_domain, progress=False)
    with pytest.raises(EgmtError, match=r"(?s)node ended with status 3.*node\.log.*no such camera"):
        run_session(bag, tmp_path / "out", options)
    assert not _processes(tmp_path)


def test_node_that_cannot_be_configured(bag, tmp_path, ros_domain):
    options = SessionOptions(parameters={"model.weights": str(tmp_path / "none.safetensors")},
                             domain_id=ros_domain, progress=False)
    with pytest.raises(EgmtError, match="node cannot start: .*none.safetensors"):
        run_session(bag, tmp_path / "out", options)
    assert not _processes(tmp_path)


def test_node_that_never_becomes_active(bag, tmp_path, ros_domain):
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    options = SessionOptions(node_command=command, domain_id=ros_domain, progress=False,
                             start_timeout=1.0)
    with pytest.raises(EgmtError, match="Waited 1 s in vain for the node to become active"):
        run_session(bag, tmp_path / "out", options)
    assert not _processes(tmp_path)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_ended_session_leaves_no_process(bag, tmp_path, ros_domain, end):
    """After Ctrl-C the session ends them; where it is killed itself, the recorder does."""
    script = tmp_path / "session.py"
    script.write_text(
        "import signal, sys\nfrom pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from egmt_ros.evaluation.live.session import SessionOptions, run_session\n"
        "node = [sys.executable, '-c', 'import time; time.sleep(600)', sys.argv[2]]\n"
        "run_session(Path(sys.argv[1]), Path(sys.argv[2]), SessionOptions(\n"
        "    node_command=node, progress=False, domain_id=int(sys.argv[3])))\n")
    session = subprocess.Popen(
        [sys.executable, str(script), str(bag), str(tmp_path / "out"), str(ros_domain)])
    try:
        _until(lambda: len(_processes(tmp_path)) >= 3 and (tmp_path / "out" / "bag").exists())
        session.send_signal(end)
        session.wait(10)
        _until(lambda: not _processes(tmp_path))
    finally:
        session.kill()
        session.wait(10)


def _processes(folder: Path) -> list[int]:
    """Running processes whose command line names the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()  # empty for a zombie
        except OSError:
            continue
        if str(folder).encode() in command:
            found.append(int(entry.name))
    return found


def _until(reached, timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not reached():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
