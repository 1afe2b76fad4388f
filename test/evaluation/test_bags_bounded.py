"""Bags that lie about their sizes cost neither memory nor time, and no damage another error."""

from __future__ import annotations

import resource
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags import bounded
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message, typestore
from egmt_ros.evaluation.bags.bag_writer import BagWriter, write_bag

T0 = 1_700_000_000_000_000_000  # as in bag_files.py


def gigabytes(made, tmp_path: Path) -> dict[str, Path]:
    """Files whose headers announce gigabytes."""
    head, end, message = made.mcap_head(), made.mcap_end(), made.mcap_message(T0, 1)
    huge = 3 << 30
    zstd = b"\x28\xb5\x2f\xfd" + bytes([0b11100000]) + struct.pack("<Q", huge) + b"\1\0\0"
    files = {
        "message.mcap": head + message + made.mcap_message(T0 + 1, 2, size=huge) + end,
        "endless.mcap": head + message + made.mcap_message(T0 + 1, 2, size=2**64 - 1) + end,
        "chunk.mcap": head + message + made.mcap_chunk(message, size=huge) + end,
        "length.mcap": head + message + made.mcap_chunk(message, length=huge) + end,
        "packed.mcap": head + message + made.mcap_chunk(message, "zstd", packed=zstd) + end,
        "schema.mcap": head + message + made.record(3, b"\2\0" + struct.pack("<I", huge)) + end,
        "index.mcap": head + message + made.mcap_chunk(message)
        + made.record(7, struct.pack("<HI", 1, 2**32 - 1)) + end,
        "summary.mcap": head + message + made.record(15, bytes(4)) + made.record(
            2, struct.pack("<QQI", 8, 0, 0)) + made.MCAP,
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    made.write_ros1(tmp_path / "head.bag", made.few_messages())
    data = (tmp_path / "head.bag").read_bytes()
    at = data.index(b"\n") + 1
    (tmp_path / "head.bag").write_bytes(data[:at] + b"\xff\xff\xff\xf0" + data[at + 4 :])
    at = data.index(b"compression=none") + 16
    cut = data[: at + 4].rfind(b"op=\x05") + 4
    at = max(cut, data.index(b"size=") + 9)
    (tmp_path / "chunk.bag").write_bytes(data[:at] + b"\xff\xff\xff\xf0" + data[at + 4 :])
    return {path.name: path for path in tmp_path.iterdir()}


def test_announced_gigabytes_are_not_reserved(tmp_path, made):
    for name, path in gigabytes(made, tmp_path).items():
        tracemalloc.start()
        try:
            with BagSource(path) as bag:
                assert [r.stamp for r in bag.messages(partial=True)][:1] == [T0]
                assert bag.damage or name in ("summary.mcap", "index.mcap")
        except BagError as error:
            assert name.endswith(".bag"), error
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 16e6, name


def test_a_row_of_sqlite_that_announces_gigabytes(tmp_path, made):
    messages = made.few_messages(2, (120, 160))
    write_bag(tmp_path / "bag", messages, storage="sqlite3")
    file = tmp_path / "bag/bag.db3"
    data = bytearray(file.read_bytes())
    length = len(made.serialised(messages)[2][3])  # third row, an image
    heads = [(made.varint(length + more) + b"\3") for more in range(4, 40)]
    (place,) = {data.find(head) for head in heads} - {-1}
    data[place : place + 5] = made.varint(0xFFFFFFFF)
    file.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BagError, match="malformed"), BagSource(file) as bag:
        list(bag)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_a_file_that_holds_gigabytes_is_refused(monkeypatch):
    from rosbags.rosbag2.storage_mcap import zstd

    packed = zstd.compress(bytes(50_000_000))  # some kilobytes
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than the 1000000 bytes"):
            bounded.decompress(packed, "zstd", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


def test_sequences_longer_than_their_message(tmp_path):
    image = image_message(np.zeros((4, 4), np.uint8), T0, "camera")
    raw = bytearray(typestore().serialize_cdr(image, IMAGE))
    raw[-20:-16] = struct.pack("<I", 3 << 30)  # length of the field `data`
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/a", IMAGE)
        writer.write_raw("/a", T0, bytes(raw))
    with BagSource(tmp_path / "bag") as bag:
        record = next(iter(bag))
        tracemalloc.start()
        try:
            with pytest.raises(BagError, match=f"not a valid {IMAGE}"):
                bag.deserialize(record.data, IMAGE)
            assert tracemalloc.get_traced_memory()[1] < 1e6
        finally:
            tracemalloc.stop()


class SmallBags(dict[str, tuple[Path, bytes]]):
    """Name -> where to put it, and its bytes."""

    def __repr__(self) -> str:  # hypothesis shows it
        return "small bags"


@pytest.fixture(scope="module")
def small_bags(tmp_path_factory, made) -> SmallBags:
    folder = tmp_path_factory.mktemp("small")
    messages = made.few_messages(3, (4, 5))
    for name, compress, storage in (
        ("plain", False, "mcap"), ("zstd", True, "mcap"), ("lite", False, "sqlite3")
    ):  # fmt: skip
        write_bag(folder / name, messages, compress=compress, storage=storage)
    made.write_compressed(folder / "file", messages, "file")
    made.write_ros1(folder / "one.bag", messages, "lz4")
    chunk = b"".join(made.mcap_message(T0 + i, i) for i in range(5))
    (folder / "bare.mcap").write_bytes(
        made.mcap_head() + chunk + made.mcap_chunk(chunk) + made.mcap_end()
    )
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "metadata.yaml"]
    return SmallBags({
        path.name: (folder / f"changed{''.join(path.suffixes)}", path.read_bytes())
        for path in files
    })  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_damage_gives_messages_or_a_bag_error(small_bags, data):
    path, content = small_bags[data.draw(st.sampled_from(sorted(small_bags)))]
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed) - 1))
        what = data.draw(st.sampled_from(["flip", "set", "word", "cut", "drop"]))
        if what == "flip":
            changed[at] ^= 1 << data.draw(st.integers(0, 7))
        elif what == "set":
            changed[at] = data.draw(st.sampled_from([0, 0x7F, 0xFF]))
        elif what == "word":
            changed[at : at + 8] = data.draw(
                st.sampled_from([bytes(8), b"\xff" * 8, struct.pack("<Q", 1 << 40)])
            )
        elif what == "cut":
            del changed[max(at, 1) :]
        else:
            del changed[at : at + data.draw(st.integers(1, 64))]
            changed = changed or bytearray(1)
    path.write_bytes(changed)
    tracemalloc.start()
    try:
        with BagSource(path) as bag:
            for record in bag:
                try:
                    bag.deserialize(record.data, record.msgtype)
                except BagError:
                    continue
    except BagError as error:
        assert str(path) in str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64e6
