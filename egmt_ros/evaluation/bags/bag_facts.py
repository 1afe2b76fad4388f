"""What is in a bag: its topics, and what the stamps and formats of its images tell."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.errors import BagError, InputError
from egmt_ros.evaluation.bags.bag_reader import BagRecord, BagSource, BagTopic
from egmt_ros.evaluation.bags.bag_topics import FoundTopic, find_image_topics, find_truth_topic
from egmt_ros.evaluation.bags.bag_types import COMPRESSED_IMAGE, IMAGE
from egmt_ros.pipeline.compressed import announced_size

PARTNER_WITHIN = 50_000_000
"""Stamps of two frames that are no further apart, ns, are taken for partners."""

_SECOND = 1_000_000_000
_MOST_FORMATS = 1000  # kept of one topic


class Format(NamedTuple):
    """Of an image; encoding is that of the message, or the codec that it names."""

    encoding: str
    width: int
    height: int


@dataclass(frozen=True)
class Spread:
    """Of times in ms."""

    p50: float
    p95: float
    max: float

    @classmethod
    def of(cls, nanoseconds: np.ndarray) -> Spread | None:
        """None where there is no time."""
        if not len(nanoseconds):
            return None
        p50, p95 = np.percentile(nanoseconds, (50, 95))
        return cls(float(p50) / 1e6, float(p95) / 1e6, float(nanoseconds.max()) / 1e6)


@dataclass(frozen=True)
class ImageFacts:
    """What the messages of an image topic tell.

    Attributes:
        frames: Messages that were read.
        unreadable: Those of them that are no valid image.
        formats: Format -> frames that have it, the commonest first; of the first 1000 formats.
        interval_ms: From one stamp to the next, of those that go forward.
        jitter_ms: How far intervals are from the middle one.
        backward: How often a stamp is before that of the message before.
        furthest_back_ms: Largest step back, ms; 0 without one.
        repeated: How often a stamp is that of the message before.
        delay_ms: Bag time less stamp: how late frames were recorded, where both clocks agree.
        least_delay_ms: Smallest of these, ms.
        unstamped: Frames whose stamp is 0.
    """

    frames: int
    unreadable: int
    formats: tuple[tuple[Format, int], ...]
    interval_ms: Spread | None
    jitter_ms: Spread | None
    backward: int
    furthest_back_ms: float
    repeated: int
    delay_ms: Spread | None
    least_delay_ms: float | None
    unstamped: int


@dataclass(frozen=True)
class BagFacts:
    """What is in a bag.

    Attributes:
        path, storage: See BagSource.
        seconds: From the first message to the last.
        messages: How many there are.
        topics: Of the bag.
        images: Image topic -> what its messages tell.
        thermal, visible, truth: The topics that an evaluation would take; None: not clear.
        unclear: Why one of them is not clear; "" if they are.
        paired: Share of the thermal frames with a visible one within PARTNER_WITHIN, 0..1.
        damage: Why the bag could not be read to its end; "" if it could.
    """

    path: str
    storage: str
    seconds: float
    messages: int
    topics: tuple[BagTopic, ...]
    images: dict[str, ImageFacts]
    thermal: FoundTopic | None
    visible: FoundTopic | None
    truth: FoundTopic | None
    unclear: str
    paired: float | None
    damage: str


@dataclass
class _Watched:
    """The messages of an image topic so far; 16 bytes a frame."""

    stamps: array = field(default_factory=lambda: array("q"))
    times: array = field(default_factory=lambda: array("q"))
    formats: Counter = field(default_factory=Counter)
    unreadable: int = 0

    def see(self, bag: BagSource, record: BagRecord) -> None:
        try:
            message = bag.deserialize(record.data, record.msgtype)
            found = _format(message)
        except (BagError, InputError):
            self.unreadable += 1
            return
        stamp = message.header.stamp
        self.stamps.append(stamp.sec * _SECOND + stamp.nanosec)
        self.times.append(record.stamp)
        if found in self.formats or len(self.formats) < _MOST_FORMATS:
            self.formats[found] += 1

    def facts(self) -> ImageFacts:
        stamps, times = np.array(self.stamps, np.int64), np.array(self.times, np.int64)
        steps = np.diff(stamps)
        forward, back = steps[steps > 0], -steps[steps < 0]
        delay = times - stamps
        middle = np.median(forward) if len(forward) else 0
        return ImageFacts(
            frames=len(stamps) + self.unreadable,
            unreadable=self.unreadable,
            formats=tuple(self.formats.most_common()),
            interval_ms=Spread.of(forward),
            jitter_ms=Spread.of(np.abs(forward - middle)),
            backward=len(back),
            furthest_back_ms=float(back.max()) / 1e6 if len(back) else 0.0,
            repeated=int((steps == 0).sum()),
            delay_ms=Spread.of(delay),
            least_delay_ms=float(delay.min()) / 1e6 if len(delay) else None,
            unstamped=int((stamps == 0).sum()),
        )


def bag_facts(bag: BagSource, progress: bool = False) -> BagFacts:
    """Read every image of a bag once; what a damaged bag still holds is told.

    Args:
        bag: Opened.
        progress: Show a progress bar.
    """
    names = [t.name for t in bag.topics if t.msgtype in (IMAGE, COMPRESSED_IMAGE)]
    watched = {name: _Watched() for name in names}
    records: Any = bag.messages(names, partial=True)
    if progress:
        from tqdm import tqdm

        total = sum(topic.count for topic in bag.topics if topic.name in watched)
        records = tqdm(records, "reading", total, unit="image", disable=None, leave=False)
    for record in records:
        watched[record.topic].see(bag, record)
    thermal, visible, truth, unclear = _roles(bag)
    paired = None
    if thermal is not None and visible is not None:
        paired = _paired(watched[thermal.name].stamps, watched[visible.name].stamps)
    return BagFacts(
        path=str(bag.path),
        storage=bag.storage,
        seconds=bag.duration / _SECOND,
        messages=bag.count,
        topics=bag.topics,
        images={name: watched[name].facts() for name in names},
        thermal=thermal,
        visible=visible,
        truth=truth,
        unclear=unclear,
        paired=paired,
        damage=bag.damage or "",
    )


def _roles(
    bag: BagSource,
) -> tuple[FoundTopic | None, FoundTopic | None, FoundTopic | None, str]:
    """Thermal, visible and truth topic, and why they are not clear."""
    thermal = visible = truth = None
    unclear = []
    try:
        thermal, visible = find_image_topics(bag)
    except BagError as error:
        unclear.append(str(error))
    try:
        truth = find_truth_topic(bag)
    except BagError as error:
        unclear.append(str(error))
    return thermal, visible, truth, " ".join(unclear)


def _paired(thermal: Sequence[int], visible: Sequence[int]) -> float | None:
    """Share of the thermal stamps with a visible one near by."""
    warm, seen = np.array(thermal, np.int64), np.sort(np.array(visible, np.int64))
    if not len(warm):
        return None
    if not len(seen):
        return 0.0
    after = np.searchsorted(seen, warm).clip(0, len(seen) - 1)
    gap = np.minimum(abs(seen[after] - warm), abs(seen[(after - 1).clip(0)] - warm))
    return float((gap <= PARTNER_WITHIN).mean())


def _format(message: Any) -> Format:
    """Raises InputError for a compressed image of another kind than JPEG and PNG."""
    if hasattr(message, "encoding"):
        return Format(message.encoding, message.width, message.height)
    width, height = announced_size(message.data, message.format)
    return Format(message.format, width, height)
