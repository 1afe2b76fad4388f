"""Start the fusion node.

An argument that is left empty means the value in the parameter file, or the node's own topic
name. `ros2 launch egmt_ros fusion.launch.py --show-args` lists them.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

# Beside this file's folder, in a checkout as well as in an installed share folder.
CONFIG = Path(__file__).parent.parent / "config"

TOPICS = {
    "thermal_topic": "~/input/thermal/image",
    "visible_topic": "~/input/visible/image",
    "thermal_camera_info_topic": "~/input/thermal/camera_info",
    "visible_camera_info_topic": "~/input/visible/camera_info",
    "output_image_topic": "~/output/image",
    "output_camera_info_topic": "~/output/camera_info",
    "output_entities_topic": "~/output/entities",
}
PARAMETERS = {
    "device": ("model.device", str, str),
    "autostart": ("autostart", bool, "true".__eq__),
    "use_sim_time": ("use_sim_time", bool, "true".__eq__),
}


def generate_launch_description():
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=str(CONFIG / "fusion.yaml"),
                description="YAML file of the node's parameters",
            ),
            DeclareLaunchArgument(
                "namespace", default_value="", description="Namespace of the node"
            ),
            DeclareLaunchArgument(
                "node_name", default_value="egmt_fusion", description="Name of the node"
            ),
            DeclareLaunchArgument(
                "thermal_topic",
                default_value="",
                description="Topic of the thermal images (empty: ~/input/thermal/image)",
            ),
            DeclareLaunchArgument(
                "visible_topic",
                default_value="",
                description="Topic of the visible images (empty: ~/input/visible/image)",
            ),
            DeclareLaunchArgument(
                "thermal_camera_info_topic",
                default_value="",
                description="Topic of the thermal camera's calibration, read where"
                " output.reference is thermal (empty: ~/input/thermal/camera_info)",
            ),
            DeclareLaunchArgument(
                "visible_camera_info_topic",
                default_value="",
                description="Topic of the visible camera's calibration, read where"
                " output.reference is visible (empty: ~/input/visible/camera_info)",
            ),
            DeclareLaunchArgument(
                "output_image_topic",
                default_value="",
                description="Topic of the fused images (empty: ~/output/image)",
            ),
            DeclareLaunchArgument(
                "output_camera_info_topic",
                default_value="",
                description="Topic of the fused images' calibration (empty: ~/output/camera_info)",
            ),
            DeclareLaunchArgument(
                "output_entities_topic",
                default_value="",
                description="Topic of the entity labels (empty: ~/output/entities)",
            ),
            DeclareLaunchArgument(
                "device",
                default_value="",
                description="auto, cpu, cuda or cuda:N (empty: model.device of params_file)",
            ),
            DeclareLaunchArgument(
                "autostart",
                default_value="",
                choices=["", "true", "false"],
                description="Configure and activate by itself (empty: that of params_file)",
            ),
            DeclareLaunchArgument(
                "use_sim_time",
                default_value="",
                choices=["", "true", "false"],
                description="Follow /clock (empty: that of params_file)",
            ),
            DeclareLaunchArgument(
                "log_level",
                default_value="",
                description="debug, info, warn, error or fatal (empty: ROS's own default)",
            ),
            DeclareLaunchArgument(
                "respawn",
                default_value="",
                choices=["", "true", "false"],
                description="Start the process again when it ends by itself (empty: false)",
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context):
    def value(name):
        return LaunchConfiguration(name).perform(context)

    params_file = Path(value("params_file"))
    if not params_file.is_file():
        raise FileNotFoundError(
            f"params_file:={params_file}: there is no such file. Give the path of a YAML file of"
            f" the node's parameters, or leave the argument out to take {CONFIG / 'fusion.yaml'}."
        )
    overrides = {
        parameter: ParameterValue(convert(value(argument)), value_type=kind)
        for argument, (parameter, kind, convert) in PARAMETERS.items()
        if value(argument)
    }
    profile, actions = _dds_profile(context)
    actions.append(
        Node(
            package="egmt_ros",
            executable="fusion_node",
            name=value("node_name"),
            namespace=value("namespace"),
            parameters=[str(params_file), *([overrides] if overrides else [])],
            remappings=[
                (own, value(argument)) for argument, own in TOPICS.items() if value(argument)
            ],
            arguments=["--ros-args", "--log-level", value("log_level")]
            if value("log_level")
            else [],
            additional_env=profile,
            respawn=value("respawn") == "true",
            respawn_delay=2.0,  # seconds
            output="screen",
        )
    )
    return actions


def _dds_profile(context):
    """The Fast DDS profile for the node, and what to log; the user's own profile stays."""
    try:
        from egmt_ros.ros.dds import PROFILE_VARIABLES, choose_profile
    except ImportError:
        return {}, []  # launched by another Python than the node's: the node chooses itself
    environment = dict(context.environment)
    choice = choose_profile("robot", environment)
    chosen = {name: environment[name] for name in PROFILE_VARIABLES if name in environment}
    return chosen, [LogInfo(msg=choice.warning)] if choice.warning else []
