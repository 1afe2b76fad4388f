"""Which topics of a bag are the thermal and the visible images, and the ground truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from egmt_ros.errors import BagError, InputError
from egmt_ros.evaluation.bags.bag_reader import BagSource, BagTopic
from egmt_ros.evaluation.bags.bag_types import COMPRESSED_IMAGE, ENTITIES, IMAGE
from egmt_ros.evaluation.bags.truth_messages import TRUTH_TOPIC, WHOLE

IMAGES = (IMAGE, COMPRESSED_IMAGE)

NAMED = "named"
BY_NAME = "found by name"
BY_ENCODING = "found by encoding"
BY_MODEL = "found by model_id"
LEFT = "the only image left"

_WORDS = {
    "thermal": {
        "thermal", "infrared", "ir", "lwir", "mwir", "flir", "boson", "lepton", "tau", "tir",
        "optris", "seek",
    },
    "visible": {
        "visible", "visual", "rgb", "color", "colour", "vis", "vi", "eo", "webcam", "usb",
    },
}  # fmt: skip
_DERIVED = {"fused", "fusion", "output", "debug", "depth", "disparity", "attention", "mask"}
_COLOUR = ("rgb", "bgr", "bayer", "yuv", "uyvy", "yuyv", "nv", "8uc3")
_TRUTH = {"truth", "groundtruth", "gt"}
_COMPRESSED = "/compressed"  # what image_transport adds to the name
_OUTPUT = "/output/entities"  # of a fusion node


@dataclass(frozen=True)
class FoundTopic:
    """A topic that was taken; ``how``: NAMED (it was asked for), or how it was found."""

    name: str
    msgtype: str
    how: str


class ImageTopics(NamedTuple):
    """The two cameras of a bag."""

    thermal: FoundTopic
    visible: FoundTopic


def find_image_topics(
    bag: BagSource, thermal: str | None = None, visible: str | None = None
) -> ImageTopics:
    """The image topics, raw or compressed, by type, name and (if need be) encoding.

    Of a camera that has both, the raw images are taken.

    Args:
        bag: To look into.
        thermal, visible: Names that were asked for; None: found.

    Raises:
        BagError: A topic that was asked for is missing, of another type or empty, or there is not
            exactly one good candidate; the message lists the bag's topics.
    """
    asked = {"thermal": thermal, "visible": visible}
    found = {side: _named(bag, side, name) for side, name in asked.items() if name}
    if thermal and thermal == visible:
        raise BagError(f"topic {thermal} was named for both cameras; name two topics.")
    taken = {topic.name for topic in found.values()}
    left = [
        topic
        for topic in _without_twins(bag.topics)
        if topic.name not in taken and _camera(topic.name) not in map(_camera, taken)
    ]
    left = [topic for topic in left if not _words(topic) & _DERIVED] or left
    sides = _by_name(left)
    rest = [topic for topic in left if not any(topic in topics for topics in sides.values())]
    open_sides = [side for side in asked if side not in found]
    for side in open_sides:
        if len(sides[side]) == 1:
            found[side] = _found(sides[side][0], BY_NAME)
        elif sides[side]:
            raise _unclear(bag, side, sides[side])
    missing = [side for side in open_sides if side not in found]
    colours = {topic.name: _is_colour(bag, topic) for topic in rest} if missing else {}
    for side in missing:
        fitting = [topic for topic in rest if colours[topic.name] == (side == "visible")]
        if len(fitting) == 1:
            found[side] = _found(fitting[0], BY_ENCODING)
        elif len(rest) == 1 and len(missing) == 1:
            found[side] = _found(rest[0], LEFT)
        else:
            raise _unclear(bag, side, fitting)
    return ImageTopics(found["thermal"], found["visible"])


def find_truth_topic(bag: BagSource, asked: str | None = None) -> FoundTopic | None:
    """The topic of what is really there; None where the bag has none.

    Args:
        bag: To look into.
        asked: Its name; "": there is none; None: found by name, or else by the model_id of its
            first message. Labels of a model, such as the output of a fusion node, are not taken.

    Raises:
        BagError: The topic that was asked for is missing or of another type, or several might be
            meant.
    """
    if asked == "":
        return None
    if asked is not None:
        return FoundTopic(bag.topic(asked, ENTITIES).name, ENTITIES, NAMED)
    arrays = [
        topic
        for topic in bag.topics
        if topic.msgtype == ENTITIES and topic.count and not topic.name.endswith(_OUTPUT)
    ]
    if any(topic.name == TRUTH_TOPIC for topic in arrays):
        return FoundTopic(TRUTH_TOPIC, ENTITIES, BY_NAME)
    found = [t for t in arrays if _words(t) & _TRUTH]
    how = BY_NAME
    if not found:
        found = [t for t in arrays if _first_model(bag, t.name).startswith(WHOLE)]
        how = BY_MODEL
    if len(found) > 1:
        raise BagError(
            f"bag {bag.path} has several topics that may be the ground truth: "
            f"{', '.join(t.name for t in found)}; name one with --truth-topic, or give "
            "--truth-topic '' for none."
        )
    return _found(found[0], how) if found else None


def _named(bag: BagSource, side: str, name: str) -> FoundTopic:
    topic = bag.topic(name, IMAGES)
    if not topic.count:
        raise BagError(
            f"topic {name} of bag {bag.path} holds no message; name another one with "
            f"--{side}-topic. The bag has: {bag.listing()}."
        )
    return _found(topic, NAMED)


def _found(topic: BagTopic, how: str) -> FoundTopic:
    return FoundTopic(topic.name, topic.msgtype, how)


def _without_twins(topics: Sequence[BagTopic]) -> list[BagTopic]:
    """Image topics with messages, without the compressed form of those that are there raw."""
    images = [topic for topic in topics if topic.msgtype in IMAGES and topic.count]
    raw = {topic.name for topic in images if topic.msgtype == IMAGE}
    return [t for t in images if t.msgtype == IMAGE or _camera(t.name) not in raw]


def _by_name(topics: Sequence[BagTopic]) -> dict[str, list[BagTopic]]:
    thermal = [topic for topic in topics if _words(topic) & _WORDS["thermal"]]
    visible = [t for t in topics if _words(t) & _WORDS["visible"] and t not in thermal]
    return {"thermal": _raw_first(thermal), "visible": _raw_first(visible)}


def _raw_first(topics: list[BagTopic]) -> list[BagTopic]:
    """Without compressed topics beside which, in one namespace, lies a raw one of the same side."""
    spaces = {_space(topic.name) for topic in topics if topic.msgtype == IMAGE}
    return [t for t in topics if t.msgtype == IMAGE or _space(t.name) not in spaces]


def _camera(name: str) -> str:
    return name.removesuffix(_COMPRESSED)


def _space(name: str) -> str:
    return _camera(name).rpartition("/")[0] or name


def _words(topic: BagTopic) -> set[str]:
    return set(re.split(r"[/_\-0-9]+", topic.name.lower()))


def _is_colour(bag: BagSource, topic: BagTopic) -> bool:
    """Whether the first image of a topic, raw or compressed, has colours."""
    from egmt_ros.pipeline.compressed import compressed_view

    try:
        for record in bag.messages([topic.name]):
            message = bag.deserialize(record.data, record.msgtype)
            if topic.msgtype == IMAGE:
                return message.encoding.lower().startswith(_COLOUR)
            view = compressed_view(message)
            encoding = view.format.encoding or view.decoded().encoding
            return encoding.lower().startswith(_COLOUR)
    except (BagError, InputError):
        return False  # an image that cannot be read is no reason against the others
    return False


def _first_model(bag: BagSource, topic: str) -> str:
    for record in bag.messages([topic]):
        return bag.deserialize(record.data, ENTITIES).model_id
    return ""


def _unclear(bag: BagSource, side: str, found: Sequence[BagTopic]) -> BagError:
    names = ", ".join(topic.name for topic in found)
    what = f"several {side} image topics ({names})" if found else f"no {side} image topic"
    if not bag.count:
        what = f"no message, so no {side} image topic"
    return BagError(
        f"bag {bag.path}: {what} of type {IMAGE} or {COMPRESSED_IMAGE}. Name the topic with "
        f"--{side}-topic. The bag has: {bag.listing()}."
    )
