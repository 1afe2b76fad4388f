"""Bags of ROS 1, read by `rosbags`; their messages come as CDR of the ROS 2 type."""

from __future__ import annotations

import bz2
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from egmt_ros.evaluation.bags.bag_types import new_typestore
from egmt_ros.evaluation.bags.bounded import BoundedPath, decompress
from egmt_ros.evaluation.bags.storage import (
    BagRecord,
    BagTopic,
    Contents,
    Definition,
    TopicTally,
    damaged,
)

_REMEDY = "run `rosbag reindex` (ROS 1) on it"
_RENAMED = {"tf/msg/tfMessage": "tf2_msgs/msg/TFMessage"}
_HEADER = "std_msgs/msg/Header"

Converter = Callable[[bytes], memoryview]


class Ros1Storage:
    """A .bag file; see `storage.Storage`.

    Raises:
        BagError: It is no bag, not indexed, or damaged.
    """

    def __init__(self, path: Path) -> None:
        from rosbags.rosbag1 import Reader

        self.path = path
        self._reader: Any = None
        self._converters: dict[str, Converter] = {}
        try:
            reader = Reader(BoundedPath(path))
            reader.open()
            self._reader = reader
            self._bound_chunks()
            self.contents = self._contents()
            self._from = self._types_of_ros1()
            self._to = new_typestore()
        except Exception as error:  # rosbags raises many kinds on damaged files
            self.close()
            raise damaged(path, error, _REMEDY) from error

    def _bound_chunks(self) -> None:
        """`rosbags` would let a chunk grow as far as its compressed data say."""
        from lz4.frame import decompress as lz4_decompress

        known = {bz2.decompress: "bz2", lz4_decompress: "lz4"}
        for place, chunk in self._reader.chunks.items():
            if name := known.get(chunk.decompressor):
                bounded = partial(decompress, compression=name)
                self._reader.chunks[place] = chunk._replace(decompressor=bounded)

    def _contents(self) -> Contents:
        tally = TopicTally()
        for c in self._reader.connections:
            name = _RENAMED.get(c.msgtype, c.msgtype)
            tally.add(BagTopic(c.topic, name, c.msgcount, latched=bool(c.ext.latching)))
        topics = tuple(tally.topics.values())
        count = sum(topic.count for topic in topics)
        if not count:
            return Contents(topics)
        return Contents(topics, count, self._reader.start_time, self._reader.end_time - 1)

    def _types_of_ros1(self) -> Any:
        from rosbags.typesys import Stores, get_types_from_msg, get_typestore

        types: dict[str, Any] = {}
        for c in self._reader.connections:
            types.update(get_types_from_msg(c.msgdef.data, c.msgtype))
        store = get_typestore(Stores.EMPTY)
        store.register(types)
        return store

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def definitions(self) -> dict[str, Definition]:
        """Message types that the file defines, by name, as ROS 2 would define them."""
        found = {}
        for name in {c.msgtype for c in self._reader.connections}:
            if name not in _RENAMED:
                text, _ = self._from.generate_msgdef(name, ros_version=2)
                found[name] = Definition("msg", text)
        return found

    def messages(
        self, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> Iterator[BagRecord]:
        """Messages in the order of bag time.

        Raises:
            BagError: The file is damaged.
        """
        chosen = [c for c in self._reader.connections if topics is None or c.topic in topics]
        if not chosen:
            return
        try:
            for connection, stamp, data in self._reader.messages(chosen, start, stop):
                name = _RENAMED.get(connection.msgtype, connection.msgtype)
                yield BagRecord(
                    connection.topic, name, stamp, bytes(self._converter(connection.msgtype)(data))
                )
        except Exception as error:
            raise damaged(self.path, error, _REMEDY, partly=True) from error

    def _converter(self, msgtype: str) -> Converter:
        """What makes CDR of the ROS 2 type out of a message as ROS 1 serialises it."""
        if msgtype not in self._converters:
            self._converters[msgtype] = self._new_converter(msgtype)
        return self._converters[msgtype]

    def _new_converter(self, msgtype: str) -> Converter:
        from rosbags.convert.converter import is_same_wireformat, migrate_bytes
        from rosbags.typesys import get_types_from_msg

        name = _RENAMED.get(msgtype, msgtype)
        if name not in self._to.fielddefs:
            text, _ = self._from.generate_msgdef(msgtype, ros_version=2)
            new = get_types_from_msg(text, name)
            self._to.register({k: v for k, v in new.items() if k not in self._to.fielddefs})
        if is_same_wireformat(self._from, self._to, msgtype, name):
            return partial(self._to.ros1_to_cdr, typename=name)
        return partial(
            migrate_bytes, self._from, self._to, msgtype, name, {}, src_is2=False, dst_is2=True
        )
