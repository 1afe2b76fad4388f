"""Executable `detector_prior_node`: starts the example of `egmt_ros.ros.detector_prior`.

    ros2 run egmt_ros detector_prior_node --ros-args \\
      -r '~/input/image:=/egmt_fusion/output/image' \\
      -r '~/input/entities:=/egmt_fusion/output/entities' \\
      -r '~/input/vocabulary:=/egmt_fusion/output/vocabulary' \\
      -p "classes:=['person', 'car']" -p crop_image:=true
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from egmt_ros.ros.node_process import run_node


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; arguments and exit status as `fusion_node`'s."""

    def make_node():
        from egmt_ros.ros.detector_prior import DetectorPriorNode

        return DetectorPriorNode()

    return run_node(make_node, "detector_prior", args)


if __name__ == "__main__":
    sys.exit(main())
