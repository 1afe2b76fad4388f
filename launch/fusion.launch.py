"""Start the fusion node.

An argument that is left empty means the value in the parameter file, or the node's own topic
name. `ros2 launch egmt_ros fusion.launch.py --show-args` lists them.
"""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from egmt_ros.ros.launch_actions import declared, given, processes
from egmt_ros.ros.launch_plan import ARGUMENTS, plan_fusion


def generate_launch_description():
    return LaunchDescription([*declared(ARGUMENTS), OpaqueFunction(function=_start)])


def _start(context):
    values = given(context, ARGUMENTS)
    return processes(context, [plan_fusion(values)], values["log_level"])
