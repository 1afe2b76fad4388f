"""What every kind of bag file gives: its topics, its messages, and whether it is whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from egmt_ros.errors import BagError

CDR = "cdr"


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
        latched: Recorded as transient local (ROS 1: latching).
        best_effort: Its publishers were best effort.
        qos: What its publishers offered, `rosbags.interfaces.Qos`; empty where the bag does not
            say, as in ROS 1.
    """

    name: str
    msgtype: str
    count: int
    latched: bool = False
    best_effort: bool = False
    qos: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What a bag file, or a whole bag, holds.

    Attributes:
        topics: One of each name.
        count: Messages in all.
        start, end: Bag times in ns of the first and the last message; 0 without any.
        damage: Why not all of it can be read; None: nothing is known to be wrong.
    """

    topics: tuple[BagTopic, ...] = ()
    count: int = 0
    start: int = 0
    end: int = 0
    damage: str | None = None


class Definition(NamedTuple):
    """A message type as the bag defines it: "msg" or "idl", and the text."""

    format: str
    text: str


class Storage(Protocol):
    """A file of a bag, opened."""

    contents: Contents

    def messages(
        self, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> Iterator[BagRecord]:
        """Messages in the order of bag time; raises BagError after what is readable."""
        ...

    def definitions(self) -> dict[str, Definition]:
        """Message types that the file defines, by name."""
        ...

    def close(self) -> None:
        """Close the file; harmless when repeated."""
        ...


@dataclass
class TopicTally:
    """Gathers the topics of a bag out of those of its publishers or files."""

    topics: dict[str, BagTopic] = field(default_factory=dict)

    def add(self, topic: BagTopic) -> None:
        """Add messages of a topic, of one publisher or file."""
        before = self.topics.get(topic.name)
        if before is not None:
            topic = replace(
                before,
                count=before.count + topic.count,
                latched=before.latched or topic.latched,
                best_effort=before.best_effort and topic.best_effort,
                qos=before.qos + tuple(q for q in topic.qos if q not in before.qos),
            )
        self.topics[topic.name] = topic


def topic_with_qos(name: str, msgtype: str, count: int, qos: Iterable[Any]) -> BagTopic:
    """A topic from the QoS that its publishers offered."""
    from rosbags.interfaces import QosDurability, QosReliability

    offered = tuple(qos)
    return BagTopic(
        name,
        msgtype,
        count,
        latched=any(q.durability == QosDurability.TRANSIENT_LOCAL for q in offered),
        best_effort=bool(offered)
        and all(q.reliability == QosReliability.BEST_EFFORT for q in offered),
        qos=offered,
    )


def parsed_qos(text: Any) -> list[Any]:
    """QoS profiles from a bag's YAML; none where they cannot be read."""
    from rosbags.rosbag2.metadata import parse_qos

    try:
        return parse_qos(text)
    except Exception:  # a message is worth reading even if its QoS is not known
        return []


def merged(parts: Collection[Contents]) -> Contents:
    """The contents of several files as one."""
    tally = TopicTally()
    for part in parts:
        for topic in part.topics:
            tally.add(topic)
    filled = [part for part in parts if part.count]
    damages = [part.damage for part in parts if part.damage]
    return Contents(
        tuple(sorted(tally.topics.values(), key=lambda t: t.name)),
        sum(part.count for part in parts),
        min((part.start for part in filled), default=0),
        max((part.end for part in filled), default=0),
        damages[0] if damages else None,
    )


def damaged(
    path: Path, error: Exception | str, remedy: str, partly: bool = False
) -> BagError:
    """The error of a bag file that cannot be read, or only ``partly``."""
    reason = str(error).rstrip(".") or type(error).__name__
    how = "can only be read in part" if partly else "cannot be read"
    return BagError(
        f"bag {path} {how}: {reason}. It is incomplete or damaged (was its recording "
        f"interrupted?); {remedy}, or record it again."
    )
