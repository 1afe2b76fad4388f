"""Every kind of bag is read alike."""

from __future__ import annotations

import random
from pathlib import Path
from zlib import crc32

import lz4.frame
import numpy as np
import pytest

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags import mcap_storage
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag

T0, STEP = 1_700_000_000_000_000_000, 100_000_000  # as in bag_files.py
WARM, SEEN, NAMES = "/thermal/image_raw", "/visible/image_raw", "/names"
FLOAT64 = "std_msgs/msg/Float64"


def read(path: Path) -> list[tuple[str, str, int, bytes]]:
    with BagSource(path) as bag:
        found = [tuple(r) for r in bag]
        assert bag.damage is None
        assert bag.count == len(found)
        assert (bag.start, bag.end) == (found[0][2], found[-1][2])
    return found


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("mode", ["message", "file"])
def test_compressed_bags(tmp_path, storage, mode, made):
    messages = made.few_messages()
    made.write_compressed(tmp_path / "bag", messages, mode, storage)
    assert read(tmp_path / "bag") == made.serialised(messages)
    with BagSource(tmp_path / "bag") as bag:
        assert bag.storage == storage
        window = [r.stamp for r in bag.messages([SEEN], T0 + STEP, T0 + 3 * STEP)]
        assert window == [T0 + STEP + 2, T0 + 2 * STEP + 2]
        assert next(bag.messages([NAMES])).stamp == T0
        image = bag.deserialize(next(bag.messages([WARM])).data, IMAGE)
        assert (image.height, image.width) == (24, 32)
    (file,) = (f for f in (tmp_path / "bag").iterdir() if f.name != "metadata.yaml")
    assert file.name.endswith(".zstd") == (mode == "file")
    assert read(file) == made.serialised(messages)  # by itself, too


