"""Imports point one way, and everything outside the ROS rooms works without ROS."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "egmt_ros"

ROS_ROOMS = ("ros", "evaluation/live")

ROS_PACKAGES = {
    "ament_index_python",
    "builtin_interfaces",
    "cv_bridge",
    "launch",
    "launch_ros",
    "message_filters",
    "rcl_interfaces",
    "rclpy",
    "ros2cli",
    "rosidl_runtime_py",
    "std_srvs",
    "tf2_ros",
}

# What each room may import besides itself, errors and resources.
MAY_IMPORT = {
    "bootstrap": set(),
    "calibration": {"pipeline"},
    "cli": {"calibration", "entities", "evaluation", "model", "pipeline", "ros", "training"},
    "doctor": {"model"},
    "downstream": {"pipeline"},
    "entities": {"model", "pipeline", "subcommands"},
    "errors": set(),
    "evaluation": {
        "calibration", "entities", "model", "node_core", "pipeline", "subcommands", "training",
    },  # fmt: skip
    "evaluation/live": {"entities", "evaluation", "node_core", "pipeline", "ros"},
    "model": set(),
    "node_core": {"entities", "model", "pipeline"},
    "pipeline": {"model"},
    "resources": set(),
    "ros": {"doctor", "downstream", "entities", "model", "node_core", "pipeline"},
    "subcommands": set(),
    "training": {"entities", "evaluation", "model", "pipeline"},
}


def is_ros(module: str) -> bool:
    top = module.split(".")[0]
    return top in ROS_PACKAGES or top.endswith("_msgs")


def room_of(parts: tuple[str, ...]) -> str:
    """("evaluation", "live", "player") -> "evaluation/live"."""
    return "evaluation/live" if parts[:2] == ("evaluation", "live") else parts[0]


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of every import statement, also of those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports out in full"
            yield node.lineno, node.module
            # `from egmt_ros import ros` names a room as well.
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def sources() -> list[tuple[str, Path]]:
    """(room, file) of every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            found.append((room_of(parts), path))
    return found


def test_only_the_ros_rooms_import_ros() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        for room, path in sources()
        if room not in ROS_ROOMS
        for line, module in imports_of(path)
        if is_ros(module)
    ]
    assert wrong == []


def test_rooms_import_only_what_they_may() -> None:
    rooms = {room for room, _ in sources()}
    assert rooms <= set(MAY_IMPORT), "give each new room its arrows in MAY_IMPORT"
    wrong = []
    for room, path in sources():
        allowed = MAY_IMPORT[room] | {room, "errors", "resources", "__version__"}
        # What is above live replay may start it.
        if room == "evaluation":
            allowed.add("evaluation/live")
        if room == "bootstrap":
            allowed -= {"errors", "resources"}
        for line, module in imports_of(path):
            parts = tuple(module.split("."))
            if parts[0] == "egmt_ros" and len(parts) > 1 and room_of(parts[1:]) not in allowed:
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {module}")
    assert wrong == []


def test_arrows_are_seen_where_they_are_broken(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "def f():\n    from sensor_msgs.msg import Image\n"
        "    from egmt_ros import ros\n    import rclpy.node\n"
    )
    modules = {module for _, module in imports_of(bad)}
    assert {"sensor_msgs.msg", "rclpy.node"} <= {module for module in modules if is_ros(module)}
    assert "egmt_ros.ros" in modules


IMPORT_ALL = """
import importlib, json, sys

refused = json.loads(sys.argv[1])

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if top in refused or top.endswith("_msgs"):
            raise ImportError(f"{name} is not there in this test")

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[2])
failed = []
for name in json.loads(sys.argv[3]):
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{name}: {error}")
print(json.dumps({"failed": failed, "ros": [name for name in sys.modules if name == "rclpy"]}))
"""


@pytest.mark.parametrize("without", [sorted(ROS_PACKAGES), ["transformers"]], ids=["ros", "text"])
def test_modules_import_without_ros_and_without_transformers(
    python: Callable[..., str], without: list[str]
) -> None:
    names = []
    for room, path in sources():
        if room not in ROS_ROOMS:
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            names.append(".".join(parts).removesuffix(".__init__"))
    assert "egmt_ros.pipeline" in names
    arguments = (json.dumps(without), PACKAGE.parent, json.dumps(names))
    report = json.loads(python("-c", IMPORT_ALL, *arguments))
    assert report == {"failed": [], "ros": []}


def test_the_command_and_the_package_import_nothing_heavy(python: Callable[..., str]) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import egmt_ros, egmt_ros.cli;"
        " print(sorted({'torch', 'rclpy', 'cv2', 'transformers'} & set(sys.modules)))"
    )
    assert python("-c", code, PACKAGE.parent).strip() == "[]"
