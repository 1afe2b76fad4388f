"""Reading bags of ROS 2 and ROS 1, with no ROS needed."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_folder import BagFile, read_folder
from egmt_ros.evaluation.bags.bag_kinds import kind_of
from egmt_ros.evaluation.bags.bag_types import new_typestore, require_rosbags
from egmt_ros.evaluation.bags.bounded import ZSTD_MAGIC, decompress
from egmt_ros.evaluation.bags.compressed_storage import CompressedStorage
from egmt_ros.evaluation.bags.storage import BagRecord, BagTopic, Contents, Storage, merged

__all__ = ["BagRecord", "BagSource", "BagTopic"]


class BagSource:
    """An existing bag, opened for reading; a context manager (or call ``close``).

    A bag that is cut or damaged is read as far as it goes: ``messages`` yields all that can be
    read and only then raises BagError, so that a caller may keep what it has. ``damage`` tells
    before, where it shows when the bag is opened.

    Args:
        path: A rosbag2 folder, or a .mcap or .db3 file of one (compressed too), or a ROS 1 .bag.

    Attributes:
        path: The bag.
        topics: Its topics, by name (BagTopic).
        start, end: Bag times in ns of the first and the last message; 0 in an empty bag.
        duration: end - start, ns.
        count: Messages in all; of a cut bag those that can be read.
        storage: "mcap", "sqlite3" or "ros1".
        damage: What is wrong with the bag; None: nothing as far as is known.

    Raises:
        BagError: The bag is missing, or nothing of it can be read.
    """

    def __init__(self, path: str | Path) -> None:
        require_rosbags()
        self.path = Path(path)
        files, contents = _files(self.path)
        self._files: list[tuple[BagFile, Storage]] = []
        self._unreadable: list[BagError] = []
        self._store: Any = None
        self.storage = ""
        packed = False
        try:
            for file in files:
                packed = self._open(file, contents) or packed
        except BaseException:
            self.close()
            raise
        if not self._files:
            raise self._unreadable[0]
        whole = merged([storage.contents for _, storage in self._files])
        if contents is not None and packed:
            whole = contents
        self.topics = whole.topics
        self.start, self.end, self.count = whole.start, whole.end, whole.count
        self.duration = self.end - self.start
        self.damage = str(self._unreadable[0]) if self._unreadable else whole.damage

    def _open(self, file: BagFile, contents: Contents | None) -> bool:
        """Open a file of the bag, if that can be; returns whether it is compressed as a whole."""
        try:
            name, packed, opener = kind_of(file.path)
            if packed:
                known = contents and Contents()  # metadata.yaml has it of all files together
                storage: Storage = CompressedStorage(file.path, known, opener)
            else:
                storage = opener(file.path)
        except BagError as error:
            self._unreadable.append(error)
            return False
        self.storage = self.storage or name
        self._files.append((file, storage))
        return packed

    def __enter__(self) -> BagSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; harmless when repeated."""
        for _, storage in self._files:
            storage.close()

    def topic(self, name: str, msgtype: str | Collection[str] | None = None) -> BagTopic:
        """The topic ``name``, which must be there and, if given, of (one of) type ``msgtype``.

        Raises:
            BagError: It is not; the message says what there is.
        """
        found = next((t for t in self.topics if t.name == name), None)
        if found is None:
            raise BagError(f"bag {self.path} has no topic {name}. It has: {self.listing()}.")
        wanted = (msgtype,) if isinstance(msgtype, str) else msgtype
        if wanted is not None and found.msgtype not in wanted:
            raise BagError(
                f"topic {name} of bag {self.path} is {found.msgtype}; {' or '.join(wanted)} is "
                f"needed. The bag has: {self.listing()}."
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
        partial: bool = False,
    ) -> Iterator[BagRecord]:
        """Messages in the order of their bag times.

        Args:
            topics: Names; None: all.
            start, stop: Bag times in ns, start included, stop not.
            partial: End quietly where the bag is damaged; ``damage`` then says how.

        Raises:
            BagError: A topic is missing; or, after everything that can be read, the bag is
                damaged.
        """
        for name in topics or ():
            self.topic(name)
        problems = list(self._unreadable)
        for group in self._groups():
            parts = [_noting(s.messages(topics, start, stop), problems) for s in group]
            together = parts[0] if len(parts) == 1 else heapq.merge(*parts, key=_stamp)
            for record in together:
                if record.data.startswith(ZSTD_MAGIC):  # compressed message by message
                    try:
                        record = record._replace(data=decompress(record.data, "zstd"))
                    except ValueError as error:
                        problems.append(BagError(
                            f"a message of topic {record.topic} of bag {self.path} cannot be read "
                            f"({error}); record the bag again."
                        ))  # fmt: skip
                        continue
                yield record
        if problems:
            self.damage = self.damage or str(problems[0])
            if not partial:
                raise problems[0]

    def __iter__(self) -> Iterator[BagRecord]:
        return self.messages()

    def _groups(self) -> list[list[Storage]]:
        """Files in the order of time; those of one group overlap."""
        groups: list[list[Storage]] = []
        last = None
        timed = [(*_times(file, storage), storage) for file, storage in self._files]
        if all(start is not None for start, _, _ in timed):
            timed.sort(key=lambda t: t[0])
        for start, end, storage in timed:
            if groups and last is not None and start is not None and start <= last:
                groups[-1].append(storage)
            else:
                groups.append([storage])
            last = end if last is None or end is None else max(last, end)
        return groups

    def deserialize(self, data: bytes, msgtype: str) -> Any:
        """The message object of CDR bytes; types that only the bag defines work too.

        Raises:
            BagError: The type is unknown or the bytes do not fit it.
        """
        try:
            return self.types().deserialize_cdr(memoryview(data), msgtype)
        except KeyError as error:
            raise BagError(
                f"message type {msgtype} is unknown and bag {self.path} has no definition of it "
                "that can be read."
            ) from error
        except Exception as error:  # rosbags raises many kinds on damaged messages
            raise BagError(
                f"a message of bag {self.path} is not a valid {msgtype} ({error}); "
                "record the bag again."
            ) from error

    def types(self) -> Any:
        """The typestore of this bag: the known types and those that only the bag defines."""
        if self._store is None:
            self._store = new_typestore()
            for name in {topic.msgtype for topic in self.topics}:
                for _, storage in self._files:
                    if name not in self._store.fielddefs:
                        _register(self._store, storage, name)
        return self._store


