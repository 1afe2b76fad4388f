"""What is where in an MCAP file: by its summary, or where that is missing by looking through it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from struct import Struct
from struct import error as StructError
from zlib import crc32

from egmt_ros.evaluation.bags.bounded import BoundedFile
from egmt_ros.evaluation.bags.mcap_records import (
    CHANNEL,
    CHUNK,
    CHUNK_INDEX,
    DATA_END,
    FOOTER,
    HEAD,
    MAGIC,
    MESSAGE,
    MESSAGE_HEAD,
    MESSAGE_INDEX,
    SCHEMA,
    STATISTICS,
    Block,
    Channel,
    Record,
    Schema,
    Statistics,
    parse_channel,
    parse_chunk_index,
    parse_message,
    parse_message_index,
    parse_schema,
    parse_statistics,
    read_block,
    read_chunk_head,
    read_record,
    records,
)

_FOOTER = Struct("<QQI")
_RUN = 1 << 20  # bytes of messages outside of chunks that are taken together, as in a chunk


@dataclass
class Index:
    """Types, topics and places of the messages of a file.

    Attributes:
        schemas, channels: By their numbers in the file.
        counts: Channel -> messages.
        blocks: Where the messages are, in the order of the file.
        start, end: Bag times in ns of the first and the last message; 0 without any.
        damage: What is wrong with the file; None: nothing as far as was seen.
    """

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: Counter[int] = field(default_factory=Counter)
    blocks: list[Block] = field(default_factory=list)
    start: int = 0
    end: int = 0
    damage: str | None = None

    def note(self, kind: int, content: bytes) -> None:
        """Take in a schema or channel."""
        if kind == SCHEMA:
            number, schema = parse_schema(content)
            self.schemas[number] = schema
        elif kind == CHANNEL:
            number, channel = parse_channel(content)
            self.channels[number] = channel


def read_index(file: BoundedFile) -> Index:
    """The index of a file, whole or cut.

    Raises:
        ValueError: It is no MCAP file.
    """
    if file.size < len(MAGIC) or file.at(0, len(MAGIC)) != MAGIC:
        raise ValueError("it does not begin like an MCAP file")
    try:
        return _from_summary(file)
    except (ValueError, StructError) as error:
        return _Scan(file, str(error)).index


def _from_summary(file: BoundedFile) -> Index:
    """Raises ValueError where the summary is missing, not complete, or damaged."""
    size = HEAD + _FOOTER.size
    place = file.size - len(MAGIC) - size
    tail = file.at(max(place, 0), file.size - max(place, 0))
    if len(tail) < size + len(MAGIC) or not tail.endswith(MAGIC):
        raise ValueError("the file has no end")
    footer = next(records(tail[:size]))
    if (footer.kind, footer.size) != (FOOTER, _FOOTER.size):
        raise ValueError("the file has no footer")
    begin, _, crc = _FOOTER.unpack_from(tail, footer.start)
    if not begin:
        raise ValueError("the file has no summary")
    summary = file.at(begin, place - begin)
    if crc and crc32(tail[: size - 4], crc32(summary)) != crc:
        raise ValueError("the summary does not have its checksum")
    index = Index()
    statistics: Statistics | None = None
    for kind, start, length in records(summary):
        content = summary[start : start + length]
        index.note(kind, content)
        if kind == CHUNK_INDEX:
            index.blocks.append(parse_chunk_index(content))
        elif kind == STATISTICS:
            statistics = parse_statistics(content)
    if statistics is None or statistics.chunks != len(index.blocks):
        raise ValueError("the summary is not complete")
    if statistics.messages != sum(statistics.counts.values()) or (
        statistics.messages and not index.blocks
    ):
        raise ValueError("the summary does not say where all messages are")
    if statistics.counts.keys() - index.channels.keys():
        raise ValueError("the summary does not name all topics")
    index.counts.update(statistics.counts)
    if statistics.messages:
        index.start, index.end = statistics.start, statistics.end
    return index


class _Scan:
    """Builds an index record by record; what is cut or damaged ends it."""

    def __init__(self, file: BoundedFile, why: str) -> None:
        self.index = Index()
        self._file = file
        self._run: Block | None = None
        self._listed: dict[int, int] = {}  # channel -> messages, by the indexes behind a chunk
        self._chunk: Block | None = None
        try:
            ended = self._look()
        except (ValueError, StructError) as error:
            self.index.damage = str(error)
        else:
            if not ended:
                self.index.damage = why
        self._close_run()
        self._close_chunk()
        blocks = self.index.blocks
        if sum(self.index.counts.values()):
            self.index.start = min(b.start for b in blocks)
            self.index.end = max(b.end for b in blocks)

    def _look(self) -> bool:
        """Returns whether the data section has an end."""
        file, offset = self._file, len(MAGIC)
        while offset + HEAD <= file.size:
            record = read_record(file, offset)
            if record.kind == 0:
                raise ValueError(f"there is no record at byte {offset}")
            if record.start + record.size > file.size:
                self._close_run()
                self._close_chunk()
                if record.kind == CHUNK:
                    self._cut_chunk(offset)
                raise ValueError(
                    f"the file ends at byte {file.size}, within a record at byte {offset}"
                )
            if record.kind in (DATA_END, FOOTER):
                return True
            self._take(record, offset)
            offset = record.start + record.size
        if offset != file.size:
            raise ValueError(f"the file ends at byte {file.size}, within the head of a record")
        return False

    def _take(self, record: Record, offset: int) -> None:
        if record.kind != MESSAGE_INDEX:
            self._close_chunk()
        if record.kind != MESSAGE:
            self._close_run()
        if record.kind in (SCHEMA, CHANNEL):
            self.index.note(record.kind, self._file.at(record.start, record.size))
        elif record.kind == MESSAGE:
            self._take_message(record, offset)
        elif record.kind == CHUNK:
            head = read_chunk_head(self._file, offset)
            self._chunk = Block(head.start, head.end, offset)
        elif record.kind == MESSAGE_INDEX and self._chunk is not None:
            channel, count = parse_message_index(self._file.at(record.start, min(record.size, 6)))
            self._listed[channel] = self._listed.get(channel, 0) + count

    def _take_message(self, record: Record, offset: int) -> None:
        head = self._file.at(record.start, min(record.size, MESSAGE_HEAD))
        channel, stamp = parse_message(head, Record(MESSAGE, 0, record.size))
        self.index.counts[channel] += 1
        run, size = self._run, HEAD + record.size
        if run is not None and run.length + size > _RUN:
            self._close_run()
            run = None
        if run is None:
            self._run = Block(stamp, stamp, offset, size, frozenset((channel,)))
        else:
            self._run = Block(
                min(run.start, stamp),
                max(run.end, stamp),
                run.offset,
                run.length + size,
                run.channels and run.channels | {channel},
            )

    def _close_run(self) -> None:
        if self._run is not None:
            self.index.blocks.append(self._run)
            self._run = None

    def _close_chunk(self) -> None:
        chunk, listed = self._chunk, self._listed
        self._chunk, self._listed = None, {}
        if chunk is None:
            return
        if listed and listed.keys() <= self.index.channels.keys():
            self.index.counts.update(listed)
            self.index.blocks.append(chunk._replace(channels=frozenset(listed)))
            return
        try:
            self._look_into(chunk)
        except (ValueError, StructError) as error:
            self.index.damage = str(error)  # the chunks behind it may be whole

    def _cut_chunk(self, offset: int) -> None:
        try:
            head = read_chunk_head(self._file, offset)
            self._look_into(Block(head.start, head.end, offset, cut=True))
        except (ValueError, StructError):
            return  # nothing of it can be read; that the file is cut is said anyway

    def _look_into(self, block: Block) -> None:
        """Take in a chunk that no index describes; a broken one is not taken."""
        content = read_block(self._file, block)
        counts: Counter[int] = Counter()
        stamps: list[int] = []
        for record in records(content, whole=not block.cut):
            if record.kind == MESSAGE:
                channel, stamp = parse_message(content, record)
                counts[channel] += 1
                stamps.append(stamp)
            else:
                self.index.note(record.kind, content[record.start : record.start + record.size])
        if stamps:
            self.index.counts.update(counts)
            self.index.blocks.append(
                block._replace(start=min(stamps), end=max(stamps), channels=frozenset(counts))
            )
