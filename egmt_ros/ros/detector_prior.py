"""Example node: entity labels as a prior for a detector. Made to be copied.

Either put your detector into `on_advice`, or leave it where it is and have it take the images of
this node instead of the camera's.

| topic | type | |
|---|---|---|
| `~/input/image` | sensor_msgs/Image | the fused image, or one of its geometry |
| `~/input/entities` | egmt_msgs/EntityLabelArray | labels of the fusion node |
| `~/input/vocabulary` | egmt_msgs/EntityVocabulary | labels of another one are not used |
| `~/output/image` | sensor_msgs/Image | what the detector should look at, header kept |
| `~/output/camera_info` | sensor_msgs/CameraInfo | its `roi` in the input image; uncalibrated |
| `~/output/classes` | diagnostic_msgs/DiagnosticArray | each class: run, threshold, score |

An image waits for labels of its stamp, at most `wait` seconds or until the next image comes. Then
the nearest labels are taken, unless they are older or newer than `max_age`; without labels the
image passes whole. The parameters are in `egmt_ros.downstream.parameters`, read at the start.
"""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticArray
from egmt_msgs.msg import EntityLabelArray, EntityVocabulary
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from egmt_ros.downstream import EMPTY, Advice, advise
from egmt_ros.downstream.crops import bounding, whole_image
from egmt_ros.downstream.matching import LabelMatcher
from egmt_ros.downstream.parameters import PARAMETERS, Parameter, build
from egmt_ros.downstream.prior import stamp_ns
from egmt_ros.errors import EgmtError, InputError
from egmt_ros.ros import qos
from egmt_ros.ros.lifecycle import SteadyAlarm
from egmt_ros.ros.prior_messages import class_status, crop_info, cropped
from egmt_ros.ros.throttle import LogThrottle
from egmt_ros.ros.vision_messages import VisionOutputs


class DetectorPriorNode(Node):
    """Node `detector_prior`; everything runs in the executor's thread.

    Args:
        kwargs: For rclpy.node.Node (context, namespace, parameter_overrides ...).

    Raises:
        ConfigError: a parameter's value is refused.
        MissingDependencyError: `vision_msgs` is true and that package is not installed.
    """

    def __init__(self, *, node_name: str = "detector_prior", **kwargs: object) -> None:
        super().__init__(node_name, **kwargs)
        try:
            self._wanted = build({one.name: self._declare(one) for one in PARAMETERS})
            self._vision = VisionOutputs(self) if self._wanted.vision_msgs else None
        except EgmtError:
            self.destroy_node()
            raise
        self._classes = self._wanted.classes(vocabulary=())
        self._memory = EMPTY
        self._matcher = LabelMatcher()
        self._throttle = LogThrottle()
        self._alarm = SteadyAlarm(self, self._advise, Clock(clock_type=ClockType.STEADY_TIME))
        reliable = qos.stream("reliable", 5)
        self._image = self.create_publisher(Image, "~/output/image", reliable)
        self._camera_info = self.create_publisher(CameraInfo, "~/output/camera_info", reliable)
        self._class_status = self.create_publisher(DiagnosticArray, "~/output/classes", reliable)
        for kind, topic, callback, profile in (
            (EntityVocabulary, "~/input/vocabulary", self._on_vocabulary, qos.latched()),
            (EntityLabelArray, "~/input/entities", self._on_labels, reliable),
            (Image, "~/input/image", self._on_image, qos.stream("sensor_data", 5)),
        ):
            self.create_subscription(kind, topic, callback, profile)

    def on_advice(self, image: Image, advice: Advice) -> None:
        """Your detector goes here, in place of the publishers.

        Args:
            image: As received.
            advice: For which classes to run, with which thresholds, on which crops.
        """
        self._class_status.publish(class_status(image.header, advice))
        if advice.run:
            whole = whole_image(image.width, image.height)
            crop = bounding(advice.crops) if self._wanted.crop_image else whole
            try:
                part = cropped(image, crop)
            except InputError as error:
                self._warn(error, "image published whole")
                part, crop = image, whole
            self._image.publish(part)
            self._camera_info.publish(crop_info(image, crop))

    def _declare(self, one: Parameter) -> object:
        about = ParameterDescriptor(description=one.text, read_only=True, dynamic_typing=True)
        return self.declare_parameter(one.name, one.default, about).value

    def _on_vocabulary(self, vocabulary: EntityVocabulary) -> None:
        """Match the classes anew and forget the gates; its first labels may be here already."""
        self._classes = self._wanted.classes(vocabulary.names)
        self._memory = EMPTY
        unknown = ", ".join(one.name for one in self._classes if not one.entities) or "none"
        self.get_logger().info(
            f"vocabulary {vocabulary.vocabulary_hash} of {len(vocabulary.names)} entities; classes"
            f" that no entity means, which always run (parameter aliases): {unknown}"
        )
        self._matcher.give_vocabulary(vocabulary)
        if self._vision:
            self._vision.publish_vocabulary(vocabulary)
        self._advise_if_ready()

    def _on_labels(self, array: EntityLabelArray) -> None:
        self._matcher.give_labels(array)
        if self._vision:
            self._vision.publish_labels(array)
        self._advise_if_ready()

    def _on_image(self, image: Image) -> None:
        self._advise()  # the one before waits no longer
        self._matcher.give_image(image)
        self._alarm.set(time.monotonic_ns() + round(self._wanted.wait * 1e9))
        self._advise_if_ready()

    def _advise_if_ready(self) -> None:
        if self._matcher.ready:
            self._advise()

    def _advise(self) -> None:
        self._alarm.cancel()
        match = self._matcher.take()
        if match is None:
            return
        if match.problem:
            self._warn(match.problem, "labels not used")
        image = match.image
        advice, self._memory = advise(
            match.prior, self._classes, stamp=stamp_ns(image.header.stamp), width=image.width,
            height=image.height, settings=self._wanted.settings, memory=self._memory,
        )  # fmt: skip
        self.on_advice(image, advice)

    def _warn(self, problem: InputError, effect: str) -> None:
        self._throttle.warning(self.get_logger(), problem.reason, f"{effect}: {problem}")
