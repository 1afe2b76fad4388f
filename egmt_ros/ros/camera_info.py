"""The calibration that belongs to the fused image: that of the reference camera."""

from __future__ import annotations

import copy

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from egmt_ros.pipeline.frames import Side
from egmt_ros.ros import qos
from egmt_ros.ros.qos_watch import QosWatch
from egmt_ros.ros.throttle import LogThrottle


class CameraInfoRelay:
    """Publishes the newest CameraInfo of the reference camera beside each fused image.

    The executor's thread receives, the worker's publishes. The message between them is replaced
    as a whole and never changed, so that they need no lock.

    Args:
        node: Owns the subscription and the publisher.
        reference: The camera whose geometry the fused image has.
        profile: QoS of the publisher.
        throttle: For the warning about sizes that differ.
        watch: Makes both.
    """

    def __init__(
        self,
        node: LifecycleNode,
        reference: Side,
        profile: QoSProfile,
        throttle: LogThrottle,
        watch: QosWatch,
    ) -> None:
        self._node = node
        self._watch = watch
        self._throttle = throttle
        self._newest: CameraInfo | None = None
        topic = f"~/input/{reference.value}/camera_info"
        self._topic = node.resolve_topic_name(topic)
        self._publisher = watch.publisher(
            CameraInfo, "~/output/camera_info", profile, status="outputs", parameter="output.qos"
        )
        try:
            self._subscription = watch.subscribe(
                CameraInfo, topic, self._on_camera_info, qos.camera_info(),
                status=f"{reference.value} input", parameter="",
            )
        except Exception:
            watch.destroy(self._publisher)
            raise

    def _on_camera_info(self, message: CameraInfo) -> None:
        self._newest = message

    def publish_beside(self, image: Image) -> None:
        """Publish the calibration with the header of this fused image.

        Nothing is published before a CameraInfo was received, or while the newest one is for
        another size in pixels than the image's: of that a warning tells.
        """
        newest = self._newest
        if newest is None:
            return
        if (newest.width, newest.height) != (image.width, image.height):
            self._throttle.warning(
                self._node.get_logger(),
                "camera_info",
                f"{self._topic} is for {newest.width}x{newest.height} pixels, the fused image has"
                f" {image.width}x{image.height}: no camera_info is published with it. Check that"
                " the topic belongs to the camera of output.reference and that its driver says"
                " the size of the images it sends",
            )
            return
        info = copy.copy(newest)
        info.header = image.header
        self._publisher.publish(info)

    def destroy(self) -> None:
        """Remove subscription and publisher from the node."""
        self._watch.destroy(self._subscription)
        self._watch.destroy(self._publisher)
