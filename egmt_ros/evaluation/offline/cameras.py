"""What a bag says of both cameras, for registration.mode camera_info."""

from __future__ import annotations

from typing import Any

from egmt_ros.errors import BagError, ConfigError, InputError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.node_core.parameters import RegistrationParameters
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.registration.cameras import CameraModel, read_camera_info
from egmt_ros.pipeline.registration.plane import CameraPair

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


class BagCameras:
    """The newest camera_info of each camera, as the node has it when a pair is fused.

    Args:
        parameters: Of registration; their pose is used.
        topics: Side -> its camera_info topic; empty where none is needed.

    Raises:
        ConfigError: The pose is to come from tf.
    """

    def __init__(self, parameters: RegistrationParameters, topics: dict[Side, str]) -> None:
        self._topics = topics
        self._found: dict[Side, CameraModel | InputError] = {}
        self._pair: CameraPair | None = None
        self._pose = parameters.pose()
        if topics and self._pose is None:
            raise ConfigError(
                "registration.mode is 'camera_info', and registration.translation and"
                " registration.rotation are empty: tf is not read from a bag; set the two"
                " (`ros2 run tf2_ros tf2_echo VISIBLE_FRAME THERMAL_FRAME` prints them)"
            )

    def take(self, side: Side, message: Any) -> None:
        """A camera_info message."""
        try:
            found: CameraModel | InputError = read_camera_info(message, self._topics[side])
        except InputError as error:
            found = error
        if found != self._found.get(side):
            self._found[side] = found
            self._pair = None

    def pair(self) -> CameraPair:
        """Both cameras and the pose between them.

        Raises:
            InputError: A camera_info has not come yet, reason `no_camera_info`, or cannot be used.
        """
        if self._pair is None:
            missing = [topic for side, topic in self._topics.items() if side not in self._found]
            if missing:
                raise InputError(
                    f"no message on {' and '.join(missing)} yet: registration.mode camera_info"
                    " needs the camera_info of both cameras",
                    "no_camera_info",
                )
            for camera in self._found.values():
                if isinstance(camera, InputError):
                    raise InputError(str(camera), camera.reason)
            thermal, visible = self._found[Side.THERMAL], self._found[Side.VISIBLE]
            self._pair = CameraPair(thermal, visible, self._pose)
        return self._pair


def camera_info_topics(
    source: BagSource, parameters: RegistrationParameters, images: dict[Side, str]
) -> dict[Side, str]:
    """Side -> the camera_info topic beside an image topic; empty where the mode needs none.

    Raises:
        BagError: The bag has none.
    """
    if parameters.mode != "camera_info":
        return {}
    topics = {}
    for side, image in images.items():
        parent = image.removesuffix("/compressed").rpartition("/")[0]
        name = f"{parent}/camera_info"
        try:
            topics[side] = source.topic(name, CAMERA_INFO).name
        except BagError as error:
            raise BagError(
                f"registration.mode is camera_info and the {side.value} images are on {image}:"
                f" expected its camera_info on {name}. {error}"
            ) from error
    return topics
