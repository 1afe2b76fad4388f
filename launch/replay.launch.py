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
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from egmt_ros.ros.launch_plan import dds_environment, player_command, start_delay

# Beside this file's folder, in a checkout as well as in an installed share folder.
CONFIG = Path(__file__).parent.parent / "config"

# Handed on to fusion.launch.py.
HANDED_ON = ("params_file", "thermal_topic", "visible_topic", "device", "log_level")


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="Folder or file of the rosbag2 to play"),
            DeclareLaunchArgument(
                "params_file",
                default_value=str(CONFIG / "fusion.yaml"),
                description="YAML file of the node's parameters",
            ),
            DeclareLaunchArgument(
                "thermal_topic",
                default_value="",
                description="Topic of the bag's thermal images (empty: ~/input/thermal/image)",
            ),
            DeclareLaunchArgument(
                "visible_topic",
                default_value="",
                description="Topic of the bag's visible images (empty: ~/input/visible/image)",
            ),
            DeclareLaunchArgument(
                "device",
                default_value="",
                description="auto, cpu, cuda or cuda:N (empty: model.device of params_file)",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="",
                description="debug, info, warn, error or fatal (empty: ROS's own default)",
            ),
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
    def value(name):
        return LaunchConfiguration(name).perform(context)

    player = player_command(Path(value("bag")), value("rate"), value("loop") == "true")
    profile, warning = dds_environment(context.environment)
    actions = [LogInfo(msg=warning)] if warning else []
    arguments = {name: value(name) for name in HANDED_ON}
    actions.append(
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(Path(__file__).parent / "fusion.launch.py")),
            launch_arguments={**arguments, "use_sim_time": "true"}.items(),
        )
    )
    if value("rviz") == "true":
        actions.append(
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(CONFIG / "egmt.rviz")],
                parameters=[{"use_sim_time": True}],
                additional_env=profile,
            )
        )
    play = ExecuteProcess(cmd=player, additional_env=profile, output="screen")
    actions.append(TimerAction(period=start_delay(value("delay")), actions=[play]))
    return actions
