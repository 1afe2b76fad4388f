"""Is ROS 2 here? Asked before anything that needs it; imports no ROS itself."""

from __future__ import annotations

from egmt_ros.errors import MissingDependencyError


def require_ros(purpose: str) -> None:
    """Make sure that rclpy and the built egmt_msgs can be imported.

    Args:
        purpose: What needs them, the beginning of the error's message ("the node").

    Raises:
        MissingDependencyError: one of them cannot be imported; one line with the remedy.
    """
    package = "rclpy"
    try:
        import rclpy  # noqa: F401

        package = "egmt_msgs"
        from egmt_msgs.msg import EntityLabelArray  # noqa: F401
    except ImportError as error:
        reason = str(error).strip().splitlines()[0]
        raise MissingDependencyError(
            f"{purpose} needs {package}, which cannot be imported ({reason}): run `make setup`"
            " and use its .venv, or source a ROS 2 workspace in which egmt_msgs is built"
        ) from error
