"""launch/fusion.launch.py: its arguments, and what it would start."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from egmt_ros.ros.launch_plan import ARGUMENTS

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "launch" / "fusion.launch.py"
NAMES = {
    "params_file",
    "namespace",
    "node_name",
    "thermal_topic",
    "visible_topic",
    "thermal_camera_info_topic",
    "visible_camera_info_topic",
    "output_image_topic",
    "output_camera_info_topic",
    "output_entities_topic",
    "device",
    "autostart",
    "use_sim_time",
    "log_level",
    "respawn",
}


def test_all_arguments_are_declared_with_a_description_and_a_default():
    assert set(ARGUMENTS) == NAMES
    for name, declared in ARGUMENTS.items():
        assert len(declared["description"]) > 10, name
        assert set(declared) - {"choices"} == {"default_value", "description"}, name


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An ament prefix that holds the executable, as colcon would make it."""
    pytest.importorskip("launch_ros.actions", reason="launch_ros is not installed")
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "egmt_ros").touch()
    executable = tmp_path / "lib" / "egmt_ros" / "fusion_node"
    executable.parent.mkdir(parents=True)
    executable.write_text(f'#!/bin/sh\nexec {sys.executable} -m egmt_ros.ros.fusion_node "$@"\n')
    executable.chmod(0o755)
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))


@pytest.fixture
def launched_by(installed):
    """Returns the nodes that a launch file starts with some arguments (needs launch_ros)."""
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    def start(file, **arguments):
        spec = importlib.util.spec_from_file_location("launch_file", FILE.with_name(file))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        context = LaunchContext()
        context.launch_configurations.update(arguments)
        started = []
        for entity in module.generate_launch_description().entities:
            if isinstance(entity, DeclareLaunchArgument):
                entity.execute(context)
            elif isinstance(entity, OpaqueFunction):
                started += entity.execute(context)
        from launch_ros.actions import Node

        nodes = [action for action in started if isinstance(action, Node)]
        for node in nodes:
            node._perform_substitutions(context)
        return nodes, context

    return start


@pytest.fixture
def launched(launched_by):
    """Returns the node of fusion.launch.py."""

    def start(**arguments):
        (node,), context = launched_by("fusion.launch.py", **arguments)
        return node, context

    return start


def command_of(node, context):
    """The words of the command line, but for name and namespace, which `execute` adds."""
    from launch.substitutions import LocalSubstitution
    from launch.utilities import perform_substitutions

    return [
        perform_substitutions(context, part)
        for part in node.cmd
        if not isinstance(part[0], LocalSubstitution)
    ]


def test_by_default_only_the_parameter_file_is_given(launched):
    node, context = launched()
    command = command_of(node, context)
    files = [command[i + 1] for i, word in enumerate(command) if word == "--params-file"]
    assert files == [str(ROOT / "config" / "fusion.yaml")]
    assert node.node_name == "/egmt_fusion"
    assert not node.expanded_remapping_rules


def test_arguments_become_remappings_and_parameters(launched):
    node, context = launched(
        thermal_topic="/thermal/image_raw",
        output_entities_topic="labels",
        namespace="front",
        device="cuda:1",
        autostart="false",
        log_level="debug",
    )
    command = " ".join(command_of(node, context))
    assert sorted(node.expanded_remapping_rules) == [
        ("~/input/thermal/image", "/thermal/image_raw"),
        ("~/output/entities", "labels"),
    ]
    assert node.node_name == "/front/egmt_fusion"
    assert "--log-level debug" in command
    overrides = Path(command.split("--params-file ")[2].split()[0]).read_text()
    assert "model.device: cuda:1" in overrides
    assert "autostart: false" in overrides


def test_multi_camera_starts_a_node_for_each_pair(launched_by):
    cameras = ROOT / "config" / "multi_camera.yaml"
    (front, rear), context = launched_by("multi_camera.launch.py", cameras=str(cameras))
    assert (front.node_name, rear.node_name) == ("/front/egmt_fusion", "/rear/egmt_fusion")
    assert ("~/input/thermal/image", "/front/thermal/image_raw") in front.expanded_remapping_rules
    command = " ".join(command_of(rear, context))
    overrides = Path(command.split("--params-file ")[2].split()[0]).read_text()
    assert "sync.max_gap: 0.03" in overrides and "model.threads: 2" in overrides


def test_replay_hands_its_arguments_on_to_fusion(installed, tmp_path):
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction

    spec = importlib.util.spec_from_file_location("replay", FILE.with_name("replay.launch.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    context = LaunchContext()
    context.launch_configurations.update({"bag": str(tmp_path), "rviz": "false"})
    actions = []
    for entity in module.generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
        elif isinstance(entity, OpaqueFunction):
            actions += entity.execute(context)
    (include,) = [a for a in actions if isinstance(a, IncludeLaunchDescription)]
    assert ("use_sim_time", "true") in include.launch_arguments
    included = include.execute(context)[-1]
    assert {argument.name for argument in included.get_launch_arguments()} == NAMES
    assert {name for name, _ in include.launch_arguments} <= NAMES


def test_the_dds_profile_is_set_unless_the_user_has_one(launched, monkeypatch):
    from launch.utilities import perform_substitutions

    def environment_of(node, context):
        return {
            perform_substitutions(context, key): perform_substitutions(context, value)
            for key, value in node.additional_env or []
        }

    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    monkeypatch.delenv("FASTDDS_DEFAULT_PROFILES_FILE", raising=False)
    environment = environment_of(*launched())
    assert environment["FASTRTPS_DEFAULT_PROFILES_FILE"].endswith("dds_robot.xml")
    assert environment["FASTDDS_DEFAULT_PROFILES_FILE"].endswith("dds_robot.xml")
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/mine.xml")
    environment = environment_of(*launched())
    assert "FASTRTPS_DEFAULT_PROFILES_FILE" not in environment


def test_launch_starts_the_node_and_sigint_ends_both(installed, rig):
    program = f"""
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService()
service.include_launch_description(__import__("launch").LaunchDescription([
    IncludeLaunchDescription(
        PythonLaunchDescriptionSource({str(FILE)!r}),
        launch_arguments={{
            "namespace": "front", "autostart": "false", "output_image_topic": "/fused"
        }}.items(),
    )
]))
sys.exit(service.run())
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        rig.base = "/front/egmt_fusion"
        rig.listen()
        rig.wait(lambda: rig.messages["diagnostics"], "the node reports", timeout=30)
        status, values = rig.status("model")
        assert (status.hardware_id, values["state"]) == ("/front/egmt_fusion", "unconfigured")
        child.send_signal(signal.SIGINT)
        output, _ = child.communicate(timeout=30)
    finally:
        if child.poll() is None:
            child.kill()
            child.communicate()
    assert child.returncode == 0, output
    assert "process has finished cleanly" in output, output
