"""What a live session recorded, read back without ROS."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.live.result import SessionResult


class Sent(NamedTuple):
    """A frame that the player sent: source stamp (ns), pass, time of sending (monotonic ns)."""

    stamp: int
    loop: int
    time: int


class Sendings:
    """Finds the sent frame that a stamp means, though a looped bag sends it once in each pass.

    Args:
        frames: Of one side, in order of sending.
    """

    def __init__(self, frames: Sequence[Sent]) -> None:
        self._by_stamp: dict[int, list[tuple[int, int]]] = {}
        for index, frame in enumerate(frames):
            self._by_stamp.setdefault(frame.stamp, []).append((frame.time, index))

    def index(self, stamp: int, received: int) -> int | None:
        """Index of the newest sending of this stamp that is not after ``received``.

        Args:
            stamp: Source stamp, ns.
            received: Arrival of what names the frame, monotonic ns; before the first sending (0:
                unknown) the first one counts.

        Returns:
            None where no frame of this stamp was sent.
        """
        sendings = self._by_stamp.get(stamp)
        if not sendings:
            return None
        position = bisect_right(sendings, received, key=lambda sending: sending[0])
        return sendings[max(0, position - 1)][1]


class Label(NamedTuple):
    """An entity in one frame; the region is (x, y, width, height) in pixels or None."""

    name: str
    score: float
    present: bool
    region: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class LabelArray:
    """The labels of one fused frame, by score.

    ``received`` is the time of arrival (monotonic ns); stamps are ns.
    """

    stamp: int
    thermal_stamp: int
    visible_stamp: int
    width: int
    height: int
    model_id: str
    labels: tuple[Label, ...]
    received: int = 0

    def present(self) -> tuple[Label, ...]:
        """The labels that count as present, best first."""
        return tuple(label for label in self.labels if label.present)


@dataclass(frozen=True)
class Vocabulary:
    """The entities that the model can name, and from which score each counts as present."""

    names: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    model_id: str = ""
    text_encoder: str = ""
    vocabulary_hash: str = ""


@dataclass(frozen=True)
class BagFacts:
    """The bag that was played."""

    path: str
    storage: str
    duration_s: float
    messages: dict[str, int]
    size_bytes: int


@dataclass(frozen=True)
class Recording:
    """Everything that the reports are made of.

    Attributes:
        sent: Side -> frames in order of sending.
        arrays: Label arrays in order of arrival.
        images: (stamp, arrival) of each fused image, ns.
        values: Role of a debug topic ("processing_time_ms", ...) -> its values.
        truth: Visible stamp -> entities that are really there; None where the bag does not say.
    """

    sent: dict[str, list[Sent]]
    arrays: list[LabelArray]
    images: list[tuple[int, int]]
    values: dict[str, list[float]] = field(default_factory=dict)
    vocabulary: Vocabulary = Vocabulary()
    truth: dict[int, frozenset[str]] | None = None
    bag: BagFacts = BagFacts("", "", 0.0, {}, 0)


def load_recording(session: SessionResult) -> Recording:
    """Reads the CSV files and bags of a session.

    Raises:
        DataError, BagError: A file is missing or damaged.
    """
    sides = {session.topics[side]: side for side in SIDES}
    sent: dict[str, list[Sent]] = {side: [] for side in SIDES}
    for row in _rows(session.sent_csv):
        if row["topic"] in sides:
            sent[sides[row["topic"]]].append(
                Sent(int(row["stamp"]), int(row["loop"]), int(row["sent"])))
    roles = {name: role for role, name in session.topics.items()}
    images: list[tuple[int, int]] = []
    values: dict[str, list[float]] = {}
    arrivals: dict[tuple[str, int], int] = {}
    for row in _rows(session.received_csv):
        role = roles.get(row["topic"], "")
        if role == "image":
            images.append((int(row["stamp"]), int(row["received"])))
        elif row["value"]:
            values.setdefault(role, []).append(float(row["value"]))
        elif role == "entities":
            arrivals[row["topic"], int(row["wall"])] = int(row["received"])
    arrays, vocabulary = _read_outputs(session, arrivals)
    return Recording(sent, arrays, images, values, vocabulary, _read_truth(session),
                     _bag_facts(session.source_bag))


def _rows(path: Path) -> Iterable[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            yield from csv.DictReader(stream)
    except (OSError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}). Run the replay again.") from error


def _read_outputs(
    session: SessionResult, arrivals: dict[tuple[str, int], int]
) -> tuple[list[LabelArray], Vocabulary]:
    arrays: list[LabelArray] = []
    vocabulary = Vocabulary()
    entities, vocabularies = session.topics["entities"], session.topics["vocabulary"]
    with BagSource(session.output_bag) as bag:
        for topic, msgtype, time, data in bag.messages([entities, vocabularies]):
            message = bag.deserialize(data, msgtype)
            if topic == entities:
                arrays.append(label_array(message, arrivals.get((topic, time), 0)))
            else:
                vocabulary = Vocabulary(
                    tuple(message.names), tuple(float(t) for t in message.thresholds),
                    message.model_id, message.text_encoder, message.vocabulary_hash)
    return arrays, vocabulary


def label_array(message: Any, received: int = 0) -> LabelArray:
    """From an egmt_msgs/EntityLabelArray message."""
    labels = tuple(
        Label(
            label.name, float(label.score), bool(label.present),
            (int(label.region.x_offset), int(label.region.y_offset),
             int(label.region.width), int(label.region.height))
            if label.region_source != 0 else None,
        )
        for label in message.labels
    )
    return LabelArray(
        nanoseconds(message.header.stamp), nanoseconds(message.thermal_stamp),
        nanoseconds(message.visible_stamp), int(message.width), int(message.height),
        message.model_id, labels, received)


def nanoseconds(stamp: Any) -> int:
    """A builtin_interfaces/Time in ns."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _read_truth(session: SessionResult) -> dict[int, frozenset[str]] | None:
    topic = session.topics.get("ground_truth")
    if not topic:
        return None
    truth = {}
    with BagSource(session.source_bag) as bag:
        for _, msgtype, _, data in bag.messages([topic], partial=True):
            message = bag.deserialize(data, msgtype)
            truth[nanoseconds(message.header.stamp)] = frozenset(
                label.name for label in message.labels if label.present)
    return truth


def _bag_facts(path: Path) -> BagFacts:
    with BagSource(path) as bag:
        messages = {topic.name: topic.count for topic in bag.topics}
        duration, storage = bag.duration / 1e9, bag.storage
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return BagFacts(str(path), storage, duration, messages, sum(f.stat().st_size for f in files))
