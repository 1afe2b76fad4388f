"""`egmt node`: the fusion node without ros2 run or ros2 launch."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt node`."""
    parser.add_argument(
        "--params",
        metavar="FILE",
        type=Path,
        help="YAML file of parameters; without it the defaults, which config/fusion.yaml lists",
    )
    parser.add_argument(
        "--remap",
        metavar="FROM:=TO",
        action="append",
        default=[],
        help="rename a topic, for example '~/input/thermal/image:=/thermal/image_raw';"
        " can be given several times",
    )
    parser.add_argument("--device", help="auto, cpu, cuda or cuda:N; overrides model.device")
    parser.add_argument("--namespace", help="namespace of the node, for example /front")
    parser.add_argument("--node-name", help="name of the node (egmt_fusion)")
    parser.add_argument("--log-level", help="debug, info, warn, error or fatal")
    parser.add_argument("--use-sim-time", action="store_true", help="follow /clock")
    parser.add_argument(
        "--param",
        metavar="NAME:=VALUE",
        action="append",
        default=[],
        help="set one parameter over the file; can be given several times",
    )


def ros_arguments(args: argparse.Namespace) -> list[str]:
    """The `--ros-args` that say the same.

    Raises:
        ConfigError: the file is missing, or a remapping or parameter lacks its ":=".
    """
    from egmt_ros.errors import ConfigError

    ros = ["--ros-args"]
    if args.params is not None:
        if not args.params.is_file():
            raise ConfigError(f"--params {args.params}: no such file")
        ros += ["--params-file", str(args.params)]
    for option, flag, values in (("--remap", "-r", args.remap), ("--param", "-p", args.param)):
        for value in values:
            if ":=" not in value:
                raise ConfigError(f"{option} {value}: expected NAME:=VALUE")
            ros += [flag, value]
    if args.device:
        ros += ["-p", f"model.device:={args.device}"]
    if args.use_sim_time:
        ros += ["-p", "use_sim_time:=true"]
    if args.namespace:
        namespace = args.namespace if args.namespace.startswith("/") else f"/{args.namespace}"
        ros += ["-r", f"__ns:={namespace}"]
    if args.node_name:
        ros += ["-r", f"__node:={args.node_name}"]
    if args.log_level:
        ros += ["--log-level", args.log_level]
    return ros


def run(args: argparse.Namespace) -> int:
    """Run the node until SIGINT or SIGTERM; returns the exit status of `fusion_node.main`.

    Raises:
        ConfigError: see `ros_arguments`.
    """
    from egmt_ros.ros.fusion_node import main

    return main(["egmt", *ros_arguments(args)])
