"""Which topics of a bag are the two cameras, and what their images look like."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_topics import find_image_topics
from egmt_ros.evaluation.bags.bag_types import IMAGE
from egmt_ros.evaluation.bags.bags import BagSource


@dataclass(frozen=True)
class ImageFormat:
    """Of the first image of a topic."""

    width: int
    height: int
    encoding: str


@dataclass(frozen=True)
class Inputs:
    """The two image topics of a bag."""

    thermal_topic: str
    visible_topic: str
    thermal: ImageFormat
    visible: ImageFormat


def find_inputs(bag: Path, thermal: str | None = None, visible: str | None = None) -> Inputs:
    """Finds the image topics by their names, unless they are given.

    Raises:
        BagError: A topic is missing or it is not clear which is which; the message lists the
            bag's topics.
    """
    with BagSource(bag) as source:
        if not (thermal and visible):
            found = find_image_topics(source)
            thermal, visible = thermal or found[0], visible or found[1]
        for topic in (thermal, visible):
            source.topic(topic, IMAGE)
        return Inputs(thermal, visible, _format(source, thermal), _format(source, visible))


def _format(source: BagSource, topic: str) -> ImageFormat:
    for _, msgtype, _, data in source.messages([topic]):
        message: Any = source.deserialize(data, msgtype)
        return ImageFormat(int(message.width), int(message.height), str(message.encoding))
    raise BagError(f"Topic {topic} of bag {source.path} holds no message.")


def fitting_parameters(inputs: Inputs) -> dict[str, Any]:
    """Node parameters without which these images could not be fused.

    16-bit and float thermal images have no natural range, so it is taken from their percentiles;
    images of different sizes are taken to show the same field of view.
    """
    parameters: dict[str, Any] = {
        "model.warm_up_width": inputs.visible.width,
        "model.warm_up_height": inputs.visible.height,
    }
    if inputs.thermal.encoding not in ("mono8", "8UC1"):
        parameters["thermal.range_mode"] = "percentile"
    sizes = [(image.width, image.height) for image in (inputs.thermal, inputs.visible)]
    if sizes[0] != sizes[1]:
        parameters["registration.mode"] = "scale"
    return parameters
