"""SQLite files of rosbag2, read by `rosbags`.

SQLite itself holds every size that it finds against the size of the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.storage import (
    CDR,
    BagRecord,
    Contents,
    Definition,
    TopicTally,
    damaged,
    topic_with_qos,
)

_REMEDY = "run `sqlite3 FILE .recover` and `ros2 bag reindex` on it"


class SqliteStorage:
    """A .db3 file; see `storage.Storage`.

    Raises:
        BagError: It is no bag, or damaged.
    """

    def __init__(self, path: Path) -> None:
        from rosbags.rosbag2 import Reader

        self.path = path
        self._reader: Any = None
        try:
            reader = Reader(path)
            reader.open()
            self._reader = reader
            self.contents = self._contents()
        except BagError:
            self.close()
            raise
        except Exception as error:  # rosbags and apsw raise many kinds on damaged files
            self.close()
            raise damaged(path, error, _REMEDY) from error

    def _contents(self) -> Contents:
        tally = TopicTally()
        for c in self._reader.connections:
            if not (isinstance(c.topic, str) and isinstance(c.msgtype, str)):
                raise ValueError("the table of topics is damaged")
            tally.add(
                topic_with_qos(c.topic, c.msgtype, c.msgcount, c.ext.offered_qos_profiles)
            )
        count = self._reader.message_count
        start, end = self._reader.start_time, self._reader.end_time - 1
        if count and not (isinstance(start, int) and isinstance(end, int)):
            raise ValueError("the times of its messages are damaged")
        log = self.path.with_name(self.path.name + "-wal")
        damage = None
        if log.is_file() and log.stat().st_size:
            damage = (
                f"{log.name} holds messages that were not written into {self.path.name}; run "
                f"`sqlite3 {self.path} 'PRAGMA wal_checkpoint(TRUNCATE)'`"
            )
        topics = tuple(tally.topics.values())
        if not count:
            return Contents(topics, damage=damage)
        return Contents(topics, count, start, end, damage)

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def definitions(self) -> dict[str, Definition]:
        """Message types that the file defines, by name."""
        return {
            c.msgtype: Definition(c.msgdef.format.name.lower(), c.msgdef.data)
            for c in self._reader.connections
            if c.msgdef.data
        }

    def messages(
        self, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> Iterator[BagRecord]:
        """Messages in the order of bag time.

        Raises:
            BagError: The file is damaged.
        """
        chosen = [c for c in self._reader.connections if topics is None or c.topic in topics]
        foreign = [c for c in chosen if c.ext.serialization_format != CDR and c.msgcount]
        if foreign:
            raise BagError(
                f"topic {foreign[0].topic} of bag {self.path} is encoded as "
                f"{foreign[0].ext.serialization_format!r}; {CDR!r}, the encoding of ROS 2, is "
                "needed. Choose other topics."
            )
        if not chosen:
            return
        try:
            for connection, stamp, data in self._reader.messages(chosen, start, stop):
                if not (isinstance(data, bytes) and isinstance(stamp, int)):
                    raise ValueError("the table of messages is damaged")
                yield BagRecord(connection.topic, connection.msgtype, stamp, data)
        except Exception as error:
            raise damaged(self.path, error, _REMEDY) from error
        if self.contents.damage and (stop is None or stop > self.contents.end):
            raise damaged(self.path, self.contents.damage, _REMEDY)
