"""Entity labels of two evaluations beside each other: agreement, presence, switches."""

from __future__ import annotations

import numpy as np

from egmt_ros.evaluation.compare.figures import Draws, Figure, Measured, unmeasured
from egmt_ros.evaluation.compare.frame_figures import scaled
from egmt_ros.evaluation.compare.fusion_figures import doubt
from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.replay.intervals import mean_interval
from egmt_ros.evaluation.replay.labels_over_time import label_states
from egmt_ros.evaluation.replay.time_axis import steps

NO_LABELS = "no matched frame has labels in both"


def slug(entity: str) -> str:
    """How gates call an entity: "traffic light" is traffic_light."""
    return "_".join(entity.lower().replace("-", " ").split())


def label_figures(pair: Pair) -> list[Figure]:
    """Of all entities together and of each; none of them is better by being more."""
    states = label_states(pair.a), label_states(pair.b)
    figures = _figures(pair, states, pair.entities, "", "all entities")
    for name in pair.entities:
        figures += _figures(pair, states, (name,), slug(name), name)
    for name, side in pair.lone_entities.items():
        measure = unmeasured(only_in(side))
        short = slug(name)
        figures += [
            Figure(f"labels.{short}.present", f"{name}: present", 0, measure),
            Figure(f"labels.{short}.disagreement", f"{name}: labelled otherwise", 0, measure),
            Figure(f"switches_per_minute.{short}", f"{name}: switches per minute", 0, measure),
        ]
    return figures


def only_in(side: str) -> str:
    """Why an entity of one vocabulary cannot be compared."""
    return f"only the vocabulary of {side} has this entity"


def _figures(
    pair: Pair,
    states: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
    entities: tuple[str, ...],
    short: str,
    title: str,
) -> list[Figure]:
    """Of some entities together: each row is a frame, and what is counted their sum."""

    def present(draws: Draws) -> Measured:
        return _presence(*_stacked(states, entities), draws)

    def disagreement(draws: Draws) -> Measured:
        return _disagreement(*_stacked(states, entities), draws)

    def switches(draws: Draws) -> Measured:
        seconds = steps(pair.a.scores.keys["stamp"])
        return _switches(*_stacked(states, entities), seconds, draws)

    labels = f"labels.{short}." if short else "labels."
    return [
        Figure(f"{labels}present", f"{title}: share of frames labelled present", 0, present),
        Figure(f"{labels}disagreement", f"{title}: share of frames labelled otherwise", 0,
               disagreement),
        Figure(f"switches_per_minute.{short}" if short else "switches_per_minute",
               f"{title}: switches per minute", 0, switches),
    ]  # fmt: skip


def _stacked(
    states: tuple[dict[str, np.ndarray], dict[str, np.ndarray]], entities: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """(N, E) states of each; E is 0 where the vocabularies share no entity."""
    a, b = (
        np.stack([side[name] for name in entities], 1) if entities else np.zeros((0, 0), np.int8)
        for side in states
    )
    return a, b


def _presence(a: np.ndarray, b: np.ndarray, draws: Draws) -> Measured:
    both = _labelled(a, b)
    if not both.any():
        return Measured(None, None, None, reason=NO_LABELS)
    before, after = a[both].mean(1), b[both].mean(1)
    found = mean_interval(after - before, resamples=draws.resamples, seed=draws.seed)
    return Measured(float(before.mean()), float(after.mean()), found, reason=doubt(found))


def _disagreement(a: np.ndarray, b: np.ndarray, draws: Draws) -> Measured:
    """The share itself stands as the difference: there is none of A or of B alone."""
    both = _labelled(a, b)
    if not both.any():
        return Measured(None, None, None, reason=NO_LABELS)
    share = (a[both] != b[both]).mean(1)
    found = mean_interval(share, resamples=draws.resamples, seed=draws.seed)
    return Measured(None, None, found, reason=doubt(found))


def _switches(a: np.ndarray, b: np.ndarray, seconds: np.ndarray, draws: Draws) -> Measured:
    """By the time of the steps; those across a pause are left out, as in `labels_over_time`."""
    both = _labelled(a, b)
    counted = np.isfinite(seconds) & both[1:] & both[:-1] if len(both) else np.zeros(0, bool)
    minutes = float(seconds[counted].sum()) / 60 if counted.any() else 0.0
    if minutes <= 0:
        return Measured(None, None, None, reason="no two frames in a row have labels in both")
    before, after = ((side[1:] != side[:-1])[counted].sum(1) for side in (a, b))
    found = mean_interval(after - before, resamples=draws.resamples, seed=draws.seed)
    rates = (float(side.sum()) / minutes for side in (before, after))
    return Measured(*rates, scaled(found, len(before) / minutes), reason=doubt(found))


def _labelled(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N,) whether every entity of a frame is labelled present or absent in both."""
    return ((a >= 0) & (b >= 0)).all(1)
