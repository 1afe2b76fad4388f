"""What the launch files start, as plain values; imports neither launch nor ROS."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path
from egmt_ros.ros.dds import PROFILE_VARIABLES, choose_profile

TOPICS = {
    "thermal": "~/input/thermal/image",
    "visible": "~/input/visible/image",
    "thermal_camera_info": "~/input/thermal/camera_info",
    "visible_camera_info": "~/input/visible/camera_info",
}
"""Keys of a pair that name a topic, and the node's own name of it."""

_TOPIC_ARGUMENTS = {
    **{f"{key}_topic": own for key, own in TOPICS.items()},
    "output_image_topic": "~/output/image",
    "output_camera_info_topic": "~/output/camera_info",
    "output_entities_topic": "~/output/entities",
}


def _argument(description: str, default: str = "", *choices: str) -> dict[str, object]:
    """Keyword arguments of DeclareLaunchArgument."""
    declared = {"default_value": default, "description": description}
    return {**declared, "choices": list(choices)} if choices else declared


def _topic(what: str, own: str) -> dict[str, object]:
    return _argument(f"Topic of the {what} (empty: {own})")


ARGUMENTS: Mapping[str, Mapping[str, object]] = {
    "params_file": _argument(
        "YAML file of the node's parameters", str(config_path("fusion.yaml"))
    ),
    "namespace": _argument("Namespace of the node"),
    "node_name": _argument("Name of the node", "egmt_fusion"),
    **{
        name: _topic(what, _TOPIC_ARGUMENTS[name])
        for name, what in (
            ("thermal_topic", "thermal images"),
            ("visible_topic", "visible images"),
            ("thermal_camera_info_topic", "thermal camera's calibration"),
            ("visible_camera_info_topic", "visible camera's calibration"),
            ("output_image_topic", "fused images"),
            ("output_camera_info_topic", "fused images' calibration"),
            ("output_entities_topic", "entity labels"),
        )
    },
    "device": _argument("auto, cpu, cuda or cuda:N (empty: model.device of params_file)"),
    "autostart": _argument(
        "Configure and activate by itself (empty: that of params_file)", "", "", "true", "false"
    ),
    "use_sim_time": _argument(
        "Follow /clock (empty: that of the parameters)", "", "", "true", "false"
    ),
    "log_level": _argument("debug, info, warn, error or fatal (empty: ROS's own default)"),
    "respawn": _argument(
        "Start the process again when it ends by itself (empty: false)", "", "", "true", "false"
    ),
}
"""Of the launch files, as DeclareLaunchArgument takes them; fusion.launch.py has all of them."""

RESPAWN_DELAY = 2.0
"""Seconds before a process that ended is started again."""


@dataclass(frozen=True)
class NodePlan:
    """A process of the fusion node.

    Attributes:
        namespace: Of the node.
        name: Of the node.
        params_file: YAML file of its parameters.
        parameters: Over those of the file.
        remappings: (own name, topic) pairs.
        respawn: Whether it is started again when it ended by itself.
    """

    namespace: str
    name: str
    params_file: Path
    parameters: Mapping[str, object] = field(default_factory=dict)
    remappings: tuple[tuple[str, str], ...] = ()
    respawn: bool = False


def plan_fusion(values: Mapping[str, str]) -> NodePlan:
    """The process that fusion.launch.py starts.

    Args:
        values: Of every argument in ARGUMENTS, empty for none.

    Raises:
        ConfigError: There is no such file of parameters.
    """
    params_file = Path(values["params_file"])
    if not params_file.is_file():
        raise ConfigError(
            f"params_file:={params_file}: there is no such file. Give the path of a YAML file of"
            " the node's parameters, or leave the argument out to take"
            f" {ARGUMENTS['params_file']['default_value']}."
        )
    parameters: dict[str, object] = {}
    if values["device"]:
        parameters["model.device"] = values["device"]
    for name in ("autostart", "use_sim_time"):
        if values[name]:
            parameters[name] = values[name] == "true"
    return NodePlan(
        namespace=values["namespace"],
        name=values["node_name"],
        params_file=params_file,
        parameters=parameters,
        remappings=tuple(
            (own, values[name]) for name, own in _TOPIC_ARGUMENTS.items() if values[name]
        ),
        respawn=values["respawn"] == "true",
    )


def dds_environment(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The Fast DDS profile for the processes, and what to warn of; the user's own stays.

    Args:
        environment: Of the launch.

    Returns:
        The variables that are set afterwards (none with another middleware), and a warning.
    """
    changed = dict(environment)
    choice = choose_profile("robot", changed)
    return {name: changed[name] for name in PROFILE_VARIABLES if name in changed}, choice.warning


def player_command(bag: Path, rate: str, loop: bool) -> list[str]:
    """`ros2 bag play` with /clock at 100 Hz; topics have the QoS that the bag has of them.

    Args:
        bag: Folder of a rosbag2, or its mcap or db3 file.
        rate: Speed, a positive number; "1" is real time.
        loop: Whether to begin again at the end.

    Raises:
        ConfigError: There is no such bag, or the rate is not a positive number.
    """
    if not bag.exists():
        raise ConfigError(f"bag:={bag}: there is no such file or folder; give a rosbag2")
    if not 0.0 < _number(rate) < math.inf:
        raise ConfigError(f"rate:={rate}; expected a positive number, 1 for real time")
    command = ["ros2", "bag", "play", str(bag), "--clock", "100", "--rate", rate]
    return [*command, "--loop"] if loop else command


def start_delay(text: str) -> float:
    """Seconds before the player starts.

    Raises:
        ConfigError: It is not a number from 0 up.
    """
    if not 0.0 <= _number(text) < math.inf:
        raise ConfigError(f"delay:={text}; expected seconds, 0 or more")
    return float(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
