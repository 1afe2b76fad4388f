"""The fused frames of a session, each with the frames that it was made of and its times."""

from __future__ import annotations

import csv
import math
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.report.recording import Sendings, Sent, Vocabulary, nanoseconds

UNKNOWN = "unknown"
"""Outcome, in unused.csv, of a frame for which several are possible."""


class Arrived(NamedTuple):
    """When a message arrived, ns: on the steady clock, and on that of its place in the bag."""

    time: int
    wall: int


@dataclass(frozen=True)
class Fused:
    """A fused frame that was recorded. Stamps in ns.

    Attributes:
        stamp: Of the output.
        sources: Side -> index of the frame among those sent.
        thermal_stamp, visible_stamp: Of these.
        size: Width and height, pixels.
        celsius: Coldest and hottest pixel, NaN unless the camera is radiometric.
        scores: (E,) in the order of the vocabulary, NaN for an entity that was not published.
        labels: Arrival of the label array.
        image: Arrival of the image; None if it did not arrive.
    """

    stamp: int
    sources: dict[str, int]
    thermal_stamp: int
    visible_stamp: int
    size: tuple[int, int]
    celsius: tuple[float, float]
    scores: np.ndarray
    labels: Arrived
    image: Arrived | None


@dataclass(frozen=True)
class Recorded:
    """What the tables of a live evaluation are made of.

    Attributes:
        sent: Side -> frames in order of sending.
        frames: In order of arrival.
        images: Fused images that arrived.
        arrays: Label arrays that arrived, those of a camera alone included.
        alone: Label arrays of one camera alone.
        strange: Outputs with a stamp that no sent frame has.
        values: Role of a timing topic ("processing_time_ms", ...) -> its values in order, ms.
        vocabulary: The last one that was published.
    """

    sent: dict[str, list[Sent]]
    frames: list[Fused]
    images: int
    arrays: int
    alone: int
    strange: int
    values: dict[str, list[float]]
    vocabulary: Vocabulary

    def reference(self, frame: Fused) -> Sent:
        """The sent frame whose stamp the output has."""
        side = "visible" if frame.stamp == frame.visible_stamp else "thermal"
        return self.sent[side][frame.sources[side]]

    def later(self, frame: Fused) -> Sent:
        """Of the two sent frames that which was sent later."""
        both = [self.sent[side][frame.sources[side]] for side in SIDES]
        return max(both, key=lambda sent: sent.time)


def read_outputs(session: SessionResult) -> Recorded:
    """Read what a session left.

    Raises:
        DataError, BagError: A file is missing or damaged.
    """
    sent = read_sent(session.sent_csv, {session.topics[side]: side for side in SIDES})
    roles = {name: role for role, name in session.topics.items()}
    images: dict[int, deque[Arrived]] = {}
    arrivals: dict[int, Arrived] = {}
    values: dict[str, list[float]] = {}
    for row in rows(session.received_csv):
        role = roles.get(row["topic"], "")
        arrived = Arrived(int(row["received"]), int(row["wall"]))
        if role == "image":
            images.setdefault(int(row["stamp"]), deque()).append(arrived)
        elif role == "entities":
            arrivals[arrived.wall] = arrived
        elif row["value"]:
            values.setdefault(role, []).append(float(row["value"]))
    image_count = sum(map(len, images.values()))
    with BagSource(session.output_bag) as bag:
        vocabulary = _vocabulary(bag, session.topics["vocabulary"])
        index = {name: number for number, name in enumerate(vocabulary.names)}
        found = _Frames(sent, images, index)
        for _, msgtype, time, data in bag.messages([session.topics["entities"]]):
            found.add(bag.deserialize(data, msgtype), arrivals[time])
    return Recorded(sent, found.frames, image_count, found.arrays, found.alone, found.strange,
                    values, vocabulary)


