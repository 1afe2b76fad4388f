"""Labels of a replay beside the ground truth; what is unknown counts nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.labels.label_metrics import average_precisions
from egmt_ros.evaluation.replay.fusion_over_frames import PICKS, spread
from egmt_ros.evaluation.replay.intervals import Interval, mean_interval, statistic_interval
from egmt_ros.evaluation.replay.label_delay import Onsets, Turns, delay, flicker, onsets, turns
from egmt_ros.evaluation.replay.labels_over_time import entity_scores, label_states
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.tables import share_column
from egmt_ros.evaluation.replay.time_axis import steps
from egmt_ros.evaluation.replay.truth_figures import SHOWN, EntityTruth, Figure, TruthReport

MEASURES = ("ap", "f1", "precision", "recall")
RESAMPLES = 500


class _Entity(NamedTuple):
    """An entity's columns, (N,) each; `known`: truth and label are both there."""

    name: str
    threshold: float
    truth: np.ndarray
    states: np.ndarray
    scores: np.ndarray
    shares: np.ndarray
    known: np.ndarray

    def rows(self, chosen: np.ndarray) -> _Entity:
        return _Entity(self.name, self.threshold, *(column[chosen] for column in self[2:]))


def truth_report(result: Result) -> TruthReport | None:
    """Score the labels; None where the folder holds no ground truth."""
    if result.truth is None:
        return None
    states = label_states(result)
    entities = [
        _entity(result, name, states[name])
        for name in result.run.entities
        if name in result.truth.values
    ]
    seconds = steps(result.scores.keys["stamp"])
    came = [onsets(e.truth, e.states, seconds) for e in entities]
    turned = [turns(e.truth, e.states, seconds) for e in entities]
    scored = tuple(map(_scored, entities, came, turned))
    known = np.zeros(len(result.scores), bool)
    wrong = np.zeros(len(result.scores), int)
    for entity in entities:
        known |= entity.known
        wrong += entity.known & (entity.states != entity.truth)
    return TruthReport(
        frames=len(result.scores),
        frames_known=int(known.sum()),
        entities=scored,
        macro={m: _macro(m, entities, scored, known, wrong) for m in MEASURES},
        recall_shown=_recall_shown(entities),
        delay=delay(came),
        flicker=flicker(turned),
        most_wrong=_most_wrong(wrong, result.scores.keys["frame"]),
    )


def _entity(result: Result, name: str, states: np.ndarray) -> _Entity:
    assert result.truth is not None
    column = result.truth.values[name]
    truth = np.where(np.isnan(column), -1, column).astype(np.int8)
    shares = result.truth.values.get(share_column(name), np.full(len(truth), np.nan))
    return _Entity(
        name, result.run.thresholds[name], truth, states, entity_scores(result, name), shares,
        (truth >= 0) & (states >= 0),
    )  # fmt: skip


def _scored(entity: _Entity, came: Onsets, turned: Turns) -> EntityTruth:
    known = entity.rows(entity.known)
    there, said = known.truth == 1, known.states == 1
    return EntityTruth(
        name=entity.name,
        threshold=entity.threshold,
        known=len(there),
        positives=int(there.sum()),
        true_positive=int((there & said).sum()),
        false_positive=int((~there & said).sum()),
        false_negative=int((there & ~said).sum()),
        true_negative=int((~there & ~said).sum()),
        measures={measure: _measured(measure, known) for measure in MEASURES},
        recall_shown=_recall_shown([entity]),
        delay=delay([came]),
        flicker=flicker([turned]),
    )


def _measured(measure: str, known: _Entity) -> Figure:
    """A measure of the known frames of an entity."""
    there, said = known.truth == 1, known.states == 1
    over = {"ap": there | True, "f1": there | said, "precision": said, "recall": there}[measure]
    count = int(over.sum())
    reason = _why_not(measure, known)
    if reason:
        return Figure(None, count=count, reason=reason)
    found = statistic_interval(
        _resampled(measure, known), np.stack([there, said], 1), resamples=RESAMPLES
    )
    return _figure(found, count)


