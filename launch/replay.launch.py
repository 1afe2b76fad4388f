"""Play a rosbag2 through the fusion node, by the bag's time, and show it in RViz.

`ros2 launch egmt_ros replay.launch.py bag:=FOLDER thermal_topic:=... visible_topic:=...`
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    TimerAction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch_ros.actions import Node

from egmt_ros.resources import config_path
from egmt_ros.ros.launch_actions import declared, given
from egmt_ros.ros.launch_plan import dds_environment, player_command, start_delay

# Handed on to fusion.launch.py.
HANDED_ON = (
    "params_file",
    "thermal_topic",
    "visible_topic",
    "thermal_camera_info_topic",
    "visible_camera_info_topic",
    "device",
    "log_level",
)

OWN = ("bag", "rate", "loop", "delay", "rviz")


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Folder or file of the rosbag2 to play"),
            *declared(HANDED_ON),
            DeclareLaunchArgument(
                "rate", default_value="1.0", description="Speed of the player, 1.0 is real time"
            ),
            DeclareLaunchArgument(
                "loop",
                default_value="false",
                choices=["true", "false"],
                description="Begin again at the end of the bag",
            ),
            DeclareLaunchArgument(
                "delay",
                default_value="5.0",
                description="Seconds for the node to load its weights before the bag starts",
            ),
            DeclareLaunchArgument(
                "rviz",
                default_value="true",
                choices=["true", "false"],
                description="Show the images in RViz (needs the package rviz2)",
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context):
    values = given(context, OWN)
    player = player_command(Path(values["bag"]), values["rate"], values["loop"] == "true")
    profile, warning = dds_environment(context.environment)
    actions = [LogInfo(msg=warning)] if warning else []
    arguments = {**given(context, HANDED_ON), "use_sim_time": "true"}
    actions.append(
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(Path(__file__).parent / "fusion.launch.py")),
            launch_arguments=arguments.items(),
        )
    )
    if values["rviz"] == "true":
        actions.append(
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(config_path("egmt.rviz"))],
                parameters=[{"use_sim_time": True}],
                additional_env=profile,
            )
        )
    play = ExecuteProcess(cmd=player, additional_env=profile, output="screen")
    actions.append(TimerAction(period=start_delay(values["delay"]), actions=[play]))
    return actions
