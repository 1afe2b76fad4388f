"""What the launch files have in common: their arguments and the processes of the node.

The only module that imports launch and launch_ros; what it starts is planned in `launch_plan`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from launch import Action, LaunchContext
from launch.actions import DeclareLaunchArgument, LogInfo
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from egmt_ros.ros.launch_plan import ARGUMENTS, RESPAWN_DELAY, NodePlan, dds_environment


def declared(names: Iterable[str]) -> list[DeclareLaunchArgument]:
    """Declarations of the node's arguments of these names."""
    return [DeclareLaunchArgument(name, **ARGUMENTS[name]) for name in names]


def given(context: LaunchContext, names: Iterable[str]) -> dict[str, str]:
    """What the arguments of these names are in a launch."""
    return {name: LaunchConfiguration(name).perform(context) for name in names}


def processes(
    context: LaunchContext, plans: Iterable[NodePlan], log_level: str = ""
) -> list[Action]:
    """A process of the fusion node for each plan, and a line in the log where DDS lacks something.

    Args:
        context: Of the launch; the Fast DDS profile is chosen for its environment.
        plans: What to start.
        log_level: Empty: ROS's own default.
    """
    profile, warning = dds_environment(context.environment)
    nodes = [
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
    ]
    return [LogInfo(msg=warning), *nodes] if warning else nodes


def _overrides(parameters: Mapping[str, object]) -> list[dict[str, object]]:
    """What stands over the file; without its type launch_ros would read a text "1" as a number."""
    typed = {
        name: value if isinstance(value, list) else ParameterValue(value, value_type=type(value))
        for name, value in parameters.items()
    }
    return [typed] if typed else []
