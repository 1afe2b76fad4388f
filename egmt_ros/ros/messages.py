"""From the engine's results to messages."""

from __future__ import annotations

import array
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from egmt_msgs.msg import EntityAttention, EntityLabelArray, EntityVocabulary
from egmt_msgs.msg import EntityLabel as EntityLabelMessage
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.results import EntityLabel, FusionResult
from egmt_ros.ros.conversions import array_to_image
from egmt_ros.ros.parameters import EntityParameters


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
        """That of an engine (`egmt_ros.ros.processing.Engine`)."""
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


def fused_image(result: FusionResult, header: Header) -> Image:
    """The fused image, bgr8, or mono8 where the visible image is grey."""
    encoding = "bgr8" if result.image.ndim == 3 else "mono8"
    return array_to_image(result.image, header, encoding)


def label_array(
    result: FusionResult,
    *,
    header: Header,
    stamps: Mapping[Side, Time],
    model: ModelIdentity,
    entities: EntityParameters,
) -> EntityLabelArray:
    """The labels, best first; empty if nothing is present, unless `publish_all`.

    Args:
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
    return EntityLabelArray(
        header=header,
        thermal_stamp=stamps.get(Side.THERMAL, Time()),
        visible_stamp=stamps.get(Side.VISIBLE, Time()),
        width=width,
        height=height,
        model_id=model.model_id,
        vocabulary_hash=model.vocabulary_hash,
        threshold=math.nan if entities.threshold < 0.0 else entities.threshold,
        mode=_mode(stamps),
        thermal_min_celsius=math.nan if thermal is None else thermal.min_celsius,
        thermal_max_celsius=math.nan if thermal is None else thermal.max_celsius,
        labels=[_label(label) for label in shown(result, entities)],
    )


def _mode(stamps: Mapping[Side, Time]) -> int:
    if Side.VISIBLE not in stamps:
        return EntityLabelArray.THERMAL_ONLY
    return EntityLabelArray.FUSED if Side.THERMAL in stamps else EntityLabelArray.VISIBLE_ONLY


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


def _label(label: EntityLabel) -> EntityLabelMessage:
    message = EntityLabelMessage(
        index=label.index,
        name=label.name,
        score=float(label.score),
        present=bool(label.present),
        thermal_share=float(label.thermal_share),
    )
    if label.present and label.region is not None:
        message.region_source = EntityLabelMessage.REGION_ATTENTION
        message.region_mass = float(label.region_mass)
        message.region = RegionOfInterest(
            x_offset=label.region.x,
            y_offset=label.region.y,
            width=label.region.width,
            height=label.region.height,
        )
    return message


def vocabulary(model: ModelIdentity, stamp: Time) -> EntityVocabulary:
    """The entities that the model can name."""
    return EntityVocabulary(
        header=Header(stamp=stamp),
        model_id=model.model_id,
        text_encoder=model.text_encoder,
        vocabulary_hash=model.vocabulary_hash,
        names=list(model.names),
        thresholds=list(model.thresholds),
    )


def attention(
    maps: np.ndarray, header: Header, model: ModelIdentity, indices: Sequence[int] | None = None
) -> EntityAttention:
    """Attention maps as bytes.

    Args:
        maps: (n, rows, cols) non-negative; each is scaled so that its peak is 255.
        header: That of the fused image.
        model: What made the maps.
        indices: Entity of each map, None: 0..n-1.
    """
    count, rows, cols = maps.shape
    peaks = maps.reshape(count, -1).max(axis=1, initial=0.0)
    scales = np.divide(255.0, peaks, out=np.zeros_like(peaks), where=peaks > 0)
    scaled = np.rint(maps * scales[:, None, None]).astype(np.uint8)
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(scaled).tobytes())
    return EntityAttention(
        header=header,
        vocabulary_hash=model.vocabulary_hash,
        indices=list(range(count)) if indices is None else list(indices),
        rows=rows,
        cols=cols,
        data=data,
    )
