"""Reading rosbag2 folders, with no ROS needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_types import new_typestore, require_rosbags


class BagRecord(NamedTuple):
    """A message as it was read: topic, type, bag time (ns), CDR bytes."""

    topic: str
    msgtype: str
    stamp: int
    data: bytes


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag.

    Attributes:
        latched: Recorded as transient local.
        best_effort: Its publishers are.
        qos: QoS (rosbags.interfaces.Qos) of each publisher; empty where the bag does not say.
    """

    name: str
    msgtype: str
    count: int
    latched: bool = False
    best_effort: bool = False
    qos: tuple[Any, ...] = ()


class BagSource:
    """An existing bag, opened for reading; a context manager (or call ``close``).

    Args:
        path: A rosbag2 folder, or its .mcap or .db3 file.

    Attributes:
        path: The bag.
        topics: Its topics, by name (BagTopic).
        start, end: Bag times in ns of the first and the last message; 0 in an empty bag.
        duration: end - start, ns.
        count: Messages in all.
        storage: "mcap" or "sqlite3".

    Raises:
        BagError: The bag is missing, incomplete or damaged.
    """

    def __init__(self, path: str | Path) -> None:
        require_rosbags()
        from rosbags.rosbag2 import Reader

        self.path = Path(path)
        _check_exists(self.path)
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except Exception as error:  # rosbags raises many kinds on damaged files
            raise _damaged(self.path, error) from error
        self._store: Any = None
        self.topics = tuple(sorted(_topics(self._reader.connections), key=lambda t: t.name))
        self.count = self._reader.message_count
        self.start = self._reader.start_time if self.count else 0
        self.end = self._reader.end_time - 1 if self.count else 0
        self.duration = self.end - self.start
        single = self.path.suffix if self.path.is_file() else ""
        self.storage = "sqlite3" if single == ".db3" or _has(self.path, "*.db3*") else "mcap"

    def __enter__(self) -> BagSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; harmless when repeated."""
        if self._reader.is_open:
            self._reader.close()

    def topic(self, name: str, msgtype: str | None = None) -> BagTopic:
        """The topic ``name``, which must be there and, if given, of type ``msgtype``.

        Raises:
            BagError: It is not; the message says what there is.
        """
        found = next((t for t in self.topics if t.name == name), None)
        if found is None:
            raise BagError(f"bag {self.path} has no topic {name}. It has: {self.listing()}.")
        if msgtype is not None and found.msgtype != msgtype:
            raise BagError(
                f"topic {name} of bag {self.path} is {found.msgtype}; {msgtype} is needed. "
                f"The bag has: {self.listing()}."
            )
        return found

    def listing(self) -> str:
        """All topics with type and count, in one line."""
        return ", ".join(f"{t.name} ({t.msgtype}, {t.count})" for t in self.topics) or "no topic"

    def messages(
        self,
        topics: Collection[str] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[BagRecord]:
        """Messages in the order of their bag times.

        Args:
            topics: Names; None: all.
            start, stop: Bag times in ns, start included, stop not.

        Raises:
            BagError: A topic is missing, or the file is damaged on the way.
        """
        for name in topics or ():
            self.topic(name)
        chosen = [
            c for c in self._reader.connections if topics is None or c.topic in topics
        ]
        if not chosen:
            return
        try:
            for connection, stamp, data in self._reader.messages(chosen, start, stop):
                yield BagRecord(connection.topic, connection.msgtype, stamp, data)
        except GeneratorExit:
            raise
        except Exception as error:
            raise _damaged(self.path, error) from error

    def __iter__(self) -> Iterator[BagRecord]:
        return self.messages()

    def deserialize(self, data: bytes, msgtype: str) -> Any:
        """The message object of CDR bytes; types that only the bag defines work too.

        Raises:
            BagError: The type is unknown or the bytes do not fit it.
        """
        store = self.types()
        try:
            return store.deserialize_cdr(data, msgtype)
        except KeyError as error:
            raise BagError(
                f"message type {msgtype} is unknown and bag {self.path} has no definition of it."
            ) from error
        except Exception as error:
            raise BagError(
                f"a message of bag {self.path} is not a valid {msgtype} ({error}); "
                "record the bag again."
            ) from error

    def types(self) -> Any:
        """The typestore of this bag: the known types and those that only the bag defines."""
        if self._store is None:
            from rosbags.interfaces import MessageDefinitionFormat
            from rosbags.typesys import get_types_from_msg

            store = new_typestore()
            for c in self._reader.connections:
                unknown = c.msgtype not in store.fielddefs
                if unknown and c.msgdef.format == MessageDefinitionFormat.MSG:
                    found = get_types_from_msg(c.msgdef.data, c.msgtype)
                    store.register({k: v for k, v in found.items() if k not in store.fielddefs})
            self._store = store
        return self._store


def _topics(connections: Iterable[Any]) -> list[BagTopic]:
    from rosbags.interfaces import QosDurability, QosReliability

    merged: dict[str, BagTopic] = {}
    for c in connections:
        qos = c.ext.offered_qos_profiles
        before = merged.get(c.topic)
        every = (*before.qos, *qos) if before else tuple(qos)
        merged[c.topic] = BagTopic(
            name=c.topic,
            msgtype=c.msgtype,
            count=c.msgcount + (before.count if before else 0),
            latched=any(q.durability == QosDurability.TRANSIENT_LOCAL for q in qos)
            or bool(before and before.latched),
            best_effort=bool(qos)
            and all(q.reliability == QosReliability.BEST_EFFORT for q in qos),
            qos=every,
        )
    return list(merged.values())


def _has(path: Path, pattern: str) -> bool:
    return path.is_dir() and any(path.glob(pattern))


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise BagError(f"there is no bag at {path}; give a rosbag2 folder (or a .mcap file).")
    if path.is_file():
        if path.suffix not in (".mcap", ".db3"):
            raise BagError(
                f"{path} is not a bag; give a rosbag2 folder, or a .mcap or .db3 file."
            )
        return
    if not (path / "metadata.yaml").is_file():
        inside = sorted(p.name for p in (*path.glob("*.mcap"), *path.glob("*.db3")))
        remedy = (
            f"run `ros2 bag reindex {path}`, or give the file itself: {path / inside[0]}"
            if inside
            else "give a rosbag2 folder"
        )
        raise BagError(f"bag {path} has no metadata.yaml; {remedy}.")


def _damaged(path: Path, error: Exception) -> BagError:
    return BagError(
        f"bag {path} cannot be read: {str(error).rstrip('.') or type(error).__name__}. It is "
        "incomplete or damaged (was its recording interrupted?); run `ros2 bag reindex` or "
        "`mcap recover` on it, or record it again."
    )
