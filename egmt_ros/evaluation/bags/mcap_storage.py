"""MCAP files of rosbag2.

`rosbags` reads only whole MCAP files and believes the sizes in them, so this reader is our own:
bounded, and content with a file whose recording was interrupted.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Collection, Iterator
from pathlib import Path
from struct import error as StructError

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bounded import BoundedFile
from egmt_ros.evaluation.bags.mcap_index import Index, read_index
from egmt_ros.evaluation.bags.mcap_records import (
    MESSAGE,
    MESSAGE_HEAD,
    Block,
    parse_message,
    read_block,
    records,
)
from egmt_ros.evaluation.bags.storage import (
    CDR,
    BagRecord,
    Contents,
    Definition,
    TopicTally,
    damaged,
    parsed_qos,
    topic_with_qos,
)

_REMEDY = "run `mcap recover` on it"
_KEPT = 64 * 2**20  # bytes of blocks in memory; more than one is needed where they overlap in time
_FORMATS = {"ros2msg": "msg", "ros2idl": "idl", "omgidl": "idl"}


class McapStorage:
    """An MCAP file; see `storage.Storage`.

    Raises:
        BagError: It is no MCAP file, or nothing of it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with BoundedFile(path) as file:
                self._index = read_index(file)
        except (ValueError, StructError, OSError) as error:
            raise damaged(path, error, _REMEDY) from error
        self.contents = self._contents(self._index)
        if self.contents.damage and not self.contents.count:
            raise damaged(path, f"no message is whole; {self.contents.damage}", _REMEDY)

    def _contents(self, index: Index) -> Contents:
        tally = TopicTally()
        for number, channel in index.channels.items():
            schema = index.schemas.get(channel.schema)
            tally.add(
                topic_with_qos(
                    channel.topic,
                    schema.name if schema else "",
                    index.counts[number],
                    parsed_qos(channel.metadata.get("offered_qos_profiles", "")),
                )
            )
        topics = tuple(tally.topics.values())
        count = sum(topic.count for topic in topics)
        damage = f"{self.path.name}: {index.damage}" if index.damage else None
        if not count:
            return Contents(topics, damage=damage)
        return Contents(topics, count, index.start, index.end, damage)

    def close(self) -> None:
        """Nothing is open between two calls."""

    def definitions(self) -> dict[str, Definition]:
        """Message types that the file defines, by name."""
        return {
            schema.name: Definition(_FORMATS[schema.encoding], schema.text)
            for schema in self._index.schemas.values()
            if schema.encoding in _FORMATS
        }

    def messages(
        self, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> Iterator[BagRecord]:
        """Messages in the order of bag time.

        Raises:
            BagError: A part cannot be read; all that can is yielded before.
        """
        chosen = self._chosen(topics)
        first = -1 if start is None else start
        last = 2**64 if stop is None else stop - 1
        once = {block.offset: block for block in self._index.blocks}  # also in a damaged index
        blocks = sorted(
            (b for b in once.values() if b.start <= last and b.end >= first
             and (b.channels is None or b.channels & chosen.keys())),
            key=lambda b: (b.start, b.offset),
        )  # fmt: skip
        try:
            file = BoundedFile(self.path)
        except OSError as error:
            raise damaged(self.path, error, _REMEDY) from error
        with file:
            reader = _Blocks(file, chosen, first, last)
            for channel, stamp, data in reader.sweep(blocks):
                topic, msgtype = chosen[channel]
                yield BagRecord(topic, msgtype, stamp, data)
        # A window that ends before the file is cut lacks nothing.
        cut = self._index.damage if last >= self._index.end else None
        if problem := reader.problem or cut:
            raise damaged(self.path, problem, _REMEDY, partly=True)

    def _chosen(self, topics: Collection[str] | None) -> dict[int, tuple[str, str]]:
        chosen = {}
        for number, channel in self._index.channels.items():
            if topics is not None and channel.topic not in topics:
                continue
            schema = self._index.schemas.get(channel.schema)
            if channel.encoding != CDR and self._index.counts[number]:
                raise BagError(
                    f"topic {channel.topic} of bag {self.path} is encoded as "
                    f"{channel.encoding!r}; {CDR!r}, the encoding of ROS 2, is needed. Choose "
                    "other topics."
                )
            chosen[number] = (channel.topic, schema.name if schema else "")
        return chosen


class _Blocks:
    """Reads messages out of blocks that may overlap in time, few blocks in memory.

    Attributes:
        problem: Of the first block that cannot be read; the others are read all the same.
    """

    def __init__(
        self, file: BoundedFile, channels: Collection[int], first: int, last: int
    ) -> None:
        self._file = file
        self._channels = channels
        self._first = first
        self._last = last
        self._kept: OrderedDict[int, bytes] = OrderedDict()  # by offset of the block
        self._left: dict[int, int] = {}  # offset of a block -> messages that wait
        self.problem: str | None = None

    def sweep(self, blocks: list[Block]) -> Iterator[tuple[int, int, bytes]]:
        """Channel, bag time (ns) and data of the messages; ``blocks`` in the order of start."""
        waiting: list[tuple[int, int, int, int, int, Block]] = []
        for block in [*blocks, None]:
            while waiting and (block is None or waiting[0][0] < block.start):
                stamp, _, position, size, channel, source = heapq.heappop(waiting)
                try:
                    content = self._content(source)
                except (ValueError, StructError, OSError) as error:  # changed while it was read
                    self.problem = self.problem or str(error)
                    continue
                self._used(source)
                yield channel, stamp, content[position : position + size]
            if block is not None:
                for place in self._places(block):
                    heapq.heappush(waiting, place)

    def _places(self, block: Block) -> list[tuple[int, int, int, int, int, Block]]:
        """Stamp, offset of the block, position, size, channel and block of each wanted message."""
        places = []
        try:
            content = self._content(block)
            for record in records(content, whole=not block.cut):
                if record.kind != MESSAGE:
                    continue
                channel, stamp = parse_message(content, record)
                if channel in self._channels and self._first <= stamp <= self._last:
                    places.append((
                        stamp, block.offset, record.start + MESSAGE_HEAD,
                        record.size - MESSAGE_HEAD, channel, block,
                    ))  # fmt: skip
        except (ValueError, StructError, OSError) as error:
            self.problem = self.problem or str(error)
        self._left[block.offset] = len(places) + 1
        self._used(block)
        return places

    def _used(self, block: Block) -> None:
        """Forget a block none of whose messages waits any more."""
        self._left[block.offset] -= 1
        if not self._left[block.offset]:
            del self._left[block.offset]
            self._kept.pop(block.offset, None)

    def _content(self, block: Block) -> bytes:
        kept = self._kept
        if block.offset in kept:
            kept.move_to_end(block.offset)
            return kept[block.offset]
        content = kept[block.offset] = read_block(self._file, block)
        while len(kept) > 1 and sum(map(len, kept.values())) > _KEPT:
            kept.popitem(last=False)
        return content
