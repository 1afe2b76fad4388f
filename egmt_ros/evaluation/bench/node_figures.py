"""What a stretch of `egmt bench node` says: account of every frame, latencies, targets, knee."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import OUTCOMES, SIDES

Account = Mapping[str, Mapping[str, int]]
"""Side -> counter -> frames, see `egmt_ros.evaluation.live.account`."""

TARGET_RATE = 15.0
"""Hz at which the targets hold."""
TARGET_P95 = 2.5
"""Most that p95 from release to publishing may be of the engine's own median."""
TARGET_OVERHEAD_MS = 8.0
"""Most that the median from release to publishing may be above the engine's own."""
DROPPING = 0.01
"""Share of superseded frames from which a rate counts as one that the node cannot follow."""
FLAT = 1.5
"""Latency is flat beyond that rate while its p95 grows by no more than this factor."""


@dataclass(frozen=True)
class Stretch:
    """Playing at one rate.

    Attributes:
        rate: Asked for, Hz; `sent_rate` is what the cameras achieved.
        begin, end: Of the sending, steady clock, ns.
        sent: Pairs.
        account: Side -> counter -> frames of this stretch; `lost` and `unaccounted` included.
        images: Fused images that reached the recorder.
        release_to_publish: From the callback that completes a pair (or the end of its waiting) to
            the published image, measured by the node.
        processing: Of it, from the pair's images to the fused one.
        beside_processing: Of it, the rest, pair by pair; None where not every pair's times came.
        sent_to_received: From the cameras' sending of the second image to the fused image's
            arrival in another process, over DDS both ways.
        cores: Processor time of the node by time.
        p95_of_engine, overhead_ms: Of `release_to_publish`, beside the bare engine's median.
    """

    rate: float
    begin: int
    end: int
    sent: int
    sent_rate: float
    account: dict[str, dict[str, int]]
    images: int
    fused_rate: float
    superseded_share: float
    release_to_publish: Distribution | None
    processing: Distribution | None
    beside_processing: Distribution | None
    sent_to_received: Distribution | None
    cores: float
    p95_of_engine: float | None
    overhead_ms: float | None

    @property
    def unaccounted(self) -> int:
        """Frames of both inputs of which nobody knows what became of them."""
        return sum(abs(side["unaccounted"]) for side in self.account.values())


def account_of(sent: int, before: Account, after: Account) -> dict[str, dict[str, int]]:
    """The account of one stretch.

    Args:
        sent: Frames of each side.
        before, after: The node's accounts; nothing is in flight in either.

    Returns:
        Side -> the counters' growth, and `sent`, `lost` = sent - received, and `unaccounted`: what
        the outcomes differ from `received`, what is still in flight, and what was received but
        never sent.
    """
    result = {}
    for side in SIDES:
        names = ("received", *OUTCOMES, *(n for n in after[side] if n.startswith("rejected.")))
        row = {name: after[side][name] - before[side].get(name, 0) for name in names}
        lost = sent - row["received"]
        missing = row["received"] - sum(row[name] for name in OUTCOMES)
        row |= {"sent": sent, "lost": max(lost, 0), "in_flight": after[side]["in_flight"]}
        row["unaccounted"] = abs(missing) + max(-lost, 0)
        result[side] = row
    return result


@dataclass(frozen=True)
class Arrivals:
    """What the recorder noted.

    Attributes:
        images: (stamp, received) of each fused image, ns.
        values: Timing topic's name -> (received ns, ms) of each.
    """

    images: list[tuple[int, int]]
    values: dict[str, list[tuple[int, float]]]

    @classmethod
    def read(cls, path: Path, topics: Mapping[str, str]) -> Arrivals:
        """From the recorder's CSV; `topics` is role -> topic, "image" among the roles."""
        roles = {topic: role for role, topic in topics.items()}
        images: list[tuple[int, int]] = []
        values: dict[str, list[tuple[int, float]]] = {role: [] for role in topics}
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                role = roles.get(row["topic"])
                if role == "image":
                    images.append((int(row["stamp"]), int(row["received"])))
                elif role is not None and row["value"]:
                    values[role].append((int(row["received"]), float(row["value"])))
        return cls(images, values)

    def between(self, role: str, begin: int, end: int) -> list[float]:
        """Values in ms of a timing topic that came in this time, ns."""
        return [value for when, value in self.values[role] if begin <= when <= end]


def targets(stretches: Sequence[Stretch], cores: int) -> dict[str, Any] | None:
    """The targets beside the stretch at `TARGET_RATE`; None without one."""
    for stretch in stretches:
        if stretch.rate == TARGET_RATE and stretch.p95_of_engine is not None:
            return {
                "rate": stretch.rate,
                "cores": cores,
                "p95_of_engine": stretch.p95_of_engine,
                "p95_of_engine_target": TARGET_P95,
                "overhead_ms": stretch.overhead_ms,
                "overhead_ms_target": TARGET_OVERHEAD_MS,
                "met": stretch.p95_of_engine <= TARGET_P95
                and stretch.overhead_ms <= TARGET_OVERHEAD_MS,
            }
    return None


def knee(stretches: Sequence[Stretch]) -> dict[str, Any]:
    """Where the node begins to drop, and what latency does beyond.

    Returns:
        `begins_to_drop`: the lowest rate (Hz) from which on more than `DROPPING` of the frames are
        superseded, None if none; `last_followed`: the highest rate below it; `growth`: the
        highest p95 from sending to arrival beyond it by that at it (None with no rate beyond);
        `flat`: whether that is at most `FLAT`.
    """
    ordered = sorted(stretches, key=lambda s: s.rate)
    dropping: list[Stretch] = []
    for stretch in reversed(ordered):
        if stretch.superseded_share <= DROPPING:
            break
        dropping.insert(0, stretch)
    followed = [s for s in ordered if s not in dropping]
    p95 = [s.sent_to_received.p95 for s in dropping if s.sent_to_received is not None]
    growth = round(max(p95[1:]) / p95[0], 3) if len(p95) > 1 else None
    return {
        "begins_to_drop": dropping[0].rate if dropping else None,
        "last_followed": followed[-1].rate if followed else None,
        "growth": growth,
        "flat": None if growth is None else growth <= FLAT,
    }


def as_dict(stretch: Stretch) -> dict[str, Any]:
    """For JSON."""
    return {**asdict(stretch), "unaccounted": stretch.unaccounted}
