"""Bags for the tests of their reading: of every kind, and MCAP files record by record.

Use the fixture `made` (conftest.py), which is this module.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from egmt_ros.evaluation.bags.bag_types import IMAGE, header_message, image_message, typestore
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag

T0 = 1_700_000_000_000_000_000
STEP = 100_000_000
VOCABULARY = "egmt_msgs/msg/EntityVocabulary"
FLOAT64 = "std_msgs/msg/Float64"
MCAP = b"\x89MCAP0\r\n"

WARM, SEEN, NAMES = "/thermal/image_raw", "/visible/image_raw", "/names"


def few_messages(count: int = 6, size: tuple[int, int] = (24, 32)) -> list[BagMessage]:
    """A latched vocabulary, then pairs of images, one each 0.1 s; none twice the same."""
    names = typestore().types[VOCABULARY](
        header_message(T0, "camera"), "m@1", "MiniLM", "h", ["person", "car"],
        np.array([0.5, 0.25], np.float32),
    )  # fmt: skip
    found = [BagMessage(NAMES, VOCABULARY, T0, names)]
    rng = np.random.default_rng(5)
    for i in range(count):
        stamp = T0 + i * STEP
        warm = rng.integers(0, 255, size, np.uint8)
        seen = rng.integers(0, 255, (*size, 3), np.uint8)
        found.append(BagMessage(WARM, IMAGE, stamp + 1, image_message(warm, stamp, "warm")))
        found.append(BagMessage(SEEN, IMAGE, stamp + 2, image_message(seen, stamp, "seen")))
    return found


def serialised(messages: Iterable[BagMessage]) -> list[tuple[str, str, int, bytes]]:
    """What a reader should give for messages."""
    return [
        (topic, msgtype, stamp, bytes(typestore().serialize_cdr(msg, msgtype)))
        for topic, msgtype, stamp, msg in messages
    ]


def write_compressed(
    path: Path, messages: Iterable[BagMessage], mode: str, storage: str = "mcap"
) -> None:
    """A bag compressed by "message" or as a "file", as `ros2 bag record` does it."""
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[mode.upper()], CompressionFormat.ZSTD)
    topics: dict[str, Any] = {}
    with writer:
        for topic, msgtype, stamp, msg in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, msgtype, typestore=typestore())
            writer.write(topics[topic], stamp, typestore().serialize_cdr(msg, msgtype))


def write_split(
    path: Path, parts: Sequence[Sequence[BagMessage]], storage: str = "mcap"
) -> list[Path]:
    """A bag of several files; returns them."""
    path.mkdir()
    infos, files = [], []
    for i, part in enumerate(parts):
        one = path.parent / f"{path.name}_{i}"
        write_bag(one, part, storage=storage)
        info = yaml.safe_load((one / "metadata.yaml").read_text())
        infos.append(info["rosbag2_bagfile_information"])
        (source,) = (f for f in one.iterdir() if f.name != "metadata.yaml")
        files.append(Path(shutil.move(source, path / source.name)))
    whole = dict(infos[0])
    whole["relative_file_paths"] = [f.name for f in files]
    whole["message_count"] = sum(info["message_count"] for info in infos)
    whole["files"] = [info["files"][0] for info in infos]
    text = yaml.safe_dump({"rosbag2_bagfile_information": whole})
    (path / "metadata.yaml").write_text(text)
    return files


def write_ros1(path: Path, messages: Iterable[BagMessage], compress: str = "") -> None:
    """A bag of ROS 1; names are latched."""
    from rosbags.rosbag1 import Writer

    store = ros1_types()
    writer = Writer(path)
    if compress:
        writer.set_compression(Writer.CompressionFormat[compress.upper()])
    topics: dict[str, Any] = {}
    with writer:
        for topic, msgtype, stamp, msg in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(
                    topic, msgtype, typestore=store, latching=int(topic == NAMES)
                )
            raw = typestore().serialize_cdr(msg, msgtype)
            writer.write(topics[topic], stamp, typestore().cdr_to_ros1(raw, msgtype))


def ros1_types() -> Any:
    """The messages of ROS 1 and egmt_msgs."""
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    store.register({VOCABULARY: typestore().fielddefs[VOCABULARY]})
    return store


def text(content: str) -> bytes:
    """A string of the MCAP format."""
    return struct.pack("<I", len(content)) + content.encode()


def record(kind: int, content: bytes, size: int | None = None) -> bytes:
    """A record of the MCAP format; ``size``: a length that it lies."""
    return struct.pack("<BQ", kind, len(content) if size is None else size) + content


def mcap_head() -> bytes:
    """The beginning of a file with one type and one topic (/x, Float64), channel 1."""
    schema = struct.pack("<H", 1) + text(FLOAT64) + text("ros2msg") + text("float64 data")
    channel = struct.pack("<HH", 1, 1) + text("/x") + text("cdr") + struct.pack("<I", 0)
    return MCAP + record(1, text("ros2") + text("test")) + record(3, schema) + record(4, channel)


def mcap_message(stamp: int, value: float, size: int | None = None) -> bytes:
    """A message of channel 1."""
    data = b"\0\1\0\0" + struct.pack("<d", value)
    return record(5, struct.pack("<HIQQ", 1, 0, stamp, stamp) + data, size)


def mcap_chunk(
    content: bytes, compression: str = "", size: int | None = None, length: int | None = None,
    packed: bytes | None = None, crc: int = 0,
) -> bytes:  # fmt: skip
    """A chunk; ``size`` and ``length`` are what it announces, ``packed`` what it holds."""
    packed = content if packed is None else packed
    head = struct.pack("<QQQI", T0, T0 + 10**9, len(content) if size is None else size, crc)
    head += text(compression)
    head += struct.pack("<Q", len(packed) if length is None else length)
    return record(6, head + packed)


def mcap_end() -> bytes:
    """The end of a file without a summary."""
    return record(15, bytes(4)) + record(2, bytes(20)) + MCAP


def varint(number: int) -> bytes:
    """A number as SQLite's files have it: 7 bits a byte, all but the last marked."""
    found = [number & 0x7F]
    while number := number >> 7:
        found.append(0x80 | number & 0x7F)
    return bytes(reversed(found))
