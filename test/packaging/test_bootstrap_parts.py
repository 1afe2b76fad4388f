"""A sourced ROS, the choice of torch, and the message build of setting up."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import pytest

from egmt_ros.bootstrap import build_interfaces, environment, machine, packages, torch_wheel
from egmt_ros.bootstrap.failure import SetupError
from egmt_ros.bootstrap.venv_tools import VenvTools

ROOT = Path(__file__).resolve().parents[2]


def ros_prefix(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / "share" / name).mkdir(parents=True)
        (folder / "share" / name / "package.xml").touch()
    return folder


def test_a_sourced_ros_and_its_messages_are_found(tmp_path: Path) -> None:
    venv = ros_prefix(tmp_path / ".venv", "rclpy", "egmt_msgs")
    jazzy = ros_prefix(tmp_path / "jazzy", "rclpy")
    workspace = ros_prefix(tmp_path / "workspace", "egmt_msgs")

    def environ(*prefixes: Path) -> dict[str, str]:
        return {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": ":".join(map(str, prefixes))}

    assert machine.find_ros(environ(), venv) is None
    assert machine.find_ros(environ(venv), venv) is None
    assert machine.find_ros(environ(workspace, venv, jazzy), venv).prefix == jazzy
    sourced = machine.sourced_prefix_of("egmt_msgs", environ(venv, workspace, jazzy), venv)
    assert sourced == workspace


def test_children_do_not_inherit_the_library_path_of_the_ros_wheels() -> None:
    shell = {
        "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
        "LD_LIBRARY_PATH": "/other/venv/lib",
        "PYTHONPATH": "/x",
        "PIP_TARGET": "/y",
        "HOME": "/home/me",
    }
    child = machine.child_environment(shell, None)
    assert child["HOME"] == "/home/me"
    assert not set(shell) - {"HOME"} & set(child)
    ros = machine.Ros("jazzy", Path("/opt/ros/jazzy"))
    sourced = {"LD_LIBRARY_PATH": "/opt/ros/jazzy/lib", "PYTHONPATH": "/opt/ros/jazzy/lib/python"}
    assert sourced.items() <= machine.child_environment(sourced, ros).items()


def test_constraints_keep_what_a_sourced_ros_brings(tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text(
        'numpy==2.4.6; python_version >= "3.11"\nnumpy==2.2.6; python_version < "3.11"\n'
        "opencv-python-headless==4.14.0.94\npyyaml==6.0.3\nscipy==1.17.1\n"
    )
    kept = {"numpy": "1.26.4", "opencv-python-headless": "", "PyYAML": "6.0.1", "pytest": "7.4.4"}
    lines = packages.relaxed(pins, kept).splitlines()
    assert sorted(lines) == [
        "PyYAML==6.0.1", "numpy==1.26.4", "pytest==7.4.4", "scipy==1.17.1"
    ]


@pytest.mark.parametrize(
    ("version", "stays"), [("6.2.5", False), ("7.4.4", True), ("8.4.1", True), ("9.0", False),
                           ("", False)]
)
def test_a_pytest_of_ros_stays_only_if_it_fits(tmp_path: Path, version: str, stays: bool) -> None:
    kept = packages.kept_of({"numpy": "1.26.4", "pytest": version})
    assert kept == {"numpy": "1.26.4", **({"pytest": version} if stays else {})}
    pins = tmp_path / "constraints.txt"
    pins.write_text("pytest==9.2.0\n")
    lines = packages.relaxed(pins, kept).splitlines()
    assert lines[-1] == (f"pytest=={version}" if stays else "pytest>=7,<9")
    assert "pytest==9.2.0" not in lines
    assert packages.kept_of({"numpy": "1.26.4"}) == {"numpy": "1.26.4"}


@pytest.mark.parametrize(
    ("version", "cuda", "stays"),
    [
        ("2.13.0+cpu", None, True),
        ("2.12.0+cpu", None, False),
        ("2.13.0+cu130", "13.0", True),
        ("2.6.0+cu124", "12.4", True),
        ("2.1.0+cu118", "11.8", False),
    ],
)
def test_which_installed_torch_stays(version: str, cuda: str | None, stays: bool) -> None:
    assert torch_wheel.usable({"version": version, "cuda": cuda}) is stays
    assert not torch_wheel.usable({})


class FakeTools(VenvTools):
    """A virtual environment whose pip answers from a list, and says what it was asked."""

    def __init__(
        self, answers: list[tuple[str, str]], version: str, found: dict | None = None
    ) -> None:
        super().__init__(Path("/nowhere"), Path("/nowhere/log"), {})
        self.answers, self.version, self.found, self.asked = answers, version, found or {}, []

    def try_pip(self, *arguments: str) -> tuple[str, str]:
        self.asked.append(" ".join(arguments))
        return self.answers.pop(0)

    def ask(self, code: str) -> dict[str, str]:
        return self.found if code == torch_wheel.PROBE else {"version": self.version}


def test_torch_asks_the_configured_index_first_and_only_for_a_cpu_build() -> None:
    tools = FakeTools([("", "")], "2.13.0+cpu")
    assert torch_wheel.install(tools, "pins") == "2.13.0+cpu"
    assert len(tools.asked) == 1 and "--index-url" not in tools.asked[0]

    tools = FakeTools([("missing", ""), ("", "")], "2.13.0+cpu")
    torch_wheel.install(tools, "pins")
    assert f"--index-url {packages.TORCH_CPU_INDEX}" in tools.asked[1]
    assert all(command.endswith("torch==2.13.0+cpu") for command in tools.asked)
    # Pinned to 2.13.0 as well, pip would see a conflict where the CPU build is missing.
    assert not any("-c pins" in command for command in tools.asked)

    tools = FakeTools([("missing", ""), ("network", "")], "")
    with pytest.raises(SetupError, match="no CPU build of torch 2.13.0.*make setup TORCH=any"):
        torch_wheel.install(tools, "pins")

    tools = FakeTools([("network", "the package index cannot be reached")], "")
    with pytest.raises(SetupError, match="cannot be reached"):
        torch_wheel.install(tools, "pins")

    tools = FakeTools([("", "")], "2.13.0")
    with pytest.raises(SetupError, match=r"installed torch 2\.13\.0 where"):
        torch_wheel.install(tools, "pins")


def test_another_build_of_torch_comes_only_when_it_is_asked_for() -> None:
    tools = FakeTools([("", "")], "2.13.0")
    assert torch_wheel.install(tools, "pins", any_build=True) == "2.13.0"
    assert tools.asked == ["-c pins torch==2.13.0"]
    cpu = {"version": "2.13.0+cpu", "cuda": None}
    tools = FakeTools([("", ""), ("", "")], "2.13.0", cpu)
    assert torch_wheel.install(tools, "pins", any_build=True) == "2.13.0"
    assert tools.asked == ["--no-deps --force-reinstall torch==2.13.0", "-c pins torch==2.13.0"]
    for any_build, found in ((False, cpu), (True, {"version": "2.13.0+cu130", "cuda": "13.0"})):
        tools = FakeTools([], "", found)
        assert torch_wheel.install(tools, "pins", any_build) == found["version"]


def test_a_test_package_that_does_not_fit_ros_keeps_no_other_out(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    ros = ros_prefix(tmp_path / "humble", "rclpy")
    options = argparse.Namespace(extras=[], torch="", compiler="system")
    setup = environment.Setup(
        tmp_path, options, {"ROS_DISTRO": "humble", "AMENT_PREFIX_PATH": str(ros)}
    )
    (tmp_path / ".venv").mkdir()

    class Tools(FakeTools):
        def try_pip(self, *arguments: str) -> tuple[str, str]:
            self.asked.append(arguments[-1])
            return ("conflict", "no") if arguments[-1] == "scikit-image" else ("", "")

        def ask(self, code: str) -> dict[str, str]:
            return {"numpy": "1.21.5", "pytest": "6.2.5"}

    setup.tools = Tools([], "")
    remark = setup.install_packages()
    assert setup.tools.asked[1:] == list(packages.TEST)
    assert "kept ROS's numpy but scikit-image do not fit" in remark
    assert "pytest>=7,<9" in (tmp_path / ".venv" / "constraints.txt").read_text().splitlines()


@pytest.mark.parametrize("kind", ["missing", "conflict", "network", ""])
def test_a_processor_without_openvino_is_set_up_all_the_same(tmp_path: Path, kind: str) -> None:
    options = argparse.Namespace(extras=[], torch="", compiler="system")
    setup = environment.Setup(tmp_path, options, {})
    setup.tools = FakeTools([(kind, "what pip said")], "")
    if kind == "network":
        with pytest.raises(SetupError, match="what pip said"):
            setup.install_fast()
    else:
        remark = setup.install_fast()
        assert ("torch does its work" in remark) if kind else remark is None
    assert setup.tools.asked == [f"-c {setup.constraints} --no-deps openvino"]


def test_include_folders_of_the_wheels_are_relocated() -> None:
    text = (
        "set_target_properties(x PROPERTIES\n"
        '  INTERFACE_INCLUDE_DIRECTORIES "/opt/python/cp312-cp312/include/python3.12;'
        '/b/site-packages/numpy/_core/include;${_IMPORT_PREFIX}/include/std_msgs"\n)'
    )
    assert build_interfaces.relocated(text, "/usr/include/python3.12", "/v/numpy/include") == (
        "set_target_properties(x PROPERTIES\n"
        '  INTERFACE_INCLUDE_DIRECTORIES "/usr/include/python3.12;'
        '/v/numpy/include;${_IMPORT_PREFIX}/include/std_msgs"\n)'
    )


def test_a_broken_message_is_reported_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "broken_msgs"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(
        'cmake_minimum_required(VERSION 3.10)\nproject(broken_msgs NONE)\nmessage(FATAL_ERROR "no")'
    )
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    environ = dict(os.environ, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not shutil.which("cmake", path=environ["PATH"]):
        pytest.skip("no CMake")
    tools = VenvTools(tmp_path / "venv", tmp_path / "log", environ)
    tools.ask = lambda code: {"numpy": "/n", "headers": "/h", "packages": str(tmp_path)}
    with pytest.raises(SetupError, match="broken_msgs did not build.*log") as raised:
        build_interfaces.build(source, tools)
    assert "\n" not in str(raised.value)
