"""What goes out for each fused pair, as the fields of egmt_msgs' messages.

The classes of the messages are given: those of an installed ROS for the node, those of rosbags for
the bag that an evaluation writes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from egmt_ros.node_core.parameters import EntityParameters
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.results import EntityLabel, FusionResult


class MessageTypes(Protocol):
    """The message classes that are used; each takes all of its fields by name."""

    EntityLabel: Any
    EntityLabelArray: Any
    EntityVocabulary: Any
    RegionOfInterest: Any
    Time: Any


@dataclass(frozen=True)
class ModelIdentity:
    """What messages and diagnostics say about the model."""

    model_id: str
    vocabulary_hash: str
    text_encoder: str
    device: str
    runtime: str
    names: tuple[str, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def of(cls, engine: object) -> ModelIdentity:
        """That of an engine (`processing.Engine`)."""
        return cls(
            model_id=engine.model_id,
            vocabulary_hash=engine.vocabulary_hash,
            text_encoder=engine.text_encoder,
            device=str(engine.device),
            runtime=engine.runtime,
            names=tuple(engine.names),
            thresholds=tuple(float(value) for value in engine.thresholds),
        )

    @property
    def vocabulary(self) -> tuple[object, ...]:
        """What ~/output/vocabulary says of it: equal where a new message would say nothing new."""
        return (
            self.model_id, self.text_encoder, self.vocabulary_hash, self.names, self.thresholds
        )


def label_array(
    types: MessageTypes,
    result: FusionResult,
    *,
    header: Any,
    stamps: Mapping[Side, Any],
    model: ModelIdentity,
    entities: EntityParameters,
) -> Any:
    """The EntityLabelArray: best first; empty if nothing is present, unless `publish_all`.

    Args:
        types: Classes of the messages.
        result: Of the engine.
        header: That of the fused image.
        stamps: Source stamps of the pair; of a camera that is missing there is none.
        model: What made the labels.
        entities: `threshold` below 0 stands for each entity's own; at most `max_labels`. With
            another one a label has a region only if it reaches both thresholds: the engine looks
            for regions by the entity's own.
    """
    height, width = result.image.shape[:2]
    thermal = result.thermal
    nowhen = types.Time(sec=0, nanosec=0)
    return types.EntityLabelArray(
        header=header,
        thermal_stamp=stamps.get(Side.THERMAL, nowhen),
        visible_stamp=stamps.get(Side.VISIBLE, nowhen),
        width=width,
        height=height,
        model_id=model.model_id,
        vocabulary_hash=model.vocabulary_hash,
        threshold=math.nan if entities.threshold < 0.0 else entities.threshold,
        mode=_mode(types, stamps),
        thermal_min_celsius=math.nan if thermal is None else thermal.min_celsius,
        thermal_max_celsius=math.nan if thermal is None else thermal.max_celsius,
        labels=[_label(types, label) for label in shown(result, entities)],
    )


def _mode(types: MessageTypes, stamps: Mapping[Side, Any]) -> int:
    modes = types.EntityLabelArray
    if Side.VISIBLE not in stamps:
        return modes.THERMAL_ONLY
    return modes.FUSED if Side.THERMAL in stamps else modes.VISIBLE_ONLY


def shown(result: FusionResult, entities: EntityParameters) -> list[EntityLabel]:
    """The labels of a result that the parameters have published, best first.

    `present` is by `entities.threshold`.
    """
    labels = []
    for label in result.labels:
        if len(labels) == entities.max_labels:
            break
        if entities.threshold >= 0.0:
            label = dataclasses.replace(label, present=label.score >= entities.threshold)
        if label.present or entities.publish_all:
            labels.append(label)
    return labels


def _label(types: MessageTypes, label: EntityLabel) -> Any:
    region = label.region if label.present else None
    return types.EntityLabel(
        index=label.index,
        name=label.name,
        score=float(label.score),
        present=bool(label.present),
        region_source=(
            types.EntityLabel.REGION_NONE if region is None else types.EntityLabel.REGION_ATTENTION
        ),
        region=types.RegionOfInterest(
            x_offset=region.x if region else 0,
            y_offset=region.y if region else 0,
            height=region.height if region else 0,
            width=region.width if region else 0,
            do_rectify=False,
        ),
        region_mass=0.0 if region is None else float(label.region_mass),
        thermal_share=float(label.thermal_share),
    )


def vocabulary(types: MessageTypes, model: ModelIdentity, header: Any) -> Any:
    """The EntityVocabulary: the entities that the model can name."""
    return types.EntityVocabulary(
        header=header,
        model_id=model.model_id,
        text_encoder=model.text_encoder,
        vocabulary_hash=model.vocabulary_hash,
        names=list(model.names),
        thresholds=list(model.thresholds),
    )
