"""Executable `detector_prior_node`: starts the example of `egmt_ros.ros.detector_prior`.

    ros2 run egmt_ros detector_prior_node --ros-args \\
      -r '~/input/image:=/egmt_fusion/output/image' \\
      -r '~/input/entities:=/egmt_fusion/output/entities' \\
      -r '~/input/vocabulary:=/egmt_fusion/output/vocabulary' \\
      -p "classes:=['person', 'car']" -p crop_image:=true
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

from egmt_ros.errors import EgmtError, MissingDependencyError


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM. Main thread only.

    Args:
        args: Command line with the program's name first, None: sys.argv.

    Returns:
        Exit status: 0 after a signal, 1 without ROS 2, 2 for bad arguments or parameters.
    """
    # rclpy's own handlers end the context under a waiting executor, which then raises.
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())

    from egmt_ros.ros.dds import choose_profile
    from egmt_ros.ros.requirements import require_ros

    try:
        require_ros("the node")
    except MissingDependencyError as error:
        return _refuse(error, 1)
    profile = choose_profile("robot")

    import rclpy
    from rclpy.exceptions import NameValidationException
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from egmt_ros.ros.detector_prior import DetectorPriorNode
    from egmt_ros.ros.lifecycle import RCLError

    argv = list(sys.argv if args is None else args)
    try:
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
        node = DetectorPriorNode()
    except (EgmtError, RCLError, NameValidationException) as error:
        rclpy.try_shutdown()
        return _refuse(error, 2)
    if profile.warning:
        node.get_logger().warning(profile.warning)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not ended.is_set():
        executor.spin_once(timeout_sec=0.1)
    node.destroy_node()
    executor.shutdown()
    rclpy.try_shutdown()
    return 0


def _refuse(error: Exception, status: int) -> int:
    """Say why nothing was started; the exit status."""
    for line in str(error).splitlines():
        print(f"detector_prior: {line}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
