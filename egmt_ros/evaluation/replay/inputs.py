"""Which topics of a bag are the two cameras, what their images look like, and what fits them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from egmt_ros.errors import BagError, InputError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_topics import find_image_topics
from egmt_ros.evaluation.bags.bag_types import IMAGE
from egmt_ros.node_core.parameters import SPECS
from egmt_ros.pipeline.message_view import message_view

MINIMUM_SIDE = 64
"""Of images that the network can be warmed up with, pixels."""

LOOKED_AT = 30
"""Images of a topic that are looked at to see whether they differ in size."""


@dataclass(frozen=True)
class ImageFormat:
    """Of the first image of a topic; `encoding` is that of the pixels once they are decoded."""

    width: int
    height: int
    encoding: str


@dataclass(frozen=True)
class Inputs:
    """The two image topics of a bag.

    Attributes:
        thermal: First thermal image.
        visible: First visible image.
        sizes_vary: The visible images are not all of one size, as those of a camera are.
        thermal_type, visible_type: Message types, raw or compressed images.
        thermal_how, visible_how: How the topic was found.
    """

    thermal_topic: str
    visible_topic: str
    thermal: ImageFormat
    visible: ImageFormat
    sizes_vary: bool = False
    thermal_type: str = IMAGE
    visible_type: str = IMAGE
    thermal_how: str = ""
    visible_how: str = ""

    def topics(self) -> dict[str, dict[str, str]]:
        """Role -> name, type and how it was found, as in `Run.topics`."""
        return {
            "thermal": {
                "name": self.thermal_topic, "type": self.thermal_type, "how": self.thermal_how,
            },
            "visible": {
                "name": self.visible_topic, "type": self.visible_type, "how": self.visible_how,
            },
        }  # fmt: skip


def find_inputs(bag: Path, thermal: str | None = None, visible: str | None = None) -> Inputs:
    """Finds the image topics by their names, unless they are given.

    Raises:
        BagError: A topic is missing or it is not clear which is which; the message lists the
            bag's topics.
    """
    with BagSource(bag) as source:
        found = find_image_topics(source, thermal, visible)
        thermal, visible = (topic.name for topic in found)
        warm = next(_formats(source, thermal))
        seen = list(islice(_formats(source, visible), LOOKED_AT))
        vary = any((f.width, f.height) != (seen[0].width, seen[0].height) for f in seen)
        types = (topic.msgtype for topic in found)
        how = (topic.how for topic in found)
        return Inputs(thermal, visible, warm, seen[0], vary, *types, *how)


def _formats(source: BagSource, topic: str) -> Iterator[ImageFormat]:
    """Formats of the images of a topic, at least one."""
    found = False
    try:
        for _, msgtype, _, data in source.messages([topic], partial=True):
            yield _format(source.deserialize(data, msgtype))
            found = True
    except BagError:  # a bag that is damaged further on has told enough
        if not found:
            raise
    if not found:
        raise BagError(f"Topic {topic} of bag {source.path} holds no message.")


def _format(message: Any) -> ImageFormat:
    if hasattr(message, "encoding"):
        return ImageFormat(int(message.width), int(message.height), str(message.encoding))
    try:
        view = message_view(message)
        encoding = view.format.encoding or _depth(view.decoded().array)
        return ImageFormat(view.width, view.height, encoding)
    except InputError:  # told when the frame is rejected
        return ImageFormat(0, 0, "mono8")


def _depth(array: Any) -> str:
    return "mono8" if array.dtype.itemsize == 1 else "mono16"


def fitting_parameters(inputs: Inputs) -> dict[str, Any]:
    """Node parameters without which these images could not be fused.

    16-bit and float thermal images have no natural range, so it is taken from their percentiles;
    images of different sizes are taken to show the same field of view. OpenVINO would prepare for
    a second or more for each new size, so where sizes vary PyTorch executes the network.
    """
    width, height = inputs.visible.width, inputs.visible.height
    warmed_up = min(width, height) >= MINIMUM_SIDE
    parameters: dict[str, Any] = {
        "model.warm_up_width": width if warmed_up else 0,
        "model.warm_up_height": height if warmed_up else 0,
    }
    if inputs.thermal.encoding not in ("mono8", "8UC1"):
        parameters["thermal.range_mode"] = "percentile"
    sizes = [(image.width, image.height) for image in (inputs.thermal, inputs.visible)]
    if sizes[0] != sizes[1]:
        parameters["registration.mode"] = "scale"
    if inputs.sizes_vary:
        parameters["model.runtime"] = "torch"
    return parameters


def fitting_notes(parameters: Mapping[str, Any]) -> list[str]:
    """What of `fitting_parameters` a reader of the results should know, one sentence each."""
    notes = []
    if parameters.get("thermal.range_mode") == "percentile":
        notes.append(
            "thermal.range_mode is percentile because the thermal images have more than 8 bits;"
            " give --params to have them shown otherwise"
        )
    if parameters.get("registration.mode") == "scale":
        notes.append(
            "registration.mode is scale because the two cameras' images differ in size: they are"
            " taken to show the same field of view; give --params with a calibration if not"
        )
    return notes


def changed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the recorded parameters that differ from the default."""
    plain = recorded({})
    return {name: value for name, value in values.items() if value != plain[name]}


def recorded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter as a file of JSON has it: the defaults filled in, None for NaN.

    Raises:
        ConfigError: A value cannot be used.
    """
    checked = {spec.name: spec.check(values.get(spec.name, spec.default)) for spec in SPECS}
    return {
        name: None if isinstance(value, float) and math.isnan(value) else value
        for name, value in checked.items()
    }
