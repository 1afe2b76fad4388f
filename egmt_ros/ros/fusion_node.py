"""Executable `fusion_node`: the process of the managed node `egmt_fusion`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from egmt_ros.ros.node_process import run_node


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; see `run_node`.

    Args:
        args: Command line with the program's name first, None: sys.argv.

    Returns:
        Exit status: 0 after a signal, 1 after a failure or without ROS 2, 2 for bad arguments
        or parameters.
    """

    def make_node():
        from egmt_ros.ros.node import FusionNode

        return FusionNode()

    return run_node(make_node, "egmt_fusion", args)


if __name__ == "__main__":
    sys.exit(main())
