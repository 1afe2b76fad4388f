"""SQLite files of rosbag2, read by `rosbags`.

SQLite itself holds every size that it finds against the size of the file.
"""

from __future__ import annotations

import tempfile
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
        self._link: tempfile.TemporaryDirectory[str] | None = None
        try:
            reader = Reader(self._plain())
            reader.open()
            self._reader = reader
            self.contents = self._contents()
        except Exception as error:  # rosbags and apsw raise many kinds on damaged files
            self.close()
            raise damaged(path, self._journal() or error, _REMEDY) from error

    def _plain(self) -> Path:
        """The path, or a link to it where it has letters that mean something in a URI.

        `rosbags` opens `file:PATH?immutable=1` and does not quote the path.
        """
        if not set("?#%") & set(str(self.path)):
            return self.path
        self._link = tempfile.TemporaryDirectory(prefix="egmt_bag_")
        link = Path(self._link.name, "bag.db3")
        link.symlink_to(self.path.resolve())
        return link

    def _journal(self) -> str | None:
        """What is wrong where SQLite's journal still holds messages."""
        log = self.path.with_name(self.path.name + "-wal")
        if not log.is_file() or not log.stat().st_size:
            return None
        return (
            f"{log.name} holds messages that were not written into {self.path.name}; run "
            f"`sqlite3 {self.path} 'PRAGMA wal_checkpoint(TRUNCATE)'`"
        )

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
        damage = self._journal()
        topics = tuple(tally.topics.values())
        if not count:
            return Contents(topics, damage=damage)
        return Contents(topics, count, start, end, damage)

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        if self._link is not None:
            self._link.cleanup()

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
            raise damaged(self.path, error, _REMEDY, partly=True) from error
        if self.contents.damage and (stop is None or stop > self.contents.end):
            raise damaged(self.path, self.contents.damage, _REMEDY, partly=True)
