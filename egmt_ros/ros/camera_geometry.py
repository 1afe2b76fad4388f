"""What is known of both cameras, for registration.mode camera_info: topics in, numbers out."""

from __future__ import annotations

import functools

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from egmt_ros.errors import InputError
from egmt_ros.node_core.parameters import RegistrationParameters
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.registration.cameras import CameraModel, read_camera_info
from egmt_ros.pipeline.registration.plane import CameraPair, Pose
from egmt_ros.ros import qos
from egmt_ros.ros.transforms import Transforms, load_tf2

SIDES = (Side.THERMAL, Side.VISIBLE)


def check_pose_source(parameters: RegistrationParameters) -> None:
    """See whether the pose can be had that these parameters ask for.

    Raises:
        ConfigError: it is to come from tf, and tf2_ros is not installed.
    """
    if parameters.mode == "camera_info" and parameters.pose() is None:
        load_tf2()


class CameraGeometry:
    """Subscribes to both camera_info topics, and to tf, while the parameters ask for it.

    The executor's thread receives and calls everything but `pair`, which the worker's calls. What
    lies between them is replaced as a whole and never changed, so that they need no lock.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._subscriptions: list[object] = []
        self._transforms: Transforms | None = None
        self._pose: Pose | None = None
        self._found: dict[Side, CameraModel | InputError] = {}
        self._topics = {
            side: node.resolve_topic_name(f"~/input/{side.value}/camera_info") for side in SIDES
        }

    def follow(self, parameters: RegistrationParameters) -> None:
        """Have what these parameters need, and nothing else.

        Raises:
            ConfigError: the pose is to come from tf, and tf2_ros is not installed.
        """
        if parameters.mode != "camera_info":
            self._unsubscribe()  # the pair in hand may still ask for what was found
            return
        pose = parameters.pose()
        if pose is None and self._transforms is None:
            self._transforms = Transforms(self._node)
        self._pose = pose
        if pose is not None:
            self._close_transforms()
        if not self._subscriptions:
            for side, topic in self._topics.items():
                receive = functools.partial(self._on_camera_info, side)
                self._subscriptions.append(
                    self._node.create_subscription(CameraInfo, topic, receive, qos.camera_info())
                )

    def pair(self) -> CameraPair:
        """Both cameras and the pose between them.

        Raises:
            InputError: a camera_info has not come yet, reason `no_camera_info`; one cannot be
                used, reason `uncalibrated` or `bad_camera_info`; tf does not know the pose, reason
                `no_transform`.
        """
        self.check_received()
        found, pose, transforms = self._found, self._pose, self._transforms
        thermal, visible = (found[side] for side in SIDES)
        if pose is None and transforms is None:  # the parameters have just changed
            raise InputError("tf is not listened to any more", "no_transform")
        if pose is None:
            pose = transforms.pose(visible.frame_id, thermal.frame_id)
        return CameraPair(thermal, visible, pose)

    def check_received(self) -> None:
        """Raise what `pair` raises, but for what tf does not know."""
        found = self._found
        missing = [topic for side, topic in self._topics.items() if side not in found]
        if missing:
            raise InputError(
                f"no message on {' and '.join(missing)} yet: registration.mode camera_info needs"
                " the camera_info of both cameras; see whether the driver publishes it, and remap"
                " the topic",
                "no_camera_info",
            )
        for camera in found.values():
            if isinstance(camera, InputError):
                raise InputError(str(camera), camera.reason)

    def close(self) -> None:
        """Receive nothing any more, and forget."""
        self._unsubscribe()
        self._found = {}

    def _unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
        self._close_transforms()

    def _close_transforms(self) -> None:
        if self._transforms is not None:
            self._transforms.close()
            self._transforms = None

    def _on_camera_info(self, side: Side, message: CameraInfo) -> None:
        try:
            camera = read_camera_info(message, self._topics[side])
        except InputError as error:
            camera = error
        self._found = {**self._found, side: camera}
