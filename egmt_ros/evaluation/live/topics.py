"""Topics of a session: those that the bag must have, and those that are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagSource, BagTopic
from egmt_ros.evaluation.bags.bag_types import COMPRESSED_IMAGE, ENTITIES, IMAGE

if TYPE_CHECKING:
    from egmt_ros.evaluation.live.session import SessionOptions

NODE_NAME = "egmt_fusion"

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
VOCABULARY = "egmt_msgs/msg/EntityVocabulary"
DIAGNOSTICS = "diagnostic_msgs/msg/DiagnosticArray"
FLOAT64 = "std_msgs/msg/Float64"


class RecordedTopic(NamedTuple):
    """A topic that the recorder listens to."""

    name: str
    msgtype: str
    latched: bool = False


def output_topics(node: str) -> dict[str, RecordedTopic]:
    """Role -> topic of the node ``node`` that is recorded."""
    return {
        "image": RecordedTopic(f"/{node}/output/image", IMAGE),
        "entities": RecordedTopic(f"/{node}/output/entities", ENTITIES),
        "vocabulary": RecordedTopic(f"/{node}/output/vocabulary", VOCABULARY, latched=True),
        "diagnostics": RecordedTopic("/diagnostics", DIAGNOSTICS),
        "processing_time_ms": RecordedTopic(f"/{node}/debug/processing_time_ms", FLOAT64),
        "pipeline_latency_ms": RecordedTopic(f"/{node}/debug/pipeline_latency_ms", FLOAT64),
        "pair_gap_ms": RecordedTopic(f"/{node}/debug/pair_gap_ms", FLOAT64),
    }


class Checked(NamedTuple):
    """What a bag has for a session.

    Attributes:
        compressed: Sides whose images are sensor_msgs/CompressedImage.
        camera_infos: Side -> topic of its sensor_msgs/CameraInfo, where there is one.
        latched: Other topics that were recorded as transient local.
        ground_truth: EntityLabelArray topic with what is really there, or "".
    """

    compressed: frozenset[str]
    camera_infos: dict[str, str]
    latched: tuple[BagTopic, ...]
    ground_truth: str


def check_inputs(bag: Path, options: SessionOptions) -> Checked:
    """Checks that the bag can be replayed with these options.

    Raises:
        BagError: The bag is unreadable or lacks an input; the message lists its topics.
    """
    inputs = {"thermal": options.thermal_topic, "visible": options.visible_topic}
    with BagSource(bag) as source:
        compressed = set()
        for side, name in inputs.items():
            found = source.topic(name)
            if found.msgtype == COMPRESSED_IMAGE:
                compressed.add(side)
            elif found.msgtype != IMAGE:
                source.topic(name, IMAGE)  # raises
            if found.count == 0:
                raise BagError(f"Topic {name} of bag {bag} holds no message.")
        types = {topic.name: topic.msgtype for topic in source.topics}
        latched = tuple(t for t in source.topics if t.latched and t.count and not _own(t.name)
                        and t.name not in inputs.values())
    infos = {side: camera_info_topic(name) for side, name in inputs.items()}
    truth = options.ground_truth_topic
    return Checked(
        frozenset(compressed),
        {side: name for side, name in infos.items() if types.get(name) == CAMERA_INFO},
        latched, truth if types.get(truth) == ENTITIES else "")


def camera_info_topic(image_topic: str) -> str:
    """Where the calibration of an image topic is by the convention of image_transport: beside it.

    A topic that ends in "/compressed" is beside what it is the compressed form of.
    """
    return image_topic.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"


def remappings(options: SessionOptions, checked: Checked) -> dict[str, str]:
    """The node's own names of its inputs -> topics of the bag."""
    topics = {}
    for side, name in (("thermal", options.thermal_topic), ("visible", options.visible_topic)):
        topics[f"~/input/{side}/image"] = name
        if side in checked.compressed:
            topics[f"~/input/{side}/image/compressed"] = name
        if side in checked.camera_infos:
            topics[f"~/input/{side}/camera_info"] = checked.camera_infos[side]
    return topics


def _own(topic: str) -> bool:
    """Whether the processes of a session publish it themselves, as an output bag that is played
    has it too."""
    outputs = {own.name for own in output_topics(NODE_NAME).values()}
    return topic in ("/clock", "/rosout", "/parameter_events") or topic in outputs
