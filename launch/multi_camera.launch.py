"""Start the fusion node for several camera pairs, each in its own process and namespace.

`ros2 launch egmt_ros multi_camera.launch.py cameras:=FILE`; config/multi_camera.yaml shows FILE.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from egmt_ros.ros.camera_pairs import read_camera_pairs, with_sim_time
from egmt_ros.ros.launch_actions import declared, given, processes

SHARED = ("use_sim_time", "log_level")


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "cameras", description="YAML file of the camera pairs, as config/multi_camera.yaml"
            ),
            *declared(SHARED),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context):
    values = given(context, ("cameras", *SHARED))
    plans = read_camera_pairs(Path(values["cameras"]))
    if values["use_sim_time"]:
        plans = with_sim_time(plans, values["use_sim_time"] == "true")
    return processes(context, plans, values["log_level"])