def read_sent(path: Path, sides: dict[str, str]) -> dict[str, list[Sent]]:
    """Side -> what the player sent of it, in order; ``sides``: topic -> side."""
    sent: dict[str, list[Sent]] = {side: [] for side in SIDES}
    for row in rows(path):
        if row["topic"] in sides:
            frame = Sent(int(row["stamp"]), int(row["loop"]), int(row["sent"]))
            sent[sides[row["topic"]]].append(frame)
    return sent


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a CSV file with a header.

    Raises:
        DataError: It cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            yield from csv.DictReader(stream)
    except (OSError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}). Run the replay again.") from error


class _Frames:
    """Puts label arrays, images and sent frames together."""

    def __init__(self, sent: dict[str, list[Sent]], images: dict[int, deque[Arrived]],
                 index: dict[str, int]) -> None:
        self._sendings = {side: Sendings(sent[side]) for side in SIDES}
        self._images = images
        self._index = index
        self.frames: list[Fused] = []
        self.arrays = self.alone = self.strange = 0

    def add(self, message: Any, labels: Arrived) -> None:
        self.arrays += 1
        stamps = {"thermal": nanoseconds(message.thermal_stamp),
                  "visible": nanoseconds(message.visible_stamp)}
        stamp = nanoseconds(message.header.stamp)
        arrived = self._images.get(stamp)
        image = arrived.popleft() if arrived else None
        if message.mode != message.FUSED:
            self.alone += 1
            return
        sources = {side: self._sendings[side].index(stamps[side], labels.time) for side in SIDES}
        if None in sources.values() or stamp not in stamps.values():
            self.strange += 1
            return
        scores = np.full(len(self._index), math.nan, np.float32)
        for label in message.labels:
            if label.name in self._index:
                scores[self._index[label.name]] = label.score
        self.frames.append(Fused(
            stamp, sources, stamps["thermal"], stamps["visible"],
            (int(message.width), int(message.height)),
            (float(message.thermal_min_celsius), float(message.thermal_max_celsius)), scores,
            labels, image))


def _vocabulary(bag: BagSource, topic: str) -> Vocabulary:
    vocabulary = Vocabulary()
    for _, msgtype, _, data in bag.messages([topic]):
        message = bag.deserialize(data, msgtype)
        vocabulary = Vocabulary(
            tuple(message.names), tuple(float(t) for t in message.thresholds),
            message.model_id, message.text_encoder, message.vocabulary_hash)
    return vocabulary


def unused(recorded: Recorded, account: dict[str, dict[str, int]],
           order: Sequence[tuple[str, int]]) -> list[tuple[str, int, str, str]]:
    """The frames that are in no recorded fused image, as `tables.UNUSED_COLUMNS` has them.

    The node counts the outcomes of frames but does not name the frames. So the outcome of a frame
    is told only where all that are left have the same one; otherwise it is `UNKNOWN`, and the
    reason is what it may be.

    Args:
        recorded: What came out.
        account: As of `Run.account`.
        order: (side, index among the sent) in the order of the bag.
    """
    fused = {(side, index) for frame in recorded.frames for side, index in frame.sources.items()}
    left = [key for key in order if key not in fused]
    number = Counter(side for side, _ in left)
    fates = {side: _fate(account[side], number[side]) for side in SIDES}
    return [(side, recorded.sent[side][index].stamp, *fates[side]) for side, index in left]


def _fate(account: dict[str, int], left: int) -> tuple[str, str]:
    """(outcome, reason) of the frames of a side that are in no recorded fused image."""
    outcomes = {name: count for name, count in account.items()
                if count and "." not in name and name not in ("sent", "received", "fused")}
    if len(outcomes) == 1 and sum(outcomes.values()) == left:
        (name,) = outcomes
        reasons = [key.partition(".")[2] for key, count in account.items()
                   if key.startswith(f"{name}.") and count == left]
        return name, reasons[0] if reasons else ""
    if sum(outcomes.values()) < left:  # fused by the node's account, but not recorded
        outcomes["fused"] = left
    return UNKNOWN, " or ".join(outcomes)