def test_a_file_compressed_bag_leaves_nothing_behind(tmp_path, monkeypatch, made):
    made.write_compressed(tmp_path / "bag", made.few_messages(), "file")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with BagSource(tmp_path / "bag") as bag:
        messages = bag.messages()
        next(messages)
        assert any((tmp_path / "tmp").iterdir())
        messages.close()
    assert not any((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_odd_letters_in_the_path(tmp_path, made, storage):
    messages = made.few_messages(1)
    write_bag(tmp_path / "bag", messages, storage=storage)
    (tmp_path / "bag").rename(tmp_path / "run #1? 50%20")
    assert read(tmp_path / "run #1? 50%20") == made.serialised(messages)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_several_files_are_one_bag(tmp_path, storage, made):
    messages = made.few_messages()
    made.write_split(tmp_path / "bag", [messages[:5], messages[5:8], messages[8:]], storage)
    assert read(tmp_path / "bag") == made.serialised(messages)
    with BagSource(tmp_path / "bag") as bag:
        assert {t.name: t.count for t in bag.topics} == {NAMES: 1, WARM: 6, SEEN: 6}


def test_files_that_overlap_in_time_are_merged(tmp_path, made):
    messages = made.few_messages()
    late = [m for m in messages if m.topic == WARM]
    made.write_split(tmp_path / "bag", [late, [m for m in messages if m.topic != WARM]])
    assert read(tmp_path / "bag") == made.serialised(messages)


def test_files_of_a_killed_recording_come_in_order(tmp_path, made):
    messages = made.few_messages(12)
    folder = tmp_path / "bag"
    parts = [messages[i * 2 : i * 2 + 2] for i in range(12)] + [messages[24:]]
    made.write_split(folder, parts)
    (folder / "metadata.yaml").unlink()
    assert read(folder) == made.serialised(messages)


@pytest.mark.parametrize("compress", ["", "bz2", "lz4"])
def test_ros1(tmp_path, compress, made):
    messages = made.few_messages()
    made.write_ros1(tmp_path / "a.bag", messages, compress)
    assert read(tmp_path / "a.bag") == made.serialised(messages)
    with BagSource(tmp_path / "a.bag") as bag:
        assert bag.storage == "ros1"
        assert {t.name: (t.count, t.latched) for t in bag.topics} == {
            NAMES: (1, True), WARM: (6, False), SEEN: (6, False)
        }  # fmt: skip
        window = [r.stamp for r in bag.messages([SEEN], T0 + STEP, T0 + 3 * STEP)]
        assert window == [T0 + STEP + 2, T0 + 2 * STEP + 2]


def test_ros1_types_that_ros2_has_changed_or_lacks(tmp_path, made):
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import get_types_from_msg

    store = made.ros1_types()
    store.register(get_types_from_msg("Header header\nfloat32 celsius", "my/msg/Spot"))
    header = store.types["std_msgs/msg/Header"](
        7, store.types["builtin_interfaces/msg/Time"](12, 34), "warm"
    )
    spot = store.types["my/msg/Spot"](header, 36.5)
    roi = store.types["sensor_msgs/msg/RegionOfInterest"](1, 2, 3, 4, True)
    k, r, p = np.arange(9.0), np.arange(9.0), np.arange(12.0)
    info = store.types["sensor_msgs/msg/CameraInfo"](
        header, 480, 640, "plumb_bob", np.arange(5.0), k, r, p, 1, 1, roi
    )
    marker = store.types["std_msgs/msg/Empty"]()
    with Writer(tmp_path / "a.bag") as writer:
        for topic, message in (("/spot", spot), ("/info", info), ("/empty", marker)):
            connection = writer.add_connection(topic, message.__msgtype__, typestore=store)
            writer.write(connection, T0, store.serialize_ros1(message, message.__msgtype__))
    with BagSource(tmp_path / "a.bag") as bag:
        found = {r.topic: bag.deserialize(r.data, r.msgtype) for r in bag}
    assert found["/spot"].celsius == 36.5 and found["/spot"].header.stamp.nanosec == 34
    assert found["/info"].k.tolist() == k.tolist() and found["/info"].width == 640
    assert found["/empty"].__msgtype__ == "std_msgs/msg/Empty"


def test_types_that_only_the_bag_defines(tmp_path):
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    store.register(get_types_from_msg("std_msgs/Header header\nfloat32 celsius", "my/msg/Spot"))
    time = store.types["builtin_interfaces/msg/Time"](12, 34)
    spot = store.types["my/msg/Spot"](store.types["std_msgs/msg/Header"](time, "warm"), 36.5)
    for plugin in StoragePlugin:
        path = tmp_path / plugin.name
        with Writer(path, version=9, storage_plugin=plugin) as writer:
            connection = writer.add_connection("/spot", "my/msg/Spot", typestore=store)
            writer.write(connection, T0, store.serialize_cdr(spot, "my/msg/Spot"))
        with BagSource(path) as bag:
            assert bag.deserialize(next(iter(bag)).data, "my/msg/Spot").celsius == 36.5
            with pytest.raises(BagError, match="my/msg/Other is unknown"):
                bag.deserialize(b"\0\1\0\0", "my/msg/Other")


def numbers(path: Path) -> list[float]:
    with BagSource(path) as bag:
        found = [bag.deserialize(r.data, FLOAT64).data for r in bag]
        assert bag.count == len(found)
        return found


def test_mcap_without_chunks_comes_in_order_of_time(tmp_path, made):
    order = list(range(50))
    random.Random(3).shuffle(order)
    body = b"".join(made.mcap_message(T0 + i, i) for i in order)
    (tmp_path / "a.mcap").write_bytes(made.mcap_head() + body + made.mcap_end())
    assert numbers(tmp_path / "a.mcap") == sorted(order)
    with BagSource(tmp_path / "a.mcap") as bag:
        assert [r.stamp for r in bag.messages(["/x"], T0 + 10, T0 + 12)] == [T0 + 10, T0 + 11]


@pytest.mark.parametrize("compression", ["", "lz4", "zstd"])
def test_mcap_chunks_that_overlap(tmp_path, compression, monkeypatch, made):
    from rosbags.rosbag2.storage_mcap import zstd

    monkeypatch.setattr(mcap_storage, "_KEPT", 100)  # bytes: blocks are read again
    pack = {"": bytes, "lz4": lz4.frame.compress, "zstd": zstd.compress}[compression]
    chunks = b""
    for k in range(3):
        content = b"".join(made.mcap_message(T0 + i, i) for i in range(k, 60, 3))
        chunks += made.mcap_chunk(content, compression, packed=pack(content), crc=crc32(content))
    (tmp_path / "a.mcap").write_bytes(made.mcap_head() + chunks + made.mcap_end())
    assert numbers(tmp_path / "a.mcap") == list(range(60))


def test_other_encodings_than_those_of_ros2_are_named(tmp_path, made):
    head = made.mcap_head().replace(b"\x03\0\0\0cdr", b"\x03\0\0\0cbr")
    (tmp_path / "a.mcap").write_bytes(head + made.mcap_message(T0, 1) + made.mcap_end())
    with BagSource(tmp_path / "a.mcap") as bag, pytest.raises(BagError, match="/x.*'cbr'.*'cdr'"):
        list(bag)


def test_reading_agrees_with_rosbags(tmp_path, made):
    from rosbags.rosbag2 import Reader

    messages = made.few_messages(8, (240, 320))  # several chunks
    for compress in (False, True):
        write_bag(tmp_path / "bag", messages, latched=[NAMES], compress=compress, overwrite=True)
        with Reader(tmp_path / "bag") as reader:
            theirs = [(c.topic, c.msgtype, t, bytes(d)) for c, t, d in reader.messages()]
        assert read(tmp_path / "bag") == theirs == made.serialised(messages)


def test_memory_does_not_grow_with_the_bag(tmp_path, made):
    import tracemalloc

    def many():
        image = made.few_messages(1, (120, 160))[2].msg
        for i in range(600):  # 35 MB
            yield BagMessage(SEEN, IMAGE, T0 + i, image)

    write_bag(tmp_path / "bag", many())
    with BagSource(tmp_path / "bag") as bag:
        tracemalloc.start()
        try:
            assert sum(1 for _ in bag) == 600
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (tmp_path / "bag/bag.mcap").stat().st_size > 30e6
    assert peak < 8e6
