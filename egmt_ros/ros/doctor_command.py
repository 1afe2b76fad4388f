"""`egmt doctor`: look at this machine and at the running graph, and say what to do."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from egmt_ros.doctor import machine, middleware, software
from egmt_ros.doctor.finding import Finding, exit_status, summary, warning
from egmt_ros.doctor.graph import check_graph

CONTROL_GROUP = Path("/sys/fs/cgroup")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt doctor`."""
    parser.description = (
        "Checks what the fusion node needs, one line each: ok, warning or problem, and what to do."
        " The exit status is 1 when there is a problem."
    )
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N (default: auto)")
    parser.add_argument(
        "--runtime",
        default="auto",
        choices=("auto", "torch", "openvino", "cuda-graphs"),
        help="what is to execute the network (default: auto)",
    )
    parser.add_argument(
        "--node",
        default="egmt_fusion",
        metavar="NAME",
        help="the running node, alone or with its namespace, /front/egmt_fusion"
        " (default: egmt_fusion)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=5.0,
        help="longest time to wait for the node; once it is found, half of it is listened"
        " (default: 5)",
    )
    parser.add_argument(
        "--no-graph", action="store_true", help="look at this machine only, not at running nodes"
    )


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; the exit status.

    Raises:
        ConfigError: --seconds is not positive.
    """
    from egmt_ros.errors import ConfigError

    if not 0 < args.seconds <= 600:
        raise ConfigError(f"--seconds is {args.seconds:g}; expected more than 0, at most 600")
    findings = []
    for finding in checks(args):
        print(finding.line(), flush=True)
        findings.append(finding)
    print(summary(findings))
    return exit_status(findings)


def checks(args: argparse.Namespace) -> Iterator[Finding]:
    """Every finding, as soon as it is there."""
    # Before the node's own choice of a profile changes the environment of this process.
    environment = dict(os.environ)
    yield software.check_python(sys.version_info[:3])
    imported = {}
    for wanted in software.REQUIREMENTS:
        imported[wanted.module] = software.try_import(wanted.module, wanted.package)
        yield software.check_package(wanted, imported[wanted.module])
    rclpy = software.try_import("rclpy", "rclpy")
    yield software.check_ros(rclpy, environment.get("ROS_DISTRO", ""), wheels_distribution())
    messages = "rclpy is missing" if rclpy.error else messages_error()
    if not rclpy.error:
        yield software.check_messages(messages)
        yield from _middleware(environment)
    yield from _machine(args, imported)
    if args.no_graph or messages:
        return
    yield from _graph(args)


def _middleware(environment: dict[str, str]) -> Iterator[Finding]:
    from egmt_ros.ros.dds import (
        PROFILE_VARIABLES,
        SHARED_MEMORY,
        SHARED_MEMORY_NEEDED,
        profile_path,
    )

    given = {environment[name] for name in PROFILE_VARIABLES if environment.get(name)}
    profiles = {file: middleware.read_profile(Path(file)) for file in given}
    own = profile_path("robot")
    yield middleware.check_profile(environment, PROFILE_VARIABLES, own, profiles)
    try:
        free = shutil.disk_usage(SHARED_MEMORY).free
    except OSError:
        free = None
    yield middleware.check_shared_memory(SHARED_MEMORY, free, SHARED_MEMORY_NEEDED)
    yield middleware.check_domain(environment)
    yield middleware.check_discovery(environment)


def _machine(args: argparse.Namespace, imported: dict[str, software.Import]) -> Iterator[Finding]:
    if imported["torch"].error or imported["safetensors"].error or imported["numpy"].error:
        remedy = "install the packages named above"
        yield warning("weights, device", "not checked: a package is missing", remedy)
    else:
        from egmt_ros.resources import weights_path

        path = Path(args.weights) if args.weights else weights_path()
        yield machine.check_weights(path)
        yield from _device(args, openvino=not imported["openvino"].error)
    texts = (_text(Path("/proc/meminfo")), *map(_text, _control_group()))
    yield machine.check_memory(machine.available_memory(*texts))


def _device(args: argparse.Namespace, openvino: bool) -> Iterator[Finding]:
    import torch

    from egmt_ros.errors import DeviceError
    from egmt_ros.pipeline.devices import resolve_device

    device, error, gpu = "", "", ""
    try:
        chosen = resolve_device(args.device)
        device = str(chosen)
        gpu = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else ""
    except DeviceError as refusal:
        error = str(refusal)
    yield machine.check_device(args.device, device, error, gpu, len(os.sched_getaffinity(0)))
    if device:
        yield machine.check_runtime(args.runtime, device, openvino)


def _graph(args: argparse.Namespace) -> Iterator[Finding]:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from egmt_ros.ros.dds import choose_profile
    from egmt_ros.ros.graph_check import look

    choose_profile("robot")
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    try:
        graph = look(args.node, args.seconds, args.seconds / 2, context)
    finally:
        context.try_shutdown()
    yield from check_graph(graph)


def wheels_distribution() -> str:
    """The ROS distribution whose wheels of rclpy are installed, empty if none are."""
    for distribution in importlib.metadata.distributions():
        name = re.fullmatch(r"ros-([a-z]+)-rclpy", distribution.metadata["Name"] or "")
        if name:
            return name[1]
    return ""


def messages_error() -> str:
    """Why egmt_msgs cannot be used; empty where it can."""
    try:
        from egmt_msgs.msg import EntityLabelArray

        support = type(EntityLabelArray)
        support.__import_type_support__()
    except (ImportError, AttributeError) as error:
        return str(error).strip().splitlines()[0]
    if support._TYPE_SUPPORT is None:
        return "it was built for another Python or ROS"
    return ""


def _control_group() -> tuple[Path, Path]:
    """Limit and use of memory, where control groups version 2 keep them."""
    return CONTROL_GROUP / "memory.max", CONTROL_GROUP / "memory.current"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
