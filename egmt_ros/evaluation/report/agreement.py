"""Agreement of the published labels with a ground truth that says what each frame shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from egmt_ros.evaluation.report.recording import LabelArray, Vocabulary


@dataclass(frozen=True)
class EntityAgreement:
    """Counts for one entity over the frames whose ground truth is known.

    ``precision`` is None where the entity was never labelled, ``recall`` where it never occurred.
    """

    name: str
    true_positive: int
    false_positive: int
    false_negative: int
    precision: float | None
    recall: float | None


@dataclass(frozen=True)
class Agreement:
    """Over all entities that the model can name and the ground truth knows.

    Attributes:
        frames: Fused frames with known ground truth.
        precision, recall, f1: Micro-averaged over the entities below; None where undefined.
        entities: Those that occurred or were labelled.
        unnamed: Entities of the ground truth that the vocabulary lacks; they are not counted.
    """

    frames: int
    precision: float | None
    recall: float | None
    f1: float | None
    entities: list[EntityAgreement]
    unnamed: list[str]


def agreement_with_truth(
    arrays: Sequence[LabelArray],
    truth: Mapping[int, frozenset[str]] | None,
    vocabulary: Vocabulary,
) -> Agreement | None:
    """Compares ``present`` of every label (the stored thresholds) with the ground truth.

    Args:
        arrays: Published labels; matched by the stamp of their visible frame.
        truth: Visible stamp (ns) -> entities that are there; None where the bag does not say.
        vocabulary: Entities that the model can name. An entity that the ground truth never
            mentions counts as absent from every frame, so labelling it is a false positive.

    Returns:
        None without ground truth.
    """
    if truth is None:
        return None
    pairs = [
        ({label.name for label in array.present()}, truth[array.visible_stamp])
        for array in arrays
        if array.visible_stamp in truth
    ]
    occurring = set().union(*truth.values()) if truth else set()
    known = set(vocabulary.names)
    entities = []
    for name in sorted(known):
        tp = sum(name in said and name in there for said, there in pairs)
        fp = sum(name in said and name not in there for said, there in pairs)
        fn = sum(name not in said and name in there for said, there in pairs)
        if tp or fp or fn:
            entities.append(EntityAgreement(
                name, tp, fp, fn, _ratio(tp, tp + fp), _ratio(tp, tp + fn)))
    tp, fp, fn = (
        sum(getattr(entry, name) for entry in entities)
        for name in ("true_positive", "false_positive", "false_negative")
    )
    return Agreement(
        len(pairs), _ratio(tp, tp + fp), _ratio(tp, tp + fn), _ratio(2 * tp, 2 * tp + fp + fn),
        entities, sorted(occurring - known))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
