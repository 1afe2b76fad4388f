"""How soon two evaluations label an entity that comes into view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.compare.figures import Draws, Measured
from egmt_ros.evaluation.compare.fusion_figures import paired
from egmt_ros.evaluation.replay.label_delay import stays
from egmt_ros.evaluation.replay.time_axis import steps

NONE_SEEN = "no entity was seen coming into view"


class Onsets(NamedTuple):
    """Comings into view of an entity.

    Attributes:
        stamps: (M,) ns.
        delays: (M, 2) s until A and B label it; NaN where it is gone before.
    """

    stamps: np.ndarray
    delays: np.ndarray


def onsets_of(
    truth: np.ndarray, labels: tuple[np.ndarray, np.ndarray], stamps: np.ndarray
) -> Onsets:
    """Find the comings: see `label_delay.Stay`.

    Args:
        truth: (N,) 1 present, 0 absent, below unknown.
        labels: (N,) bool of A and of B.
        stamps: (N,) ns.
    """
    found, delays = [], []
    for start, stop, came in stays(truth, np.isfinite(steps(stamps))):
        if not came:
            continue
        found.append(stamps[start])
        first = [start + int(side[start:stop].argmax()) for side in labels]
        delays.append([
            (stamps[row] - stamps[start]) / 1e9 if side[row] else np.nan
            for row, side in zip(first, labels, strict=True)
        ])  # fmt: skip
    return Onsets(np.array(found, np.int64), np.array(delays, np.float64).reshape(-1, 2))


def onset_delay(entities: Sequence[Onsets], draws: Draws) -> Measured:
    """Mean delay over the comings that both label."""
    delays = _in_order(entities)
    if not len(delays):
        return Measured(None, None, None, reason=NONE_SEEN)
    return paired(delays[:, 0], delays[:, 1], draws, "no coming into view was labelled by both")


def found_onsets(entities: Sequence[Onsets], draws: Draws) -> Measured:
    """Share of the comings that are labelled before the entity is gone again."""
    found = np.isfinite(_in_order(entities)).astype(np.float64)
    return paired(found[:, 0], found[:, 1], draws, NONE_SEEN)


def _in_order(entities: Sequence[Onsets]) -> np.ndarray:
    stamps = np.concatenate([entity.stamps for entity in entities])
    delays = np.concatenate([entity.delays for entity in entities])
    return delays[np.argsort(stamps, kind="stable")]
