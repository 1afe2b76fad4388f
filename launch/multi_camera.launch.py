"""Start the fusion node for several camera pairs, each in its own process and namespace.

`ros2 launch egmt_ros multi_camera.launch.py cameras:=FILE`; config/multi_camera.yaml shows FILE.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from egmt_ros.ros.launch_plan import (
    RESPAWN_DELAY,
    dds_environment,
    read_camera_pairs,
    with_sim_time,
)

# Beside this file's folder, in a checkout as well as in an installed share folder.
CONFIG = Path(__file__).parent.parent / "config"


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "cameras", description="YAML file of the camera pairs, as config/multi_camera.yaml"
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                choices=["", "true", "false"],
                description="Follow /clock (empty: as in the parameters of each pair)",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="",
                description="debug, info, warn, error or fatal (empty: ROS's own default)",
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context):
    def value(name):
        return LaunchConfiguration(name).perform(context)

    plans = read_camera_pairs(Path(value("cameras")), CONFIG / "fusion.yaml")
    if value("use_sim_time"):
        plans = with_sim_time(plans, value("use_sim_time") == "true")
    profile, warning = dds_environment(context.environment)
    log_level = value("log_level")
    return [
        *([LogInfo(msg=warning)] if warning else []),
        *(
            Node(
                package="egmt_ros",
                executable="fusion_node",
                name=plan.name,
                namespace=plan.namespace,
                parameters=[str(plan.params_file), *_overrides(plan.parameters)],
                remappings=list(plan.remappings),
                arguments=["--ros-args", "--log-level", log_level] if log_level else [],
                additional_env=profile,
                respawn=plan.respawn,
                respawn_delay=RESPAWN_DELAY,
                output="screen",
            )
            for plan in plans
        ),
    ]


def _overrides(parameters):
    """What stands over the file; without its type launch_ros would read a text "1" as a number."""
    typed = {
        name: value if isinstance(value, list) else ParameterValue(value, value_type=type(value))
        for name, value in parameters.items()
    }
    return [typed] if typed else []
