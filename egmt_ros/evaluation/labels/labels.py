"""Quality of the label scores of a split: a table of entities, macro AP, and what it is worth.

Macro AP stands beside the mean prevalence, which is what scores without any knowledge reach, and
beside other scores for the same frames (a linear probe); both differences get a paired bootstrap
interval: every resample holds the same frames for both. Frames that are drawn twice lift the
average precision of a resample a little, so percentile intervals of AP, and of AP less prevalence,
lie somewhat high; between two sets of scores that cancels.
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.evaluation.labels.label_bootstrap import (
    RESAMPLES,
    Estimate,
    percentile_estimate,
    resample_counts,
)
from egmt_ros.evaluation.labels.label_metrics import (
    auroc,
    aurocs,
    average_precision,
    average_precisions,
    expected_calibration_error,
    f1,
    recall,
    specificity,
)

LEAST = 10
"""Positives and negatives that an entity needs for `LabelScores.counted`."""


@dataclass(frozen=True)
class EntityScore:
    """Quality of one entity's scores over the frames where it is known.

    Attributes:
        name: Entity.
        known: Frames where it is known to be present or absent.
        positives: Frames where it is present.
        prevalence: positives / known; None if nothing is known.
        threshold: Score from which it counts as present.
        ap: Average precision; None without a positive or a negative, as `auroc`.
        auroc: Area under the ROC curve.
        f1: At the threshold.
        recall: At the threshold; None without a positive.
        specificity: At the threshold; None without a negative.
        calibration_error: Expected calibration error; see label_metrics.
        others: Name of the other scores -> their average precision.
    """

    name: str
    known: int
    positives: int
    prevalence: float | None
    threshold: float
    ap: Estimate
    auroc: Estimate
    f1: float | None
    recall: float | None
    specificity: float | None
    calibration_error: float | None
    others: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """Macro AP of other scores, and how far ours is above it (paired)."""

    ap: Estimate
    gain: Estimate


@dataclass(frozen=True)
class MacroScore:
    """Mean over entities.

    Attributes:
        entities: Which ones.
        ap: Macro average precision.
        prevalence: Mean prevalence of these entities.
        gain: ap - prevalence, paired.
        others: Name of the other scores -> comparison.
        f1: Mean F1 at the thresholds.
        calibration_error: Mean expected calibration error.
    """

    entities: tuple[str, ...]
    ap: Estimate
    prevalence: float | None
    gain: Estimate
    others: dict[str, Comparison]
    f1: float | None
    calibration_error: float | None


@dataclass(frozen=True)
class LabelScores:
    """Quality of the label scores of some frames.

    Attributes:
        frames: Number of frames.
        groups: Number of groups (scenes) that were drawn.
        entities: In the order of the vocabulary.
        macro: Over the entities with a known positive and a known negative.
        counted: Over those with at least LEAST of each.
    """

    frames: int
    groups: int
    entities: tuple[EntityScore, ...]
    macro: MacroScore
    counted: MacroScore

    def of(self, name: str) -> EntityScore:
        """The row of an entity; KeyError if there is none."""
        return {entity.name: entity for entity in self.entities}[name]


def score_labels(
    truth: np.ndarray,
    scores: np.ndarray,
    thresholds: Sequence[float],
    names: Sequence[str],
    *,
    groups: Sequence[Hashable] | None = None,
    others: Mapping[str, np.ndarray] | None = None,
    least: int = LEAST,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> LabelScores:
    """Score labels against the truth.

    An entity that a resample holds no positive or no negative of is left out of that resample's
    means, of ours and of the others' alike.

    Args:
        truth: (N, E) 1 present, 0 absent, -1 unknown.
        scores: (N, E) 0..1.
        thresholds: E scores from which the entities count as present.
        names: E entities.
        groups: N names; frames of one name are drawn together. None: each frame by itself.
        others: Name -> (N, E) scores to compare with.
        least: Positives and negatives that an entity needs for `counted`.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        InputError: Shapes do not fit, or there is no frame.
    """
    truth, scores, others = np.asarray(truth), np.asarray(scores), dict(others or {})
    groups = range(len(truth)) if groups is None else groups
    _check(truth, scores, thresholds, names, groups, others)
    counts = resample_counts(groups, resamples, seed)
    drawn = {"": _draw(truth, scores, counts)}
    drawn.update({name: _draw(truth, found, counts) for name, found in others.items()})
    chance = _draw_prevalence(truth, counts)
    entities = tuple(
        _entity(
            names[e],
            truth[:, e],
            scores[:, e],
            float(thresholds[e]),
            drawn[""][:, e],
            aurocs(truth[:, e], scores[:, e], counts),
            {name: average_precision(truth[:, e], found[:, e]) for name, found in others.items()},
        )
        for e in range(len(names))
    )
    both = [e for e, row in enumerate(entities) if row.ap.value is not None]
    enough = [e for e in both if least <= entities[e].positives <= entities[e].known - least]
    return LabelScores(
        len(truth),
        len(set(groups)),
        entities,
        _macro(both, entities, drawn, chance),
        _macro(enough, entities, drawn, chance),
    )


def _entity(
    name: str,
    truth: np.ndarray,
    scores: np.ndarray,
    threshold: float,
    precisions: np.ndarray,
    areas: np.ndarray,
    others: dict[str, float | None],
) -> EntityScore:
    known, positives = int((truth >= 0).sum()), int((truth == 1).sum())
    return EntityScore(
        name,
        known,
        positives,
        positives / known if known else None,
        threshold,
        percentile_estimate(average_precision(truth, scores), precisions),
        percentile_estimate(auroc(truth, scores), areas),
        f1(truth, scores, threshold),
        recall(truth, scores, threshold),
        specificity(truth, scores, threshold),
        expected_calibration_error(truth, scores),
        others,
    )


def _macro(
    chosen: list[int],
    entities: tuple[EntityScore, ...],
    drawn: dict[str, np.ndarray],
    chance: np.ndarray,
) -> MacroScore:
    rows = [entities[e] for e in chosen]
    ap, prevalence = _mean([r.ap.value for r in rows]), _mean([r.prevalence for r in rows])
    macro = {name: _row_means(values[:, chosen]) for name, values in drawn.items()}
    others = {}
    for name in macro.keys() - {""}:
        value = _mean([r.others[name] for r in rows])
        others[name] = Comparison(
            percentile_estimate(value, macro[name]),
            percentile_estimate(_difference(ap, value), macro[""] - macro[name]),
        )
    return MacroScore(
        tuple(r.name for r in rows),
        percentile_estimate(ap, macro[""]),
        prevalence,
        percentile_estimate(_difference(ap, prevalence), macro[""] - _row_means(chance[:, chosen])),
        {name: others[name] for name in drawn if name},
        _mean([r.f1 for r in rows]),
        _mean([r.calibration_error for r in rows]),
    )


def _draw(truth: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, E) average precision of each resample."""
    columns = zip(truth.T, scores.T, strict=True)
    return np.stack([average_precisions(t, s, counts) for t, s in columns], 1)


def _draw_prevalence(truth: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, E) prevalence of each resample; NaN where its average precision is."""
    positives, negatives = counts @ (truth == 1), counts @ (truth == 0)
    defined = (positives > 0) & (negatives > 0)
    return np.where(defined, positives / np.maximum(positives + negatives, 1), np.nan)


def _row_means(values: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row of NaN alone has the mean NaN
        return np.nanmean(values, 1)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _check(
    truth: np.ndarray,
    scores: np.ndarray,
    thresholds: Sequence[float],
    names: Sequence[str],
    groups: Sequence[Hashable],
    others: Mapping[str, np.ndarray],
) -> None:
    expected = (len(truth), len(names))
    for what, found in (("truth", truth), ("scores", scores), *others.items()):
        if np.shape(found) != expected:
            raise InputError(
                f"{what} is {np.shape(found)}; expected {expected}: a row a frame and a column "
                f"an entity, for {len(names)} names"
            )
    if len(thresholds) != len(names) or len(groups) != len(truth):
        raise InputError(
            f"{len(thresholds)} thresholds and {len(groups)} groups; expected {len(names)}, one "
            f"an entity, and {len(truth)}, one a frame"
        )
