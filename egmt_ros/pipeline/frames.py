"""Frames of the two cameras, pairs of them, and what a matcher says of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Side(str, Enum):
    """One of the two cameras."""

    THERMAL = "thermal"
    VISIBLE = "visible"

    @property
    def other(self) -> Side:
        return Side.VISIBLE if self is Side.THERMAL else Side.THERMAL


@dataclass(frozen=True, eq=False)
class Frame:
    """A received image.

    Attributes:
        side: Its camera.
        stamp: Source stamp, ns.
        arrival: When it was received, steady clock, ns.
        payload: Anything; pairing does not look at it.
    """

    side: Side
    stamp: int
    arrival: int
    payload: Any = None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two frames of one moment.

    Attributes:
        thermal: The thermal frame.
        visible: The visible frame.
        released: When it was decided, steady clock, ns.
        signed_gap: Thermal minus visible stamp, both corrected by their offsets, ns.
    """

    thermal: Frame
    visible: Frame
    released: int
    signed_gap: int

    @property
    def frames(self) -> tuple[Frame, Frame]:
        return self.thermal, self.visible

    @property
    def gap(self) -> int:
        """Distance of the corrected stamps, ns."""
        return abs(self.signed_gap)

    @property
    def waited(self) -> int:
        """From the arrival of the later frame to the release, ns."""
        return self.released - max(self.thermal.arrival, self.visible.arrival)


class DropReason(str, Enum):
    """Why a frame is in no pair."""

    UNPAIRED = "unpaired"  # no partner within max_gap, or the nearest one has a nearer one
    TIMEOUT = "timeout"  # no partner came in time
    LATE = "late"  # a later frame of its camera had already left
    STALE = "stale"  # from before a jump back in time that the other camera has made already
    RESET = "reset"  # waited when a camera jumped back in time
    OVERFLOW = "overflow"  # the oldest of too many waiting frames
    FLUSHED = "flushed"  # waited when pairing was stopped
    ALONE = "alone"  # the other camera is missing


@dataclass(frozen=True, eq=False)
class Dropped:
    """A frame that is in no pair, and why."""

    frame: Frame
    reason: DropReason


@dataclass
class PairingUpdate:
    """What one call has decided.

    Every frame ends in exactly one of `finished` and `dropped`.

    Attributes:
        pairs: New pairs, in stamp order.
        dropped: Frames that are in no pair.
        finished: Frames that were in a pair, now or before, and will be in no other.
        reset: A camera jumped back in time and pairing started afresh.
    """

    pairs: list[Pair] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    finished: list[Frame] = field(default_factory=list)
    reset: bool = False
