"""Topics of a session: those that the bag must have, and those that are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import ENTITIES, IMAGE

if TYPE_CHECKING:
    from egmt_ros.evaluation.live.session import SessionOptions

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


def check_inputs(bag: Path, options: SessionOptions) -> str:
    """Checks that the bag can be replayed with these options.

    Returns:
        The ground-truth topic, empty if the bag has none.

    Raises:
        BagError: The bag is unreadable or lacks an input; the message lists its topics.
    """
    with BagSource(bag) as source:
        for topic in (options.thermal_topic, options.visible_topic):
            if source.topic(topic, IMAGE).count == 0:
                raise BagError(f"Topic {topic} of bag {bag} holds no message.")
        types = {topic.name: topic.msgtype for topic in source.topics}
    truth = options.ground_truth_topic
    return truth if types.get(truth) == ENTITIES else ""
