"""Should the detector of a class run on this frame? A gate that does not flicker, and fails open.

It opens at once when the entity is there, and closes only after it was gone for `hold` seconds. It
closes on fresh knowledge alone: a class that the vocabulary does not know, or a frame without
labels, lets the detector run. Labels miss small and far things, so a closed gate still lets a
frame pass every `probe` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from egmt_ros.downstream.prior import NANOSECONDS, ClassEvidence
from egmt_ros.downstream.settings import GateSettings


class Reason(str, Enum):
    """Why a detector runs or does not."""

    PRESENT = "present"  # runs: the score opens the gate or keeps it open
    HELD = "held"  # runs: one was there a moment ago
    PROBE = "probe"  # runs: absent, but it has not been looked at for a while
    UNKNOWN_CLASS = "unknown class"  # runs: the vocabulary has no entity for it
    NO_LABELS = "no labels"  # runs: there are none for this image, or they are too old
    ABSENT = "absent"  # does not run


@dataclass(frozen=True)
class Gate:
    """What is remembered of one class; times are stamps in ns.

    Attributes:
        kept: When it was last opened or kept open, None: it is closed.
        ran: When the detector last ran, None: not yet.
    """

    kept: int | None = None
    ran: int | None = None


def step(
    gate: Gate, evidence: ClassEvidence | None, reason_if_none: Reason, stamp: int,
    settings: GateSettings,
) -> tuple[Reason, Gate]:  # fmt: skip
    """Decide for one frame.

    Args:
        gate: As the frame before left it. It is forgotten if stamps went back, as they do when a
            bag starts again.
        evidence: What the labels say of the class, None: nothing.
        reason_if_none: What is answered then; the gate keeps its memory.
        stamp: Of the frame, ns.
        settings: Scores and times.

    Returns:
        The decision, and the gate for the next frame. All reasons but ABSENT mean: run.
    """
    if stamp < max(gate.kept or 0, gate.ran or 0):
        gate = Gate()
    if evidence is None:
        return reason_if_none, Gate(gate.kept, stamp)
    level = settings.open_score if gate.kept is None else settings.keep_score
    if _reaches(evidence, level):
        return Reason.PRESENT, Gate(kept=stamp, ran=stamp)
    if gate.kept is not None and stamp - gate.kept <= settings.hold * NANOSECONDS:
        return Reason.HELD, Gate(gate.kept, stamp)
    if settings.probe and (gate.ran is None or stamp - gate.ran >= settings.probe * NANOSECONDS):
        return Reason.PROBE, Gate(None, stamp)
    return Reason.ABSENT, Gate(None, gate.ran)


def _reaches(evidence: ClassEvidence, level: float) -> bool:
    if level < 0.0:
        return evidence.present
    return evidence.score is not None and evidence.score >= level
