"""What a report on the ground truth holds: figures that may be undefined, and say why."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = ("thermal only", "visible only", "both")
"""Which camera shows an entity, by its thermal_share: 1, 0, and between."""

SHORT_S = 0.5
"""A wrong label that is gone sooner than that is a flicker."""


@dataclass(frozen=True)
class Figure:
    """A figure, its interval of 95 %, and what it was counted over.

    Attributes:
        value: None where it is not defined.
        low, high: Bounds of its interval, by blocks of neighbouring frames; None where there are
            too few frames, or where they are all alike, so that drawing them anew tells nothing.
        count: What it was counted over: see where it stands.
        reason: Why `value` is None; empty otherwise.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Delay:
    """How long it took until an entity that came into view was labelled.

    Attributes:
        onsets: Times that it came: it was known to be absent in the frame before.
        found: Of these, those with a label before it was gone again.
        missed: The others.
        at_start: Times that it was there when the replay began, or when the truth became known
            again or time jumped: its coming was not seen, so these are in no other count.
        at_start_found: Of these, those with a label.
        median_s, p95_s: Seconds from the onset to the first frame that is labelled present, over
            `found`, which is their `count`; without intervals.
    """

    onsets: int
    found: int
    missed: int
    at_start: int
    at_start_found: int
    median_s: Figure
    p95_s: Figure


@dataclass(frozen=True)
class Flicker:
    """How restless labels are where the truth is known.

    Attributes:
        switches, truth_switches: Changes of the label, and of the truth, over the same steps.
        per_minute, truth_per_minute: The same by time; `count` holds the changes.
        excess_per_minute: Their difference: what the labels switch too often.
        wrong_flips: Stretches of frames in which the label differs from the truth.
        short_flips: Those of them that last less than `SHORT_S`, from their first frame to the
            first right one.
        cut_flips: Those of them of which this cannot be said: shorter, but their beginning or end
            was not seen.
        short_share: short_flips / (wrong_flips - cut_flips), which is its `count`.
    """

    switches: int
    truth_switches: int
    per_minute: Figure
    truth_per_minute: Figure
    excess_per_minute: Figure
    wrong_flips: int
    short_flips: int
    cut_flips: int
    short_share: Figure


@dataclass(frozen=True)
class EntityTruth:
    """An entity's labels beside the truth; frames of unknown truth or without labels left out.

    Attributes:
        name: Of the entity.
        threshold: Score from which it counted as present, 0..1.
        known: Frames that count.
        positives: Those of them that show it.
        true_positive, false_positive, false_negative, true_negative: Of `known`.
        measures: "ap", "f1", "precision", "recall" -> figure; `count` is what it is over: known
            frames, frames labelled or showing it, frames labelled, frames showing it.
        recall_shown: One of SHOWN -> recall over the frames that show it so (`count`).
        delay, flicker: See there.
    """

    name: str
    threshold: float
    known: int
    positives: int
    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    measures: dict[str, Figure]
    recall_shown: dict[str, Figure]
    delay: Delay
    flicker: Flicker


@dataclass(frozen=True)
class TruthReport:
    """Labels beside the truth.

    Attributes:
        frames: Fused frames.
        frames_known: Those for which the truth of an entity is known.
        entities: One for each entity of the vocabulary that the truth speaks of, in order.
        macro: Measure -> mean over the entities for which it is defined (`count`).
        recall_shown: One of SHOWN -> recall over the frames of all entities together (`count`).
        delay, flicker: Of all entities together.
        most_wrong: Numbers of the frames with the most wrong labels, the worst first; those with
            none are left out.
    """

    frames: int
    frames_known: int
    entities: tuple[EntityTruth, ...]
    macro: dict[str, Figure]
    recall_shown: dict[str, Figure]
    delay: Delay
    flicker: Flicker
    most_wrong: tuple[int, ...]
