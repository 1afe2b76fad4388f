"""What a detector is advised to do with one image: run or not, thresholds, where to look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from egmt_ros.downstream.class_names import DetectorClass
from egmt_ros.downstream.crops import plan_crops, whole_image
from egmt_ros.downstream.gate import Gate, Reason, step
from egmt_ros.downstream.prior import ClassEvidence, EntityPrior, class_evidence, is_fresh
from egmt_ros.downstream.settings import PriorSettings
from egmt_ros.downstream.thresholds import shifted_threshold, threshold_shift
from egmt_ros.pipeline.results import Region


@dataclass(frozen=True)
class ClassAdvice:
    """For one class.

    Attributes:
        reason: Why the detector should run on this image, or should not.
        threshold: Score from which to believe it, 0..1.
        score: Probability of the class in the scene, 0..1, None: not known.
    """

    reason: Reason
    threshold: float
    score: float | None

    @property
    def run(self) -> bool:
        """Whether the detector should look for this class."""
        return self.reason is not Reason.ABSENT


@dataclass(frozen=True)
class Advice:
    """For one image.

    Attributes:
        classes: Class -> advice.
        crops: Where to look, pixels; they do not overlap. Empty: nowhere.
    """

    classes: Mapping[str, ClassAdvice]
    crops: tuple[Region, ...]

    @property
    def run(self) -> bool:
        """Whether the detector should run for any class."""
        return bool(self.crops)


@dataclass(frozen=True)
class Memory:
    """What is remembered from one image to the next: the gates by class."""

    gates: Mapping[str, Gate]


EMPTY = Memory({})
"""Before the first image, and after a change of the vocabulary."""


def advise(
    prior: EntityPrior | None,
    classes: Iterable[DetectorClass],
    *,
    stamp: int,
    width: int,
    height: int,
    settings: PriorSettings | None = None,
    memory: Memory = EMPTY,
) -> tuple[Advice, Memory]:
    """Advice for one image, and what to remember for the next. Changes nothing.

    Everything fails open: without a fresh prior, and for classes that the vocabulary does not
    know, the detector runs on the whole image with its own thresholds.

    Args:
        prior: Of the same moment; None: there is none. One that is older or newer than
            `settings.max_age` counts as none.
        classes: Of the detector.
        stamp: Of the image, ns.
        width, height: Of the image, pixels. It must have the geometry of the fused image.
        settings: None: the defaults.
        memory: From the image before.

    Raises:
        InputError: the image has another size than the prior's (reason `size_mismatch`).
    """
    settings = settings or PriorSettings()
    if prior is not None and not is_fresh(prior, stamp, settings.max_age):
        prior = None
    if prior is not None:
        prior.check_size(width, height)
    advice, gates, regions = {}, {}, []
    for item in classes:
        evidence, otherwise = None, Reason.NO_LABELS
        if prior is not None:
            evidence = class_evidence(prior, item.entities, settings.crop.min_mass)
            otherwise = Reason.UNKNOWN_CLASS
        reason, gates[item.name] = step(
            memory.gates.get(item.name, Gate()), evidence, otherwise, stamp, settings.gate
        )
        advice[item.name] = ClassAdvice(reason, *_threshold(item, evidence, settings))
        if advice[item.name].run:
            regions += _where(reason, evidence, width, height)
    crops = plan_crops(regions, width, height, settings.crop)
    return Advice(advice, crops), Memory(gates)


def _threshold(
    item: DetectorClass, evidence: ClassEvidence | None, settings: PriorSettings
) -> tuple[float, float | None]:
    """(threshold, score) of a class."""
    if evidence is None:
        return item.threshold, None
    shift = threshold_shift(evidence.score, evidence.present, item.base_rate, settings.shift)
    return shifted_threshold(item.threshold, shift, settings.shift.floor), evidence.score


def _where(
    reason: Reason, evidence: ClassEvidence | None, width: int, height: int
) -> tuple[Region, ...]:
    """Where to look for a class that is looked for."""
    if reason is Reason.PRESENT and evidence is not None and evidence.regions is not None:
        return evidence.regions
    return (whole_image(width, height),)
