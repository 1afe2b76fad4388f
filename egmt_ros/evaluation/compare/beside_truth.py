"""The labels of two evaluations beside the ground truth, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.compare.onsets import Onsets, onsets_of
from egmt_ros.evaluation.replay.labels_over_time import entity_scores, label_states
from egmt_ros.evaluation.replay.tables import share_column
from egmt_ros.evaluation.replay.truth_figures import SHOWN

UNKNOWN = -1


@dataclass(frozen=True)
class Beside:
    """An entity's labels beside the truth, of the matched frames, (N,) each.

    Attributes:
        name: Entity.
        truth: 1, 0 or UNKNOWN, which also stands where one of the two has no labels.
        shown: Place in SHOWN, -1 where the truth does not say.
        scores: Of A and B.
        present: Labels of A and B, bool.
        onsets: When it came, and when it was labelled.
    """

    name: str
    truth: np.ndarray
    shown: np.ndarray
    scores: tuple[np.ndarray, np.ndarray]
    present: tuple[np.ndarray, np.ndarray]
    onsets: Onsets


def beside_truth(pair: Pair) -> tuple[list[Beside] | str, list[str]]:
    """The entities that the truth speaks of; a sentence where there are none; notes."""
    tables = [table for table in (pair.a.truth, pair.b.truth) if table is not None]
    if not tables:
        return "neither has ground truth", []
    notes = []
    if len(tables) == 1:
        notes.append(
            f"Only {'A' if pair.a.truth is not None else 'B'} has ground truth; it is held against"
            " the labels of both, frame by frame."
        )
    states, entities, differing = (label_states(pair.a), label_states(pair.b)), [], 0
    stamps = pair.a.scores.keys["stamp"]
    for name in pair.entities:
        truths = [_truth(table.values[name]) for table in tables if name in table.values]
        if not truths:
            continue
        truth = truths[0].copy()
        if len(truths) == 2:
            differs = truths[0] != truths[1]
            differing += int(differs.sum())
            truth[differs] = UNKNOWN
        shares = next(
            (t.values[share_column(name)] for t in tables if share_column(name) in t.values),
            np.full(len(truth), np.nan),
        )
        present = tuple(side[name] for side in states)
        truth[(present[0] < 0) | (present[1] < 0)] = UNKNOWN
        labels = (present[0] == 1, present[1] == 1)
        scores = tuple(entity_scores(side, name) for side in (pair.a, pair.b))
        entities.append(
            Beside(name, truth, _shown(shares), scores, labels, onsets_of(truth, labels, stamps))
        )
    if differing:
        notes.append(
            f"The ground truths differ in {differing} labels of matched frames; these are left out."
        )
    return entities or "the truth speaks of no entity that both vocabularies have", notes


def _truth(column: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(column), column > 0.5, UNKNOWN).astype(np.int8)


def _shown(shares: np.ndarray) -> np.ndarray:
    thermal, visible, both = range(len(SHOWN))
    ways = [shares == 1, shares == 0, np.isfinite(shares)]
    return np.select(ways, [thermal, visible, both], -1)
