"""From the engine's results to messages of ROS; those of labels are in `node_core.outgoing`."""

from __future__ import annotations

import array
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
from builtin_interfaces.msg import Time
from egmt_msgs.msg import EntityAttention, EntityLabel, EntityLabelArray, EntityVocabulary
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.pipeline.results import FusionResult
from egmt_ros.ros.conversions import array_to_image

TYPES = SimpleNamespace(
    EntityLabel=EntityLabel,
    EntityLabelArray=EntityLabelArray,
    EntityVocabulary=EntityVocabulary,
    RegionOfInterest=RegionOfInterest,
    Time=Time,
)
"""`outgoing.MessageTypes` of the installed ROS."""


def fused_image(result: FusionResult, header: Header) -> Image:
    """The fused image, bgr8, or mono8 where the visible image is grey."""
    encoding = "bgr8" if result.image.ndim == 3 else "mono8"
    return array_to_image(result.image, header, encoding)


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
