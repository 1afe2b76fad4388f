"""What one frame's entity labels say, for someone who looks for objects in that frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from egmt_ros.errors import InputError
from egmt_ros.pipeline.results import Region

if TYPE_CHECKING:
    from egmt_ros.pipeline.results import FusionResult

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Evidence:
    """What the labels say of one entity.

    Attributes:
        present: Whether its score reaches its threshold.
        score: Probability that it is in the scene, 0..1; None: not listed, which the fusion node
            does with entities below their threshold.
        region: Extent of its attention: evidence, not a box. None: somewhere in the image.
        region_mass: Share of its attention inside the region, 0..1; 0 without one.
    """

    present: bool
    score: float | None
    region: Region | None = None
    region_mass: float = 0.0


UNLISTED = Evidence(present=False, score=None)


@dataclass(frozen=True)
class EntityPrior:
    """The labels of one fused frame.

    Attributes:
        stamp: Source stamp of the frame, ns.
        width, height: Size of the fused image, pixels.
        vocabulary_hash: Hash of the vocabulary; empty where it does not matter.
        names: Every entity that could have been named.
        listed: What is said of the entities that are listed.
    """

    stamp: int
    width: int
    height: int
    vocabulary_hash: str
    names: tuple[str, ...]
    listed: Mapping[str, Evidence]

    def of(self, name: str) -> Evidence | None:
        """What is said of an entity; None: the model does not know it, so nothing is said."""
        if name not in self.names:
            return None
        return self.listed.get(name, UNLISTED)

    def check_size(self, width: int, height: int) -> None:
        """Raise InputError (reason `size_mismatch`) unless an image has the labels' size."""
        if (self.width, self.height) != (width, height):
            raise InputError(
                f"image is {width}x{height} pixels and its labels are of"
                f" {self.width}x{self.height}: take the fused image, or one of its geometry",
                "size_mismatch",
            )

    @classmethod
    def from_result(cls, result: FusionResult, stamp: int) -> EntityPrior:
        """That of a frame fused by `FusionEngine.fuse`.

        Args:
            result: Of the engine.
            stamp: Source stamp of the frame, ns.
        """
        height, width = result.image.shape[:2]
        listed = {
            label.name: Evidence(label.present, label.score, label.region, label.region_mass)
            for label in result.labels
        }
        return cls(stamp, width, height, "", tuple(result.scores), listed)

    @classmethod
    def from_message(cls, array: Any, vocabulary: Any) -> EntityPrior:
        """That of a message.

        Args:
            array: egmt_msgs/EntityLabelArray, or any object with its fields.
            vocabulary: The egmt_msgs/EntityVocabulary in force, or any object with its fields.

        Raises:
            InputError: reason `vocabulary_hash` if the array refers to another vocabulary, which
                is normal for a moment after a change; `bad_label` if a label contradicts the
                vocabulary, the image's size or the range of a score.
        """
        if array.vocabulary_hash != vocabulary.vocabulary_hash:
            raise InputError(
                f"labels refer to the vocabulary {array.vocabulary_hash!r}, known is"
                f" {vocabulary.vocabulary_hash!r}: wait for the new one on the topic"
                " ~/output/vocabulary of the fusion node (reliable, transient local)",
                "vocabulary_hash",
            )
        names = tuple(vocabulary.names)
        return cls(
            stamp=stamp_ns(array.header.stamp),
            width=array.width,
            height=array.height,
            vocabulary_hash=array.vocabulary_hash,
            names=names,
            listed=dict(_read(label, names, array) for label in array.labels),
        )


def _read(label: Any, names: Sequence[str], array: Any) -> tuple[str, Evidence]:
    name = names[label.index] if label.index < len(names) else None
    if name != label.name:
        raise _bad_label(label, f"index {label.index}, which is {name!r} in the vocabulary")
    if not 0.0 <= label.score <= 1.0:  # also for NaN
        raise _bad_label(label, f"the score {label.score!r}, which is not in 0..1")
    if label.region_source != label.REGION_ATTENTION:
        return name, Evidence(label.present, float(label.score))
    region = Region(
        label.region.x_offset, label.region.y_offset, label.region.width, label.region.height
    )
    if not (
        region.width > 0
        and region.height > 0
        and region.x + region.width <= array.width
        and region.y + region.height <= array.height
    ):
        raise _bad_label(label, f"{region}, which is not inside {array.width}x{array.height}")
    return name, Evidence(label.present, float(label.score), region, float(label.region_mass))


def _bad_label(label: Any, what: str) -> InputError:
    return InputError(
        f"label {label.name!r} has {what}: check that all messages come from one fusion node",
        "bad_label",
    )


def stamp_ns(stamp: Any) -> int:
    """Nanoseconds of a builtin_interfaces/Time, or of any object with its fields."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def age(prior: EntityPrior, stamp: int) -> float:
    """How much older the prior is than an image of this stamp (ns), seconds; negative: newer."""
    return (stamp - prior.stamp) / NANOSECONDS


def is_fresh(prior: EntityPrior, stamp: int, max_age: float) -> bool:
    """Whether a prior may be used for an image of this stamp (ns).

    A prior that is newer is as wrong as one that is older: both were made from another moment.
    """
    return abs(age(prior, stamp)) <= max_age


@dataclass(frozen=True)
class ClassEvidence:
    """What the labels say of one class of a detector.

    Attributes:
        present: Whether one of its entities is present.
        score: Highest score of its entities, 0..1; None if none of them is listed.
        regions: Where those present are; None: somewhere in the image.
    """

    present: bool
    score: float | None
    regions: tuple[Region, ...] | None


def class_evidence(
    prior: EntityPrior, entities: Iterable[str], min_mass: float
) -> ClassEvidence | None:
    """Combine the evidence of the entities that mean a class.

    Args:
        prior: Of the frame.
        entities: Those that mean the class (`egmt_ros.downstream.class_names`).
        min_mass: Regions with a smaller share of the attention, 0..1, count as none.

    Returns:
        None if the model knows none of the entities.
    """
    known = [evidence for name in entities if (evidence := prior.of(name)) is not None]
    if not known:
        return None
    scores = [evidence.score for evidence in known if evidence.score is not None]
    present = [evidence for evidence in known if evidence.present]
    located = all(e.region is not None and e.region_mass >= min_mass for e in present)
    return ClassEvidence(
        present=bool(present),
        score=max(scores) if scores else None,
        regions=tuple(e.region for e in present) if present and located else None,
    )
