"""Records of the MCAP file format, https://mcap.dev/spec."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from egmt_ros.evaluation.bags.bounded import LARGEST, BoundedFile, decompress

MAGIC = b"\x89MCAP0\r\n"
FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX = 0x02, 0x03, 0x04, 0x05, 0x06, 0x07
CHUNK_INDEX, STATISTICS, DATA_END = 0x08, 0x0B, 0x0F
HEAD = 9  # bytes of a record before its content: kind and length

_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
_RECORD = Struct("<BQ")
_MESSAGE = Struct("<HIQQ")
_CHUNK = Struct("<QQQI")
_CHUNK_INDEX = Struct("<QQQQ")
_STATISTICS = Struct("<QHIIIIQQ")
_COUNT = Struct("<HQ")

_LONGEST_NAME = 16  # bytes of the name of a compression; there are "", "lz4" and "zstd"

MESSAGE_HEAD = _MESSAGE.size


class Record(NamedTuple):
    """A record: its kind, where its content starts, and the content's length in bytes."""

    kind: int
    start: int
    size: int


class Schema(NamedTuple):
    """A message type: ``encoding`` is "ros2msg" or "ros2idl", ``text`` its definition."""

    name: str
    encoding: str
    text: str


class Channel(NamedTuple):
    """A topic of one publisher: ``encoding`` of its messages is "cdr" in ROS 2."""

    schema: int
    topic: str
    encoding: str
    metadata: dict[str, str]


class Block(NamedTuple):
    """A stretch of the file that holds messages.

    Attributes:
        start, end: Bag times in ns of its first and last message.
        offset: Byte at which its first record (the chunk itself, or a message) begins.
        length: Bytes of a run of messages outside of chunks; 0: it is a chunk.
        channels: Those that it holds messages of; None: not known.
        cut: The file ends in it.
    """

    start: int
    end: int
    offset: int
    length: int = 0
    channels: frozenset[int] | None = None
    cut: bool = False


class Statistics(NamedTuple):
    """What the summary says about the whole file; times in ns, ``counts`` by channel."""

    messages: int
    chunks: int
    start: int
    end: int
    counts: dict[int, int]


class ChunkHead(NamedTuple):
    """The beginning of a chunk; ``data``: where its compressed records are, ``length`` bytes."""

    start: int
    end: int
    size: int
    crc: int
    compression: str
    data: int
    length: int


def records(content: bytes, whole: bool = True) -> Iterator[Record]:
    """Records, one after another; not ``whole``: the last one may be cut and is left out.

    Raises:
        ValueError: A record reaches beyond the end.
    """
    position, end = 0, len(content)
    while position < end:
        if end - position >= HEAD:
            kind, size = _RECORD.unpack_from(content, position)
            if size <= end - position - HEAD:
                yield Record(kind, position + HEAD, size)
                position += HEAD + size
                continue
        if whole:
            raise ValueError(f"a record at byte {position} of {end} reaches beyond the end")
        return


def read_record(file: BoundedFile, offset: int) -> Record:
    """The record at ``offset``, whose content may reach beyond the end of the file."""
    kind, size = _RECORD.unpack(file.at(offset, HEAD))
    return Record(kind, offset + HEAD, size)


def read_chunk_head(file: BoundedFile, offset: int) -> ChunkHead:
    """The head of the chunk at ``offset``; its data may reach beyond the end of the file.

    Raises:
        ValueError: There is no chunk, or its lengths do not agree.
    """
    record = read_record(file, offset)
    if record.kind != CHUNK:
        raise ValueError(f"the record at byte {offset} is no chunk")
    there = min(record.size, file.size - record.start)
    head = file.at(record.start, min(there, _CHUNK.size + 4 + _LONGEST_NAME + 8))
    start, end, size, crc = _CHUNK.unpack_from(head)
    compression, position = _text(head, _CHUNK.size)
    (length,) = _U64.unpack_from(head, position)
    position += _U64.size
    if position + length > record.size:
        raise ValueError(f"the chunk at byte {offset} has {length} bytes in {record.size}")
    if size > LARGEST:
        raise ValueError(f"the chunk at byte {offset} announces {size} bytes, above {LARGEST}")
    return ChunkHead(start, end, size, crc, compression, record.start + position, length)


