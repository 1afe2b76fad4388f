"""Bags: what is written is read back; what is damaged is named."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags import bag_reader, bag_types
from egmt_ros.evaluation.bags.bag_command import add_arguments, run
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import (
    COMPRESSED_IMAGE,
    ENTITIES,
    ENTITY,
    IMAGE,
    header_message,
    image_message,
    time_message,
    typestore,
)
from egmt_ros.evaluation.bags.bag_writer import BagMessage, BagWriter, write_bag
from egmt_ros.evaluation.bags.synthetic_bag import (
    THERMAL_TOPIC,
    TRUTH_TOPIC,
    VISIBLE_TOPIC,
    write_synthetic_bag,
)

VOCABULARY = "egmt_msgs/msg/EntityVocabulary"
ATTENTION = "egmt_msgs/msg/EntityAttention"
T0 = 1_700_000_000_000_000_123


def samples() -> dict[str, object]:
    """One message of each type that the project puts into bags."""
    types = typestore().types
    header = header_message(T0, "camera")
    region = types["sensor_msgs/msg/RegionOfInterest"](3, 4, 5, 6, False)
    label = types[ENTITY](2, "traffic light", 0.5, True, 1, region, 0.25, 0.75)
    return {
        IMAGE: image_message(np.arange(60, dtype=np.uint8).reshape(4, 5, 3), T0, "camera"),
        ENTITIES: types[ENTITIES](
            header, time_message(1), time_message(2), 640, 480, "m@1", "h", 0.5, 0, -1.5, 2.5,
            [label, label],
        ),
        VOCABULARY: types[VOCABULARY](
            header, "m@1", "MiniLM", "h", ["person", "car"], np.array([0.5, 0.25], np.float32)
        ),
        ATTENTION: types[ATTENTION](
            header, "h", np.array([1, 9], np.uint16), 2, 3, np.arange(12, dtype=np.uint8)
        ),
        "std_msgs/msg/Float64": types["std_msgs/msg/Float64"](12.5),
    }  # fmt: skip


@pytest.fixture(scope="module")
def synth(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bags") / "synth"
    write_synthetic_bag(path, duration=1.0, width=96, height=72, thermal_rate=9.0)
    return path


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compress", [False, True])
def test_round_trip_of_every_type(tmp_path, storage, compress):
    messages = samples()
    names = {t: f"/topic_{k}" for k, t in enumerate(messages)}
    given = [BagMessage(names[t], t, T0 + k, m) for k, (t, m) in enumerate(messages.items())]
    counts = write_bag(
        tmp_path / "bag", given, storage=storage, compress=compress, latched=[names[VOCABULARY]]
    )
    assert counts == dict.fromkeys(names.values(), 1)
    with BagSource(tmp_path / "bag") as bag:
        assert (bag.count, bag.start, bag.end, bag.storage) == (5, T0, T0 + 4, storage)
        assert {t.name: t.latched for t in bag.topics} == {
            n: t == VOCABULARY for t, n in names.items()
        }
        for record, message in zip(bag, given, strict=True):
            assert record[:3] == message[:3]
            raw = typestore().serialize_cdr(message.msg, message.msgtype)
            assert bytes(record.data) == bytes(raw)
            again = bag.deserialize(record.data, record.msgtype)
            assert bytes(typestore().serialize_cdr(again, message.msgtype)) == bytes(raw)


def test_raw_bytes_are_written_as_they_are(tmp_path):
    raw = typestore().serialize_cdr(samples()[IMAGE], IMAGE)
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/a", IMAGE, best_effort=True)
        writer.write_raw("/a", T0, raw)
    with BagSource(tmp_path / "bag") as bag:
        assert bag.topic("/a", IMAGE).best_effort
        assert [bytes(r.data) for r in bag] == [bytes(raw)]


def test_type_hashes_are_those_of_ros():
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    folders = [Path(p, "share/egmt_msgs/msg") for p in prefixes if p]
    files = [f for folder in folders for f in folder.glob("Entity*.json")]
    if not files:
        pytest.skip("needs egmt_msgs built by ROS 2 Iron or later")
    checked = set()
    for file in files:
        for entry in json.loads(file.read_text())["type_hashes"]:
            name = entry["type_name"]
            if name in typestore().fielddefs:
                assert typestore().hash_rihs01(name) == entry["hash_string"]
                checked.add(name)
    assert {IMAGE.replace("Image", "RegionOfInterest"), ENTITY, ENTITIES, ATTENTION} <= checked


def test_cdr_agrees_with_ros():
    pytest.importorskip("rclpy", reason="needs ROS")
    from egmt_msgs.msg import EntityLabelArray
    from rclpy.serialization import deserialize_message

    raw = bytes(typestore().serialize_cdr(samples()[ENTITIES], ENTITIES))
    message = deserialize_message(raw, EntityLabelArray)
    assert message.header.stamp.sec * 10**9 + message.header.stamp.nanosec == T0
    assert [label.name for label in message.labels] == ["traffic light"] * 2
    assert message.labels[0].region.width == 6 and message.width == 640


def test_metadata_keeps_latched_qos(tmp_path):
    vocabulary = BagMessage("/v", VOCABULARY, T0, samples()[VOCABULARY])
    write_bag(tmp_path / "bag", [vocabulary], latched=["/v"])
    info = yaml.safe_load((tmp_path / "bag/metadata.yaml").read_text())
    (topic,) = info["rosbag2_bagfile_information"]["topics_with_message_count"]
    (qos,) = topic["topic_metadata"]["offered_qos_profiles"]
    assert qos["durability"] == "transient_local" and qos["reliability"] == "reliable"


def test_time_window_and_topic_choice(synth):
    with BagSource(synth) as bag:
        middle = bag.start + bag.duration // 2
        half = list(bag.messages([VISIBLE_TOPIC], stop=middle))
        rest = list(bag.messages([VISIBLE_TOPIC], start=middle))
        assert len(half) + len(rest) == bag.topic(VISIBLE_TOPIC).count == 30
        assert {r.topic for r in half} == {VISIBLE_TOPIC}
        assert all(r.stamp < middle for r in half) and all(r.stamp >= middle for r in rest)


def test_writing_streams_and_failing_leaves_nothing(tmp_path):
    image = samples()[IMAGE]

    def broken():
        yield BagMessage("/a", IMAGE, T0, image)
        raise RuntimeError("source failed")

    with pytest.raises(RuntimeError, match="source failed"):
        write_bag(tmp_path / "bag", broken())
    assert not (tmp_path / "bag").exists()


def test_writing_refuses_what_it_should(tmp_path):
    message = BagMessage("/a", IMAGE, T0, samples()[IMAGE])
    write_bag(tmp_path / "bag", [message])
    with pytest.raises(BagError, match="exists already"):
        write_bag(tmp_path / "bag", [message])
    write_bag(tmp_path / "bag", [message, message], overwrite=True)
    with BagSource(tmp_path / "bag") as bag:
        assert bag.count == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    with pytest.raises(BagError, match="not a bag"):
        write_bag(tmp_path / "mine", [message], overwrite=True)
    assert (tmp_path / "mine/thesis.txt").exists()
    with pytest.raises(BagError, match="nonsense/msg/Type"):
        write_bag(tmp_path / "c", [BagMessage("/a", "nonsense/msg/Type", T0, b"")])
    with pytest.raises(BagError, match="cannot take"):
        write_bag(tmp_path / "d", [message, BagMessage("/a", ENTITIES, T0, b"")])


def test_missing_things_are_named(tmp_path, synth):
    with pytest.raises(BagError, match="no bag at"):
        BagSource(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(BagError, match="not a bag"):
        BagSource(tmp_path / "note.txt")
    with BagSource(synth) as bag:
        with pytest.raises(BagError, match=f"no topic /lidar.*{THERMAL_TOPIC}"):
            list(bag.messages(["/lidar"]))
        with pytest.raises(BagError, match=f"{VISIBLE_TOPIC}.*{IMAGE}.*{COMPRESSED_IMAGE} is"):
            bag.topic(VISIBLE_TOPIC, COMPRESSED_IMAGE)
        with pytest.raises(BagError, match="not a valid"):
            bag.deserialize(b"\x00\x01\x00\x00\x07", IMAGE)


def test_synthetic_bag_holds_frames_and_truth(synth):
    with BagSource(synth) as bag:
        counts = {t.name: (t.msgtype, t.count) for t in bag.topics}
        assert counts == {
            THERMAL_TOPIC: (IMAGE, 9), VISIBLE_TOPIC: (IMAGE, 30), TRUTH_TOPIC: (ENTITIES, 30)
        }  # fmt: skip
        stamps: dict[str, list[int]] = {}
        last = 0
        for record in bag:
            message = bag.deserialize(record.data, record.msgtype)
            stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            stamps.setdefault(record.topic, []).append(stamp)
            assert last <= record.stamp and 0 <= record.stamp - stamp < 20_000_000
            last = record.stamp
            if record.topic == THERMAL_TOPIC:
                assert (message.encoding, message.width, message.step) == ("mono8", 96, 96)
            elif record.topic == VISIBLE_TOPIC:
                assert (message.encoding, message.height, message.step) == ("bgr8", 72, 288)
            else:
                assert {"road", "building"} <= {label.name for label in message.labels}
        assert stamps[VISIBLE_TOPIC] == stamps[TRUTH_TOPIC]


def test_synthetic_bag_in_16_bit(tmp_path):
    write_synthetic_bag(
        tmp_path / "b", duration=0.2, width=64, height=64, thermal_encoding="mono16"
    )
    with BagSource(tmp_path / "b") as bag:
        record = next(bag.messages([THERMAL_TOPIC]))
        image = bag.deserialize(record.data, IMAGE)
    assert image.encoding == "mono16" and image.step == 128
    assert 25_000 < image.data.view("<u2").mean() < 31_000


def test_bag_commands(tmp_path, capsys):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    out = str(tmp_path / "b")
    size = ["--size", "64x48", "--duration", "0.2"]
    assert run(parser.parse_args(["synth", out, *size])) == 0
    assert run(parser.parse_args(["info", out])) == 0
    shown = capsys.readouterr().out
    assert "mcap" in shown and "thermal: /thermal/image_raw" in shown
    with pytest.raises(BagError, match="exists already"):
        run(parser.parse_args(["synth", out, *size]))


def test_reading_needs_no_ros():
    code = (
        "import sys; import egmt_ros.evaluation.bags.bag_reader;"
        "import egmt_ros.evaluation.bags.synthetic_bag;"
        "print([m for m in ('rclpy', 'torch', 'sensor_msgs') if m in sys.modules])"
    )
    root = Path(bag_reader.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.strip() == "[]", done.stderr


def test_without_message_definitions_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(bag_types, "messages_source", lambda: None)
    with pytest.raises(BagError, match="egmt_msgs were not found.*checkout.*install"):
        bag_types.messages_folder()
    with pytest.raises(BagError, match="egmt_msgs were not found"):
        bag_types.new_typestore()
