"""Finding the thermal and the visible image topic of a bag."""

from __future__ import annotations

import re

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagSource, BagTopic
from egmt_ros.evaluation.bags.bag_types import IMAGE

_THERMAL = {
    "thermal", "infrared", "ir", "lwir", "mwir", "flir", "boson", "lepton", "tau", "tir",
    "optris", "seek",
}  # fmt: skip
_VISIBLE = {"visible", "visual", "rgb", "color", "colour", "vis", "vi", "eo", "webcam", "usb"}
_DERIVED = {"fused", "fusion", "output", "debug", "depth", "disparity", "attention", "mask"}
_COLOUR = ("rgb", "bgr", "bayer", "yuv", "uyvy", "yuyv", "nv", "8uc3")


def find_image_topics(bag: BagSource) -> tuple[str, str]:
    """The thermal and the visible image topic, by type, name and (if need be) encoding.

    Raises:
        BagError: There is not exactly one good candidate for each; the message lists the
            bag's topics and how to name them.
    """
    images = [t for t in bag.topics if t.msgtype == IMAGE and t.count > 0]
    plain = [t for t in images if not _words(t) & _DERIVED] or images
    thermal = [t for t in plain if _words(t) & _THERMAL]
    visible = [t for t in plain if _words(t) & _VISIBLE and t not in thermal]
    rest = [t for t in plain if t not in thermal and t not in visible]
    if len(thermal) != 1 or len(visible) != 1:
        colours = {t.name: _is_colour(bag, t) for t in rest}
        if not thermal:
            thermal = [t for t in rest if not colours[t.name]]
        if not visible:
            visible = [t for t in rest if colours[t.name]]
        if len(rest) == 1:  # the only one left is the missing side
            if not thermal and len(visible) == 1:
                thermal = rest
            elif not visible and len(thermal) == 1:
                visible = rest
    for side, found in (("thermal", thermal), ("visible", visible)):
        if len(found) != 1:
            names = ", ".join(t.name for t in found)
            what = f"several {side} image topics ({names})" if found else f"no {side} image topic"
            raise BagError(
                f"bag {bag.path}: {what} of type {IMAGE}. Name the topic with --{side}-topic. "
                f"The bag has: {bag.listing()}."
            )
    return thermal[0].name, visible[0].name


def _words(topic: BagTopic) -> set[str]:
    return set(re.split(r"[/_\-0-9]+", topic.name.lower()))


def _is_colour(bag: BagSource, topic: BagTopic) -> bool:
    record = next(bag.messages([topic.name]))
    encoding = bag.deserialize(record.data, IMAGE).encoding.lower()
    return encoding.startswith(_COLOUR)