def read_block(file: BoundedFile, block: Block) -> bytes:
    """The records of a block.

    Raises:
        ValueError: They are damaged, or end early though the block is not ``cut``.
    """
    if block.length:
        return file.at(block.offset, block.length)
    head = read_chunk_head(file, block.offset)
    length = min(head.length, file.size - head.data) if block.cut else head.length
    content = decompress(file.at(head.data, length), head.compression, head.size, block.cut)
    if block.cut:
        return content
    if len(content) != head.size:
        raise ValueError(
            f"the chunk at byte {block.offset} holds {len(content)} bytes of {head.size} announced"
        )
    if head.crc and crc32(content) != head.crc:
        raise ValueError(f"the chunk at byte {block.offset} does not have its checksum")
    return content


def parse_message(content: bytes, record: Record) -> tuple[int, int]:
    """Channel and bag time (ns) of a message; its data follow after MESSAGE_HEAD bytes."""
    if record.size < MESSAGE_HEAD:
        raise ValueError(f"a message of {record.size} bytes is too short")
    channel, _, stamp, _ = _MESSAGE.unpack_from(content, record.start)
    return channel, stamp


def parse_schema(content: bytes) -> tuple[int, Schema]:
    """Number and content of a schema."""
    (number,) = _U16.unpack_from(content)
    name, position = _text(content, 2)
    encoding, position = _text(content, position)
    text, _ = _text(content, position)
    return number, Schema(name, encoding, text)


def parse_channel(content: bytes) -> tuple[int, Channel]:
    """Number and content of a channel."""
    (number,), (schema,) = _U16.unpack_from(content), _U16.unpack_from(content, 2)
    topic, position = _text(content, 4)
    encoding, position = _text(content, position)
    metadata: dict[str, str] = {}
    (size,) = _U32.unpack_from(content, position)
    position += 4
    end = position + size
    if end > len(content):
        raise ValueError("the metadata of a channel reach beyond it")
    while position < end:
        key, position = _text(content, position)
        metadata[key], position = _text(content, position)
    return number, Channel(schema, topic, encoding, metadata)


def parse_chunk_index(content: bytes) -> Block:
    """The chunk that an index of the summary names."""
    start, end, offset, _ = _CHUNK_INDEX.unpack_from(content)
    (size,) = _U32.unpack_from(content, 32)
    if 36 + size > len(content):
        raise ValueError("the index of a chunk reaches beyond its record")
    numbers = [n for n, _ in _COUNT.iter_unpack(content[36 : 36 + size])]
    return Block(start, end, offset, channels=frozenset(numbers) or None)


def parse_message_index(content: bytes) -> tuple[int, int]:
    """Channel and number of messages that an index behind a chunk lists."""
    (channel,), (size,) = _U16.unpack_from(content), _U32.unpack_from(content, 2)
    return channel, size // 16


def parse_statistics(content: bytes) -> Statistics:
    """The statistics of the summary."""
    messages, _, _, _, _, chunks, start, end = _STATISTICS.unpack_from(content)
    (size,) = _U32.unpack_from(content, _STATISTICS.size)
    first = _STATISTICS.size + 4
    if first + size > len(content):
        raise ValueError("the statistics reach beyond their record")
    counts = dict(_COUNT.iter_unpack(content[first : first + size]))
    return Statistics(messages, chunks, start, end, counts)


def _text(content: bytes, position: int) -> tuple[str, int]:
    (size,) = _U32.unpack_from(content, position)
    end = position + 4 + size
    if end > len(content):
        raise ValueError(f"a text of {size} bytes reaches beyond its record")
    return content[position + 4 : end].decode("utf-8"), end
