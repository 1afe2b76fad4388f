"""Writing rosbag2 folders, with no ROS needed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_types import qos_profile, require_rosbags, typestore
from egmt_ros.evaluation.bags.whole_folder import whole_folder


class BagMessage(NamedTuple):
    """A message to be written: topic, type, bag time (ns), and the message or its CDR bytes."""

    topic: str
    msgtype: str
    stamp: int
    msg: Any


class BagWriter:
    """A bag that is being written, one chunk (about 1 MB) in memory; a context manager.

    Leaving it normally finishes the bag; leaving it by an exception removes the folder.

    Args:
        path: Folder to make.
        storage: "mcap" or "sqlite3".
        compress: zstd compression of the chunks (mcap only).
        overwrite: Replace an existing bag; anything else that is there is kept.
        called: What errors call the folder; None: `path`.

    Raises:
        BagError: The folder exists, or cannot be made.
    """

    def __init__(
        self,
        path: str | Path,
        storage: str = "mcap",
        compress: bool = False,
        overwrite: bool = False,
        called: Path | None = None,
    ) -> None:
        require_rosbags()
        from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

        self.path = Path(path)
        self._called = called or self.path
        plugins = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
        if storage not in plugins:
            raise BagError(f"storage {storage!r} is unknown; give one of {', '.join(plugins)}.")
        _check_free(self.path, overwrite)
        if self.path.exists():
            shutil.rmtree(self.path)
        self._writer = Writer(self.path, version=9, storage_plugin=plugins[storage])
        if compress and storage == "mcap":
            self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}
        self._store = typestore()

    def __enter__(self) -> BagWriter:
        try:
            self._writer.open()
        except OSError as error:
            raise BagError(
                f"the bag {self._called} cannot be made: {error}. Give a folder that may be "
                "written."
            ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                with self._told():
                    self._writer.close()
                return
            except BagError:
                self._remove()
                raise
        self._remove()

    def _remove(self) -> None:
        with suppress(OSError, sqlite3.Error):  # it may try to write what found no room
            self._writer.abort()
        shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise BagError(
                f"the bag {self._called} cannot be written: {error}. See whether the disk is full."
            ) from error

    def add_topic(
        self,
        topic: str,
        msgtype: str,
        latched: bool = False,
        best_effort: bool = False,
        qos: Sequence[Any] = (),
        types: Any = None,
    ) -> None:
        """Declare a topic.

        Args:
            topic: Name.
            msgtype: Type.
            latched: Its QoS is kept as transient local, depth 1.
            best_effort: Its QoS is kept as best effort.
            qos: QoS of its publishers in place of these two; see BagTopic.
            types: Typestore that defines its type; None: the standard messages and egmt_msgs.

        Raises:
            BagError: The type is unknown, or the topic already has another one.
        """
        store = self._store if types is None else types
        known = self._connections.get(topic)
        if known is not None:
            if known.msgtype != msgtype:
                raise BagError(
                    f"topic {topic} is {known.msgtype} in {self._called}; it cannot take {msgtype} "
                    "too. Use one topic for each type."
                )
            return
        if msgtype not in store.fielddefs:
            raise BagError(
                f"message type {msgtype!r} of topic {topic} is unknown; known are the standard "
                "messages of ROS 2 and egmt_msgs."
            )
        self._connections[topic] = self._writer.add_connection(
            topic,
            msgtype,
            typestore=store,
            offered_qos_profiles=list(qos) or [qos_profile(latched, best_effort)],
        )

    def write(self, topic: str, stamp: int, msg: Any) -> None:
        """Write a message object of the topic's type at bag time ``stamp`` (ns)."""
        connection = self._connection(topic)
        data = self._store.serialize_cdr(msg, connection.msgtype)
        with self._told():
            self._writer.write(connection, int(stamp), data)

    def write_raw(self, topic: str, stamp: int, data: bytes | memoryview) -> None:
        """Write a serialised (CDR) message at bag time ``stamp`` (ns)."""
        connection = self._connection(topic)
        with self._told():
            self._writer.write(connection, int(stamp), data)

    def _connection(self, topic: str) -> Any:
        if topic not in self._connections:
            raise BagError(f"topic {topic} was not declared with add_topic; do that first.")
        return self._connections[topic]


@contextmanager
def whole_bag(
    path: str | Path, storage: str = "mcap", compress: bool = False, overwrite: bool = False
) -> Iterator[BagWriter]:
    """A bag that is at its place whole or not at all; a context manager.

    See whole_folder: a bag that it replaces is kept until it is whole.

    Args:
        path, storage, compress, overwrite: See BagWriter.

    Raises:
        BagError: As BagWriter; before anything is written where it can be known.
    """
    path = Path(path)
    # The files in a bag are named after its folder, which has its final name at once.
    with (
        whole_folder(path, "bag", BagError, lambda: _check_free(path, overwrite)) as place,
        BagWriter(place, storage, compress, called=path) as writer,
    ):
        yield writer


def write_bag(
    path: str | Path,
    messages: Iterable[BagMessage],
    *,
    latched: Collection[str] = (),
    best_effort: Collection[str] = (),
    topics: Mapping[str, str] | None = None,
    storage: str = "mcap",
    compress: bool = False,
    overwrite: bool = False,
) -> dict[str, int]:
    """Write messages to a new bag as they come, in bounded memory; see whole_bag.

    Args:
        path: Folder to make.
        messages: In the order of their bag times.
        latched: Topics whose QoS is transient local.
        best_effort: Topics whose QoS is best effort.
        topics: topic -> type of topics that are declared even if no message comes.
        storage, compress, overwrite: See BagWriter.

    Returns:
        topic -> number of messages.

    Raises:
        BagError: The folder exists, a type is unknown, or a topic has two types.
    """
    counts = dict.fromkeys(topics or (), 0)
    with whole_bag(path, storage, compress, overwrite) as writer:

        def declare(topic: str, msgtype: str) -> None:
            writer.add_topic(
                topic, msgtype, latched=topic in latched, best_effort=topic in best_effort
            )

        for topic, msgtype in (topics or {}).items():
            declare(topic, msgtype)
        for topic, msgtype, stamp, msg in messages:
            declare(topic, msgtype)
            if isinstance(msg, (bytes, bytearray, memoryview)):
                writer.write_raw(topic, stamp, msg)
            else:
                writer.write(topic, stamp, msg)
            counts[topic] = counts.get(topic, 0) + 1
    return counts


def _check_free(path: Path, overwrite: bool) -> None:
    """Raises BagError where there is something that is not to be replaced."""
    is_bag = (path / "metadata.yaml").is_file()
    if not path.exists():
        return
    if overwrite and path.is_dir() and (is_bag or not any(path.iterdir())):
        return
    kind = "a bag" if is_bag else "not a bag"
    raise BagError(
        f"{path} exists already and is {kind}; give another name, or remove it first."
    )
