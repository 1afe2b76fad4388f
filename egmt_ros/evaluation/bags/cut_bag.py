"""`egmt bag cut`: a part of a bag as a bag of its own."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Collection, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_ranges import FrameRange, Moment, parse_frames, parse_moment
from egmt_ros.evaluation.bags.bag_reader import BagRecord, BagSource, BagTopic
from egmt_ros.evaluation.bags.bag_topics import find_image_topics
from egmt_ros.evaluation.bags.bag_writer import whole_bag

STORAGES = ("mcap", "sqlite3")
_ALL_COUNT = "/tf_static"
"""A latched topic of which every message counts: each publisher tells of other frames."""


class Span(NamedTuple):
    """Bag times in ns: from `start`, to before `stop`; None: that end of the bag."""

    start: int | None
    stop: int | None


class Cut(NamedTuple):
    """What was written: topic -> messages within the span, and those carried over its start."""

    messages: dict[str, int]
    carried: dict[str, int]


def span_of_times(bag: BagSource, start: Moment | None, end: Moment | None) -> Span:
    """The part of a bag between two times.

    Raises:
        BagError: There can be nothing between them.
    """
    first = None if start is None else start.at(bag.start)
    last = None if end is None else end.at(bag.start)
    if first is not None and last is not None and first >= last:
        raise BagError(
            f"the start {first} ns is not before the end {last} ns; give a later --end"
        )
    if (first or bag.start) > bag.end or (last is not None and last <= bag.start):
        bounds = {"from": first, "to": last}
        asked = " ".join(f"{word} {time} ns" for word, time in bounds.items() if time is not None)
        raise BagError(
            f"bag {bag.path} goes from {bag.start} to {bag.end} ns ({bag.duration / 1e9:.3f} s) "
            f"and holds nothing {asked}; give times in it"
        )
    return Span(first, last)


def span_of_frames(bag: BagSource, topic: str, frames: FrameRange) -> Span:
    """The part of a bag that holds some frames of a topic and what belongs to them: it begins and
    ends half-way to the frames before and after.

    Raises:
        BagError: The topic has no such frames.
    """
    first, stop = frames
    wanted = {first - 1, first} | (set() if stop is None else {stop - 1, stop})
    records = islice(bag.messages([topic], partial=True), max(wanted) + 1)
    times = {k: record.stamp for k, record in enumerate(records) if k in wanted}
    if first not in times:
        raise BagError(
            f"topic {topic} of bag {bag.path} has {bag.topic(topic).count} messages; expected more "
            f"than {first}, where --frames starts"
        )

    def between(before: int) -> int | None:
        if before not in times or before + 1 not in times:
            return None
        return (times[before] + times[before + 1] + 1) // 2

    return Span(between(first - 1), None if stop is None else between(stop - 1))


def cut_bag(
    bag: BagSource,
    path: Path,
    span: Span,
    topics: Collection[str] | None = None,
    *,
    storage: str | None = None,
    compress: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> Cut:
    """Write a part of a bag as another, in bounded memory.

    Messages, their bag times and the QoS of the topics stay as they are. Of a latched topic, what
    its publishers held when the part begins is written at its beginning. Of a damaged bag, what
    can be read is written; `bag.damage` then says what is missing.

    Args:
        bag: To cut from.
        path: Bag folder to make.
        span: Which part.
        topics: Names; None: all.
        storage: See BagWriter; None: that of the bag, if it can be written.
        compress, overwrite: See BagWriter.
        progress: Show a progress bar.

    Raises:
        BagError: A topic is missing or of an unknown type, nothing is left, or the new bag cannot
            be made.
    """
    if path.resolve() == bag.path.resolve() or path.resolve() == bag.path.resolve().parent:
        raise BagError(f"{path} is the bag that is to be cut; give another name")
    chosen = [bag.topic(name) for name in topics] if topics else list(bag.topics)
    names = [topic.name for topic in chosen]
    records = bag.messages(names, span.start, span.stop, partial=True)
    first = next(records, None)
    if first is None:
        raise BagError(
            f"no message of {', '.join(names) or 'any topic'} in that part of bag {bag.path} "
            f"({bag.start} to {bag.end} ns, {bag.duration / 1e9:.3f} s); take a longer part, or "
            "other topics"
        )
    messages, carried = dict.fromkeys(names, 0), {}
    storage = storage or (bag.storage if bag.storage in STORAGES else STORAGES[0])
    with whole_bag(path, storage, compress, overwrite) as writer:
        for topic in chosen:
            writer.add_topic(
                topic.name, topic.msgtype, topic.latched, topic.best_effort, topic.qos, bag.types()
            )
        for topic in chosen:
            for record in _held(bag, topic, span.start):
                writer.write_raw(topic.name, span.start, record.data)
                carried[topic.name] = carried.get(topic.name, 0) + 1
        for record in _shown(chain((first,), records), progress):
            writer.write_raw(record.topic, record.stamp, record.data)
            messages[record.topic] += 1
    return Cut(messages, carried)


def _held(bag: BagSource, topic: BagTopic, time: int | None) -> Collection[BagRecord]:
    """What the publishers of a latched topic hold at a bag time for whoever comes late."""
    if not topic.latched or time is None or time <= bag.start:
        return ()
    depth = None if topic.name == _ALL_COUNT else max(1, sum(_depth(qos) for qos in topic.qos))
    return deque(bag.messages([topic.name], stop=time, partial=True), depth)


def _depth(qos: object) -> int:
    from rosbags.interfaces import QosDurability

    return qos.depth if qos.durability == QosDurability.TRANSIENT_LOCAL else 0


def _shown(records: Iterator[BagRecord], progress: bool) -> Iterator[BagRecord]:
    if not progress:
        return records
    from tqdm import tqdm

    return iter(tqdm(records, desc="cutting", unit="message", disable=None))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag cut`."""
    add = parser.add_argument
    parser.epilog = (
        "Times are those at which messages were recorded: seconds from the start of the bag, or "
        "ROS times (s or ns since 1970). What latched topics held is written at the start. Exit "
        "status: 1 if the bag is damaged; what can be read of it is written."
    )
    add("bag", type=Path, metavar="BAG", help="bag to cut from")
    add("out", type=Path, metavar="OUT", help="bag folder to make")
    add("--start", type=parse_moment, metavar="TIME", help="from here (default: the start)")
    add("--end", type=parse_moment, metavar="TIME", help="to before this (default: the end)")
    add(
        "--frames", type=parse_frames, metavar="A:B",
        help="instead: the visible frames A to before B, counted from 0, and what belongs to them",
    )  # fmt: skip
    add("--visible-topic", metavar="T", help="topic of --frames (default: found)")
    add("--topics", nargs="+", metavar="T", help="only these (default: all)")
    add("--storage", choices=STORAGES, help="default: that of the bag")
    add("--compress", action="store_true", help="zstd chunks (mcap)")
    add("--overwrite", action="store_true", help="replace an existing bag")


def run(args: argparse.Namespace) -> int:
    """Cut, and say what was written."""
    if args.frames and (args.start or args.end):
        raise BagError("--frames and --start or --end are both given; expected one of the two")
    with BagSource(args.bag) as bag:
        if args.frames:
            topic = args.visible_topic or find_image_topics(bag).visible.name
            span = span_of_frames(bag, topic, args.frames)
        else:
            span = span_of_times(bag, args.start, args.end)
        messages, carried = cut_bag(
            bag,
            args.out,
            span,
            args.topics,
            storage=args.storage,
            compress=args.compress,
            overwrite=args.overwrite,
            progress=True,
        )
    print(f"{args.out}: " + ", ".join(f"{n} {t}" for t, n in messages.items()))
    for name, count in carried.items():
        print(f"  {name}: {count} from before, as it is latched")
    if bag.damage:
        print(f"messages may be missing: {bag.damage}", file=sys.stderr)
    return int(bool(bag.damage))
