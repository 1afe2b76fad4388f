"""What is really there, as messages in a bag."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from egmt_ros.evaluation.bags.bag_types import (
    ENTITIES,
    ENTITY,
    header_message,
    time_message,
    typestore,
)

TRUTH_TOPIC = "/ground_truth/entities"

WHOLE = "ground_truth"
"""model_id: what is not listed is absent."""

PARTIAL = "ground_truth_partial"
"""model_id: what is not listed is unknown."""


class TruthLabel(NamedTuple):
    """What is known of one entity in a frame.

    Attributes:
        index: In the vocabulary.
        name: Of the entity.
        present: It is in one of the images, or in neither.
        thermal_share: See `thermal_share`.
    """

    index: int
    name: str
    present: bool
    thermal_share: float = math.nan


def thermal_share(thermal: bool, visible: bool) -> float:
    """1 for what only the thermal image shows, 0 for what only the visible one shows, 0.5 for what
    both show; NaN for what neither shows by itself."""
    return 0.5 if thermal and visible else float(thermal) if thermal or visible else math.nan


def truth_message(
    labels: Sequence[TruthLabel],
    stamp: int,
    frame_id: str,
    size: tuple[int, int],
    model_id: str = WHOLE,
) -> Any:
    """EntityLabelArray of what is known: score 1 for what is present, else 0; no region.

    Args:
        labels: Entities, in the order in which they will be listed.
        stamp: Of the visible frame, ns; also given as that of the thermal frame.
        frame_id: Of the visible camera.
        size: Width and height of the visible image, pixels.
        model_id: WHOLE or PARTIAL.
    """
    types = typestore().types
    none = types["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    return types[ENTITIES](
        header=header_message(stamp, frame_id),
        thermal_stamp=time_message(stamp),
        visible_stamp=time_message(stamp),
        width=size[0],
        height=size[1],
        model_id=model_id,
        vocabulary_hash="",
        threshold=0.5,
        mode=0,
        thermal_min_celsius=float("nan"),
        thermal_max_celsius=float("nan"),
        labels=[
            types[ENTITY](
                index=label.index,
                name=label.name,
                score=float(label.present),
                present=label.present,
                region_source=0,
                region=none,
                region_mass=0.0,
                thermal_share=label.thermal_share,
            )
            for label in labels
        ],
    )
