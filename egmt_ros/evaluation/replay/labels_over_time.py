"""How the labels of a replay went on and off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.time_axis import runs, steps

ABSENT, PRESENT, UNLABELLED = 0, 1, -1


@dataclass(frozen=True)
class EntityOverTime:
    """An entity over a replay.

    Attributes:
        name: Of the entity.
        threshold: Score from which it counted as present, 0..1.
        frames: Fused frames that have labels.
        present: Those of them in which it was present.
        share: present / frames; None without a frame.
        mean_score: Over the frames that have its score, 0..1; None where none has.
        switches: Changes between present and absent from one frame to the next; not counted where
            time jumps back or pauses (`time_axis.steps`).
        switches_per_minute: By the time of the steps that were counted; None where there is none.
        longest_s: Seconds from the first to the last frame of its longest stretch, 0 for a single
            frame; None where it was never present.
        first_seen, last_seen: Numbers of the first and last frame in which it was present; None
            where it never was.
    """

    name: str
    threshold: float
    frames: int
    present: int
    share: float | None
    mean_score: float | None
    switches: int
    switches_per_minute: float | None
    longest_s: float | None
    first_seen: int | None
    last_seen: int | None


def labels_over_time(result: Result) -> tuple[EntityOverTime, ...]:
    """One entry for each entity of the vocabulary, those seen most often first."""
    scores = result.scores
    stamps = scores.keys.get("stamp", np.zeros(0, np.int64))
    numbers = scores.keys.get("frame", np.arange(len(scores)))
    seconds, states = steps(stamps), label_states(result)
    entries = [
        _entity(name, result.run.thresholds[name], states[name], column, numbers, seconds)
        for name, column in ((n, entity_scores(result, n)) for n in result.run.entities)
    ]
    return tuple(sorted(entries, key=lambda e: (-e.present, -(e.mean_score or 0.0), e.name)))


def entity_scores(result: Result, name: str) -> np.ndarray:
    """(N,) scores of an entity, 0..1, NaN where a frame has none."""
    return result.scores.values.get(name, np.full(len(result.scores), np.nan))


def label_states(result: Result) -> dict[str, np.ndarray]:
    """Entity -> (N,) int8 of the frames of `scores`: PRESENT, ABSENT or UNLABELLED.

    A frame without any score has no labels. An entity without a score in a frame that has others
    was not reported there: absent.
    """
    table = {name: entity_scores(result, name) for name in result.run.entities}
    labelled = np.zeros(len(result.scores), bool)
    for column in table.values():
        labelled |= np.isfinite(column)
    return {
        name: np.where(labelled, column >= result.run.thresholds[name], UNLABELLED).astype(np.int8)
        for name, column in table.items()
    }


def switches(states: np.ndarray, seconds: np.ndarray) -> tuple[int, float]:
    """Changes between frames, and the seconds in which they were counted.

    Args:
        states: (N,) 1, 0, or below where a frame is left out with the steps to and from it.
        seconds: (N - 1,) as of `time_axis.steps`.
    """
    counted = np.isfinite(seconds) & (states[1:] >= 0) & (states[:-1] >= 0)
    changed = counted & (states[1:] != states[:-1])
    return int(changed.sum()), float(seconds[counted].sum())


def per_minute(count: int, seconds: float) -> float | None:
    """Rate of `count` events; None where no time went by."""
    return 60.0 * count / seconds if seconds > 0 else None


def _entity(
    name: str,
    threshold: float,
    states: np.ndarray,
    scores: np.ndarray,
    numbers: np.ndarray,
    seconds: np.ndarray,
) -> EntityOverTime:
    seen = np.flatnonzero(states == PRESENT)
    frames = int((states != UNLABELLED).sum())
    finite = scores[np.isfinite(scores)]
    changes, time = switches(states, seconds)
    lengths = [
        float(seconds[start : stop - 1].sum())
        for start, stop in runs(states, np.isfinite(seconds))
        if states[start] == PRESENT
    ]
    return EntityOverTime(
        name=name,
        threshold=threshold,
        frames=frames,
        present=len(seen),
        share=len(seen) / frames if frames else None,
        mean_score=float(finite.mean()) if len(finite) else None,
        switches=changes,
        switches_per_minute=per_minute(changes, time),
        longest_s=max(lengths, default=None),
        first_seen=int(numbers[seen[0]]) if len(seen) else None,
        last_seen=int(numbers[seen[-1]]) if len(seen) else None,
    )