def _register(store: Any, storage: Storage, msgtype: str) -> None:
    """Add a type that the bag defines, and those that it is made of."""
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    definition = storage.definitions().get(msgtype)
    if definition is None:
        return
    types = {}
    with suppress(Exception):  # of a damaged definition; the type then stays unknown
        if definition.format == "msg":
            types.update(get_types_from_msg(definition.text, msgtype))
        else:
            for part in definition.text.split("=" * 80 + "\n"):  # each with a line "IDL: name"
                text = part.partition("\n")[2] if part.startswith("IDL: ") else part
                if text.strip():
                    types.update(get_types_from_idl(text))
        store.register({k: v for k, v in types.items() if k not in store.fielddefs})


def _times(file: BagFile, storage: Storage) -> tuple[int | None, int | None]:
    if storage.contents.count:
        return storage.contents.start, storage.contents.end
    return file.start, file.end


def _stamp(record: BagRecord) -> int:
    return record.stamp


def _noting(messages: Iterator[BagRecord], problems: list[BagError]) -> Iterator[BagRecord]:
    """Messages up to a damage, which is noted."""
    try:
        yield from messages
    except BagError as error:
        problems.append(error)


def _files(path: Path) -> tuple[tuple[BagFile, ...], Contents | None]:
    if not path.exists():
        raise BagError(
            f"there is no bag at {path}; give a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 "
            ".bag."
        )
    if path.is_dir():
        folder = read_folder(path)
        return folder.files, folder.contents
    return (BagFile(path),), None
