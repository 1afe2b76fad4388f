"""Entity labels of two evaluations beside the ground truth: which ones are right more often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from egmt_ros.evaluation.compare.beside_truth import Beside, beside_truth
from egmt_ros.evaluation.compare.figures import Draws, Figure, Measured, unmeasured
from egmt_ros.evaluation.compare.fusion_figures import doubt
from egmt_ros.evaluation.compare.label_figures import only_in, slug
from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.compare.onsets import found_onsets, onset_delay
from egmt_ros.evaluation.labels.label_metrics import average_precisions
from egmt_ros.evaluation.labels.labels import LEAST
from egmt_ros.evaluation.replay.intervals import Interval, function_interval, statistic_interval
from egmt_ros.evaluation.replay.truth_figures import SHOWN

SHOWN_RECALLS = tuple(f"recall_{name.replace(' ', '_')}" for name in SHOWN)
RATES = ("f1", "precision", "recall", "specificity", *SHOWN_RECALLS)
TITLES = {
    "ap": "average precision",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "recall_thermal_only": "recall where only the thermal image shows it",
    "recall_visible_only": "recall where only the visible image shows it",
    "recall_both": "recall where both images show it",
    "onsets_found": "share of comings into view that are labelled",
    "delay_s": "detection delay, s",
}
POOLED = (*SHOWN_RECALLS, "onsets_found", "delay_s")
"""Of all entities together, as each has few; the others are means over the entities."""


def truth_figures(pair: Pair) -> tuple[list[Figure], list[str]]:
    """Means over the entities and each entity, and what a reader should know of the truth."""
    entities, notes = beside_truth(pair)
    if isinstance(entities, str):
        figures = _lacking("", "", entities)
        reasons = dict.fromkeys(pair.entities, entities)
    else:
        figures = _figures(entities, "", "")
        for entity in entities:
            figures += _figures([entity], slug(entity.name), entity.name)
        told = {entity.name for entity in entities}
        silent = [name for name in pair.entities if name not in told]
        reasons = dict.fromkeys(silent, "the truth does not speak of it")
    reasons |= {name: only_in(side) for name, side in pair.lone_entities.items()}
    for name, reason in reasons.items():
        figures += _lacking(slug(name), name, reason)
    return figures, notes


def _lacking(short: str, title: str, reason: str) -> list[Figure]:
    measure = unmeasured(reason)
    return [
        Figure(_name(short, what), _title(title, what), _direction(what), measure)
        for what in TITLES
    ]


def _title(entity: str, what: str) -> str:
    of = entity or ("all entities" if what in POOLED else "mean over entities")
    return f"{of}: {TITLES[what]}"


def _name(short: str, what: str) -> str:
    return f"labels.{short}.{what}" if short else f"labels.{what}"


def _direction(what: str) -> int:
    return -1 if what == "delay_s" else 1


def _figures(entities: Sequence[Beside], short: str, title: str) -> list[Figure]:
    measures: dict[str, Callable[[Draws], Measured]] = {
        "ap": lambda draws: _average_precision(entities, draws),
        "onsets_found": lambda draws: found_onsets([e.onsets for e in entities], draws),
        "delay_s": lambda draws: onset_delay([e.onsets for e in entities], draws),
    }
    for what in RATES:
        measures[what] = lambda draws, what=what: _rate(entities, what, draws)
    return [
        Figure(_name(short, what), _title(title, what), _direction(what), measures[what])
        for what in TITLES
    ]


def _average_precision(entities: Sequence[Beside], draws: Draws) -> Measured:
    counted = [e for e in entities if (e.truth == 1).any() and (e.truth == 0).any()]
    if not counted:
        return _undefined("the truth knows no entity both present and absent")
    counted = [e for e in counted if np.isfinite(np.stack(e.scores, 1)[e.truth >= 0]).all()]
    if not counted:
        return _undefined("frames lack scores: set entities.publish_all for both")

    def mean(counts: np.ndarray, side: int) -> np.ndarray:
        found = [average_precisions(e.truth, e.scores[side], counts) for e in counted]
        return _mean_of_defined(np.stack(found, 1))

    known = np.any([e.truth >= 0 for e in counted], 0)
    moves = np.stack([column for e in counted for column in (_gain(e), _errors(e))], 1)
    found = statistic_interval(
        lambda counts: mean(counts, 1) - mean(counts, 0),
        moves,
        resamples=draws.resamples,
        seed=draws.seed,
    )
    whole = np.ones((1, len(known)))
    values = (float(mean(whole, side)[0]) for side in (0, 1))
    told = [sum((e.truth == side).sum() for e in counted) for side in (0, 1)]
    found = _of_enough(replace(found, count=int(known.sum())), min(told))
    return Measured(*values, found, reason=doubt(found))


def _gain(entity: Beside) -> np.ndarray:
    """(N,) how much higher the score of a frame is in B."""
    return np.where(entity.truth >= 0, entity.scores[1] - entity.scores[0], 0.0)


def _errors(entity: Beside) -> np.ndarray:
    """(N,) how many more of the two labels of a frame are wrong in B than in A."""
    a, b = (side != (entity.truth == 1) for side in entity.present)
    return (entity.truth >= 0) * (b.astype(float) - a)


def _rate(entities: Sequence[Beside], what: str, draws: Draws) -> Measured:
    """Mean over the entities for which it is defined in both."""
    parts = [_parts(entity, what) for entity in entities]
    if what in POOLED:
        parts = [np.sum(parts, 0)]
    parts = [part for part in parts if part[:, -1].any()]
    if not parts:
        lacks = "absent" if what == "specificity" else "present so"
        return _undefined(f"the truth knows no frame where it is {lacks}")
    columns = np.concatenate(parts, 1)

    def values(means: np.ndarray) -> np.ndarray:
        """(B, 2) of A and B."""
        rates = np.stack([_rates(means[:, i : i + 5], what) for i in range(0, means.shape[1], 5)])
        rates[~np.isfinite(rates).all(2)] = np.nan
        return np.stack([_mean_of_defined(rates[:, :, side].T) for side in (0, 1)], 1)

    found = function_interval(
        lambda means: np.diff(values(means))[:, 0],
        columns,
        resamples=draws.resamples,
        seed=draws.seed,
    )
    a, b = map(float, values(columns.mean(0)[None])[0])
    if np.isnan(a):
        return _undefined("one of the two never labels it")
    hit = np.sum([part.sum(0) for part in parts], 0)
    found = replace(found, count=int(np.any([part[:, -1] for part in parts], 0).sum()))
    found = _of_enough(found, int(hit[2:4].min() if what == "precision" else hit[4]))
    return Measured(a, b, found, reason=doubt(found))


def _of_enough(found: Interval, frames: int) -> Interval:
    """Without bounds where a figure hangs on few frames, as resamples of one are all alike."""
    if frames >= LEAST or found.verdict == "equal":
        return found
    return replace(found, low=np.nan, high=np.nan, count=frames)


def _rates(means: np.ndarray, what: str) -> np.ndarray:
    """(B, 2) of A and B from the (B, 5) means of `_parts`; NaN where nothing is to be hit."""
    hits, reported, total = means[:, :2], means[:, 2:4], means[:, 4:]
    if what == "precision":
        return _divide(hits, reported)
    return _divide(2 * hits, (reported + total) * (total > 0)) if what == "f1" else _divide(
        hits, total
    )


def _parts(entity: Beside, what: str) -> np.ndarray:
    """(N, 5): hits of A and B, labels of A and B where the truth is known, what is to be hit."""
    present = np.stack(entity.present, 1)
    known = entity.truth >= 0
    if what == "specificity":
        total, hits = entity.truth == 0, ~present
    else:
        total, hits = entity.truth == 1, present
        if what in SHOWN_RECALLS:
            total = total & (entity.shown == SHOWN_RECALLS.index(what))
    columns = [hits & total[:, None], present & known[:, None], total[:, None]]
    return np.concatenate(columns, 1).astype(np.float64)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)


def _mean_of_defined(values: np.ndarray) -> np.ndarray:
    """(B,) mean over (B, E) of what is defined; NaN where nothing is."""
    defined = np.isfinite(values)
    return _divide(np.where(defined, values, 0).sum(1), defined.sum(1))


def _undefined(reason: str) -> Measured:
    return Measured(None, None, None, reason=reason)
