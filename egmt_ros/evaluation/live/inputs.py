"""Which topics of a bag are the two cameras, and what their images look like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_topics import find_image_topics
from egmt_ros.evaluation.bags.bag_types import IMAGE


@dataclass(frozen=True)
class ImageFormat:
    """Of the first image of a topic."""

    width: int
    height: int
    encoding: str


LOOKED_AT = 30
"""Images of a topic that are looked at to see whether they differ in size."""


@dataclass(frozen=True)
class Inputs:
    """The two image topics of a bag.

    Attributes:
        thermal: First thermal image.
        visible: First visible image.
        sizes_vary: The visible images are not all of one size, as those of a camera are.
    """

    thermal_topic: str
    visible_topic: str
    thermal: ImageFormat
    visible: ImageFormat
    sizes_vary: bool = False


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
        warm = next(_formats(source, thermal))
        seen = list(islice(_formats(source, visible), LOOKED_AT))
        vary = any((f.width, f.height) != (seen[0].width, seen[0].height) for f in seen)
        return Inputs(thermal, visible, warm, seen[0], vary)


def _formats(source: BagSource, topic: str) -> Iterator[ImageFormat]:
    """Formats of the images of a topic, at least one."""
    found = False
    for _, msgtype, _, data in source.messages([topic]):
        found = True
        message: Any = source.deserialize(data, msgtype)
        yield ImageFormat(int(message.width), int(message.height), str(message.encoding))
    if not found:
        raise BagError(f"Topic {topic} of bag {source.path} holds no message.")


def fitting_parameters(inputs: Inputs) -> dict[str, Any]:
    """Node parameters without which these images could not be fused.

    16-bit and float thermal images have no natural range, so it is taken from their percentiles;
    images of different sizes are taken to show the same field of view. OpenVINO would prepare for
    a second or more for each new size, so where sizes vary PyTorch executes the network.
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
    if inputs.sizes_vary:
        parameters["model.runtime"] = "torch"
    return parameters