def _why_not(measure: str, known: _Entity) -> str:
    """Why a measure is not defined; empty where it is."""
    there, said = known.truth == 1, known.states == 1
    if not len(there):
        return "the truth is known of no frame that has labels"
    if measure in ("ap", "recall") and not there.any():
        return "it is never there"
    if measure == "precision" and not said.any():
        return "it is never labelled"
    if measure == "f1" and not (there | said).any():
        return "it is never there and never labelled"
    if measure == "ap" and there.all():
        return "it is always there"
    missing = int((~np.isfinite(known.scores)).sum())
    if measure == "ap" and missing:
        return (
            f"{missing} of {len(there)} known frames lack its score: labels list what is present"
            " alone, unless entities.publish_all is set"
        )
    return ""


def _resampled(measure: str, entity: _Entity) -> Callable[[np.ndarray], np.ndarray]:
    """The measure as a function of (B, N) times that each frame is drawn; NaN undefined."""
    if measure == "ap":
        truth = np.where(entity.known, entity.truth, -1)
        return lambda counts: average_precisions(truth, entity.scores, counts)
    there, said = entity.known & (entity.truth == 1), entity.known & (entity.states == 1)
    weights = {"f1": (1.0, 1.0), "precision": (0.0, 2.0), "recall": (2.0, 0.0)}[measure]

    def share(counts: np.ndarray) -> np.ndarray:
        # Twice the hits by: what is there plus what is said (F1), twice either (the other two).
        below = weights[0] * (counts @ there) + weights[1] * (counts @ said)
        return np.where(below > 0, 2 * (counts @ (there & said)) / np.maximum(below, 1), np.nan)

    return share


def _macro(
    measure: str,
    entities: Sequence[_Entity],
    scored: Sequence[EntityTruth],
    known: np.ndarray,
    wrong: np.ndarray,
) -> Figure:
    """Mean over the entities for which the measure is defined; frames are drawn for all at once."""
    defined = [
        entity.rows(known)
        for entity, row in zip(entities, scored, strict=True)
        if row.measures[measure].value is not None
    ]
    if not defined:
        return Figure(None, reason="it is defined for no entity")
    single = [_resampled(measure, entity) for entity in defined]

    def mean(counts: np.ndarray) -> np.ndarray:
        values = np.stack([statistic(counts) for statistic in single])
        found = np.isfinite(values)
        total = np.where(found, values, 0.0).sum(0)
        return np.where(found.any(0), total / np.maximum(found.sum(0), 1), np.nan)

    found = statistic_interval(mean, wrong[known].astype(float), resamples=RESAMPLES)
    return _figure(found, len(defined))


def _recall_shown(entities: Sequence[_Entity]) -> dict[str, Figure]:
    """Recall by the camera that shows an entity, over all entities, in the order of time."""
    frames, shares, labelled = (
        np.concatenate(column)
        for column in zip([np.zeros(0)] * 3, *map(_shown, entities), strict=True)
    )
    order = np.argsort(frames, kind="stable")
    shares, labelled = shares[order], labelled[order]
    ways = (shares == 1, shares == 0, (shares > 0) & (shares < 1))
    table = {}
    for shown, chosen in zip(SHOWN, ways, strict=True):
        if chosen.any():
            found = mean_interval(labelled[chosen], resamples=RESAMPLES)
            table[shown] = _figure(found, int(chosen.sum()))
        else:
            table[shown] = Figure(None, reason="no frame is known to show it so")
    return table


def _shown(entity: _Entity) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, share of the thermal image, and whether it was labelled, of the frames that show it."""
    there = np.flatnonzero(entity.known & (entity.truth == 1))
    return there, entity.shares[there], entity.states[there] == 1


def _figure(found: Interval, count: int) -> Figure:
    varied = np.isfinite(found.low) and found.low < found.high
    low, high = (found.low, found.high) if varied else (None, None)
    return Figure(found.mean, low, high, count)


def _most_wrong(wrong: np.ndarray, numbers: np.ndarray) -> tuple[int, ...]:
    order = [int(i) for i in np.argsort(-wrong, kind="stable") if wrong[i]]
    apart = max(1, len(wrong) // (4 * PICKS))
    return tuple(int(numbers[i]) for i in spread(order, np.arange(len(wrong)), apart, PICKS))
