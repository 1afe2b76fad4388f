"""`egmt`: the command line of egmt_ros.

Each subcommand is a module with `add_arguments(parser)` and `run(args) -> int`, imported only
when it is called for, so that `egmt --help` needs neither torch nor ROS.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from egmt_ros import __version__
from egmt_ros.errors import EgmtError

COMMANDS = {
    "demo": ("egmt_ros.evaluation.demo", "play a bag through the node and report"),
    "node": ("egmt_ros.ros.node_command", "start the fusion node without launch_ros"),
    "fuse": ("egmt_ros.pipeline.fuse_command", "fuse two images or two folders of images"),
    "calibrate": (
        "egmt_ros.calibration.calibrate_command",
        "find the homography between the cameras",
    ),
    "annotate": ("egmt_ros.entities.annotate_command", "make captions, entities and annotations"),
    "train": ("egmt_ros.training.train_command", "train a network"),
    "evaluate": ("egmt_ros.evaluation.evaluate_command", "measure fused images and labels"),
    "bench": ("egmt_ros.evaluation.bench.bench_command", "time the engine and the node"),
    "doctor": ("egmt_ros.ros.doctor_command", "check this machine and the running node"),
    "bag": ("egmt_ros.evaluation.bags.bag_command", "make and look at bags"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return the exit status: 0 done, 1 failed, 2 wrong arguments."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="egmt", description="Entity-guided fusion of thermal and visible images."
    )
    parser.add_argument("--version", action="version", version=f"egmt_ros {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((a for a in arguments if a in COMMANDS), None)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    args = parser.parse_args(arguments)
    try:
        return importlib.import_module(COMMANDS[args.command][0]).run(args)
    except EgmtError as error:
        print(f"egmt {args.command}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        print(f"egmt {args.command}: {what}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"egmt {args.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
