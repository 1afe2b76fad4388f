"""Conversions to vision_msgs: with plain stand-ins everywhere, with the package where it is."""

from __future__ import annotations

import math
import sys
import types
from dataclasses import dataclass, field

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from egmt_msgs.msg import EntityLabel, EntityLabelArray, EntityVocabulary  # noqa: E402
from sensor_msgs.msg import RegionOfInterest  # noqa: E402

from egmt_ros.errors import MissingDependencyError  # noqa: E402
from egmt_ros.ros import vision_messages  # noqa: E402

# The fields of vision_msgs 4 that are used, as plain classes; slots refuse any other field.


@dataclass(slots=True)
class ObjectHypothesis:
    class_id: str = ""
    score: float = 0.0


@dataclass(slots=True)
class ObjectHypothesisWithPose:
    hypothesis: ObjectHypothesis = field(default_factory=ObjectHypothesis)
    pose: object = None


@dataclass(slots=True)
class Classification:
    header: object = None
    results: list = field(default_factory=list)


@dataclass(slots=True)
class VisionClass:
    class_id: int = 0
    class_name: str = ""


@dataclass(slots=True)
class LabelInfo:
    header: object = None
    class_map: list = field(default_factory=list)
    threshold: float = 0.0


@dataclass(slots=True)
class VisionInfo:
    header: object = None
    method: str = ""
    database_location: str = ""
    database_version: int = 0


@dataclass(slots=True)
class Point2D:
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True)
class Pose2D:
    position: Point2D = field(default_factory=Point2D)
    theta: float = 0.0


@dataclass(slots=True)
class BoundingBox2D:
    center: Pose2D = field(default_factory=Pose2D)
    size_x: float = 0.0
    size_y: float = 0.0


@dataclass(slots=True)
class Detection2D:
    header: object = None
    results: list = field(default_factory=list)
    bbox: BoundingBox2D = field(default_factory=BoundingBox2D)
    id: str = ""


@dataclass(slots=True)
class Detection2DArray:
    header: object = None
    detections: list = field(default_factory=list)


KINDS = (ObjectHypothesis, ObjectHypothesisWithPose, Classification, VisionClass, LabelInfo,
         VisionInfo, Detection2D, Detection2DArray)  # fmt: skip


@pytest.fixture(params=["stand-in", "vision_msgs"])
def vision_msgs(request, monkeypatch):
    """The package, once as stand-ins and once as it is."""
    if request.param == "vision_msgs":
        return pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    package, messages = types.ModuleType("vision_msgs"), types.ModuleType("vision_msgs.msg")
    package.msg = messages
    for kind in KINDS:
        setattr(messages, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "vision_msgs", package)
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", messages)
    return messages


@pytest.fixture
def array():
    array = EntityLabelArray(width=640, height=480, vocabulary_hash="v1")
    array.header.frame_id = "camera"
    array.header.stamp.sec = 7
    region = RegionOfInterest(x_offset=32, y_offset=64, width=97, height=128)
    array.labels = [
        EntityLabel(
            index=2, name="person", score=0.75, present=True, region=region,
            region_source=EntityLabel.REGION_ATTENTION, region_mass=0.8,
        ),
        EntityLabel(index=0, name="car", score=0.5, present=True),
    ]  # fmt: skip
    return array


def vocabulary(*thresholds):
    names = ["car", "tree", "person"]
    return EntityVocabulary(
        model_id="m@1", vocabulary_hash="v1", names=names, thresholds=list(thresholds)
    )


def test_a_classification_has_a_hypothesis_for_each_label(vision_msgs, array):
    message = vision_messages.classification(array)
    assert isinstance(message, vision_msgs.Classification) and message.header == array.header
    assert [(one.class_id, one.score) for one in message.results] == [("2", 0.75), ("0", 0.5)]
    assert vision_messages.classification(EntityLabelArray()).results == []


def test_label_info_names_the_class_ids(vision_msgs):
    message = vision_messages.label_info(vocabulary(0.25, 0.25, 0.25))
    assert [(one.class_id, one.class_name) for one in message.class_map] == [
        (0, "car"), (1, "tree"), (2, "person"),
    ]  # fmt: skip
    assert message.threshold == 0.25
    assert math.isnan(vision_messages.label_info(vocabulary(0.25, 0.5, 0.25)).threshold)


def test_vision_info_says_what_made_the_labels(vision_msgs):
    message = vision_messages.vision_info(vocabulary(0.5, 0.5, 0.5), "/x/label_info", 3)
    assert message.method == "EGMT m@1"
    assert (message.database_location, message.database_version) == ("/x/label_info", 3)


def test_a_proposal_for_each_region(vision_msgs, array):
    message = vision_messages.proposals(array)
    assert message.header == array.header
    (proposal,) = message.detections
    assert proposal.header == array.header
    (result,) = proposal.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ("2", 0.75)
    box = proposal.bbox
    assert (box.center.position.x, box.center.position.y) == (32 + 97 / 2, 64 + 128 / 2)
    assert (box.center.theta, box.size_x, box.size_y) == (0.0, 97.0, 128.0)


class Publisher:
    def __init__(self, kind, topic):
        self.kind, self.topic_name, self.sent, self.readers = kind, topic, [], 0

    def publish(self, message):
        assert isinstance(message, self.kind)
        self.sent.append(message)

    def get_subscription_count(self):
        return self.readers


class FakeNode:
    def __init__(self):
        self.publishers = {}

    def create_publisher(self, kind, topic, profile):
        self.publishers[topic.rpartition("/")[2]] = Publisher(kind, topic)
        return self.publishers[topic.rpartition("/")[2]]


def test_proposals_go_out_only_on_request(vision_msgs, array):
    node = FakeNode()
    outputs = vision_messages.VisionOutputs(node)
    outputs.publish_vocabulary(vocabulary(0.5, 0.5, 0.5))
    outputs.publish_vocabulary(vocabulary(0.1, 0.1, 0.1))
    outputs.publish_labels(array)
    node.publishers["proposals"].readers = 1
    outputs.publish_labels(array)
    sent = {name: len(publisher.sent) for name, publisher in node.publishers.items()}
    assert sent == {"classification": 2, "proposals": 1, "label_info": 2, "vision_info": 2}
    assert [one.database_version for one in node.publishers["vision_info"].sent] == [1, 2]


@pytest.mark.parametrize("there", ["missing", "old"])
def test_without_the_package_the_error_names_what_to_install(monkeypatch, there):
    old = types.ModuleType("vision_msgs")
    old.msg = types.ModuleType("vision_msgs.msg")
    monkeypatch.setitem(sys.modules, "vision_msgs", old if there == "old" else None)
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", old.msg if there == "old" else None)
    with pytest.raises(MissingDependencyError) as caught:
        vision_messages.VisionOutputs(FakeNode())
    assert "ros-$ROS_DISTRO-vision-msgs" in str(caught.value)
    assert "\n" not in str(caught.value)
