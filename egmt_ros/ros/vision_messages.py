"""Entity labels as messages of vision_msgs 4 (Humble and newer), where that is installed.

| from | to | |
|---|---|---|
| EntityLabelArray | Classification | a hypothesis for each label; class_id: its index as text |
| EntityVocabulary | LabelInfo | index -> name, and the threshold if all entities share one |
| EntityVocabulary | VisionInfo | the weights, and where and in which version the vocabulary is |
| EntityLabelArray | Detection2DArray | a proposal for each label with a region |

A proposal is the extent of an entity's attention: one a class, evidence, not a detected box.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from egmt_msgs.msg import EntityLabel, EntityLabelArray, EntityVocabulary
from rclpy.node import Node

from egmt_ros.errors import MissingDependencyError
from egmt_ros.ros import qos

if TYPE_CHECKING:
    from types import ModuleType

    from vision_msgs.msg import Classification, Detection2D, Detection2DArray, LabelInfo, VisionInfo


def require_vision_msgs() -> ModuleType:
    """The module vision_msgs.msg.

    Raises:
        MissingDependencyError: it cannot be imported, or is older than 4.
    """
    remedy = (
        "install it (sudo apt install ros-$ROS_DISTRO-vision-msgs; it is not on PyPI) and source"
        " ROS, or leave the parameter vision_msgs false"
    )
    try:
        import vision_msgs.msg as messages
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise MissingDependencyError(
            f"vision_msgs cannot be imported ({reason}): {remedy}"
        ) from error
    if not hasattr(messages, "LabelInfo"):
        raise MissingDependencyError(
            f"vision_msgs has no LabelInfo: expected version 4, that of Humble or newer; {remedy}"
        )
    return messages


def classification(array: EntityLabelArray) -> Classification:
    """Every label of the array, in its order, with its score; header and order are the array's."""
    messages = require_vision_msgs()
    return messages.Classification(
        header=array.header,
        results=[
            messages.ObjectHypothesis(class_id=str(label.index), score=label.score)
            for label in array.labels
        ],
    )


def label_info(vocabulary: EntityVocabulary) -> LabelInfo:
    """Names of the class ids; the threshold is NaN where entities have different ones."""
    messages = require_vision_msgs()
    thresholds = set(vocabulary.thresholds)
    return messages.LabelInfo(
        header=vocabulary.header,
        class_map=[
            messages.VisionClass(class_id=index, class_name=name)
            for index, name in enumerate(vocabulary.names)
        ],
        threshold=thresholds.pop() if len(thresholds) == 1 else math.nan,
    )


def vision_info(vocabulary: EntityVocabulary, location: str, version: int) -> VisionInfo:
    """What made the labels.

    Args:
        vocabulary: In force.
        location: Where the names are found, for example the resolved topic of the LabelInfo.
        version: A number that differs for each vocabulary that was in force.
    """
    return require_vision_msgs().VisionInfo(
        header=vocabulary.header,
        method=f"EGMT {vocabulary.model_id}",
        database_location=location,
        database_version=version,
    )


def proposals(array: EntityLabelArray) -> Detection2DArray:
    """A proposal for each label that has a region, in the fused image's pixels.

    Its score is the label's; box centres are those of vision_msgs: left + width / 2.
    """
    messages = require_vision_msgs()
    return messages.Detection2DArray(
        header=array.header,
        detections=[
            _proposal(messages, array, label)
            for label in array.labels
            if label.region_source == EntityLabel.REGION_ATTENTION
        ],
    )


def _proposal(messages: ModuleType, array: EntityLabelArray, label: EntityLabel) -> Detection2D:
    detection = messages.Detection2D(header=array.header)
    hypothesis = messages.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = str(label.index)
    hypothesis.hypothesis.score = label.score
    detection.results = [hypothesis]
    box, region = detection.bbox, label.region
    box.center.position.x = region.x_offset + region.width / 2.0
    box.center.position.y = region.y_offset + region.height / 2.0
    box.size_x, box.size_y = float(region.width), float(region.height)
    return detection


class VisionOutputs:
    """Publishes all of them from a node: `~/output/classification`, `~/output/label_info` and
    `~/output/vision_info` (latched), and, while someone subscribes, `~/output/proposals`.

    Raises:
        MissingDependencyError: see `require_vision_msgs`.
    """

    def __init__(self, node: Node) -> None:
        messages = require_vision_msgs()
        stream = qos.stream("reliable", 5)
        self._classification = node.create_publisher(
            messages.Classification, "~/output/classification", stream
        )
        self._proposals = node.create_publisher(
            messages.Detection2DArray, "~/output/proposals", stream
        )
        self._label_info = node.create_publisher(
            messages.LabelInfo, "~/output/label_info", qos.latched()
        )
        self._vision_info = node.create_publisher(
            messages.VisionInfo, "~/output/vision_info", qos.latched()
        )
        self._version = 0

    def publish_vocabulary(self, vocabulary: EntityVocabulary) -> None:
        """Once for each vocabulary that comes into force."""
        self._version += 1
        self._label_info.publish(label_info(vocabulary))
        location = self._label_info.topic_name
        self._vision_info.publish(vision_info(vocabulary, location, self._version))

    def publish_labels(self, array: EntityLabelArray) -> None:
        """For each array."""
        self._classification.publish(classification(array))
        if self._proposals.get_subscription_count():
            self._proposals.publish(proposals(array))
