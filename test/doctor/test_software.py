"""Checks of Python, its packages, ROS and the messages, with made-up facts."""

from __future__ import annotations

import re
import sys

import pytest

from egmt_ros.bootstrap import packages
from egmt_ros.doctor import software
from egmt_ros.doctor.finding import Level, exit_status, ok, problem, summary, warning
from egmt_ros.doctor.software import Import, Requirement

TORCH = Requirement("torch", "torch", oldest="2.4")


def test_a_finding_is_one_line_and_only_a_problem_fails() -> None:
    assert ok("numpy", "2.0").line() == "ok       numpy: 2.0"
    assert problem("x", "bad\nnews", "do this").line() == "problem  x: bad news -> do this"
    findings = [ok("a", "b"), warning("c", "d", "e")]
    assert exit_status(findings) == 0
    findings.append(problem("f", "g", "h"))
    assert exit_status(findings) == 1
    assert summary(findings) == "3 checks: 1 ok, 1 warnings, 1 problems"


@pytest.mark.parametrize(
    ("version", "level"),
    [((3, 9, 2), Level.PROBLEM), ((3, 10, 0), Level.OK), ((3, 12, 9), Level.OK),
     ((3, 13, 0), Level.PROBLEM)],
)  # fmt: skip
def test_python(version: tuple[int, ...], level: Level) -> None:
    assert software.check_python(version).level is level


@pytest.mark.parametrize(
    ("wanted", "found", "level", "says"),
    [
        (TORCH, Import("2.13.0+cpu"), Level.OK, "2.13.0+cpu"),
        (TORCH, Import("2.10"), Level.OK, "2.10"),
        (TORCH, Import("2.3.1"), Level.PROBLEM, "torch>=2.4"),
        (TORCH, Import(error="No module named 'torch'"), Level.PROBLEM, "No module"),
        (TORCH, Import(), Level.OK, "no version"),
        (Requirement("cv2", "opencv", below="5"), Import("5.0.0"), Level.PROBLEM, "opencv<5"),
        (
            Requirement("openvino", "openvino", missing="it is slower"),
            Import(error="none"),
            Level.WARNING,
            "it is slower",
        ),
    ],
)
def test_packages(wanted: Requirement, found: Import, level: Level, says: str) -> None:
    finding = software.check_package(wanted, found)
    assert finding.level is level and says in finding.found
    assert ("pip install" in finding.remedy) == (level is not Level.OK)


def test_what_is_checked_is_what_the_package_requires() -> None:
    checked = {packages.canonical(requirement.package) for requirement in software.REQUIREMENTS}
    needed = {*packages.RUNTIME, "torch", packages.FAST}
    assert checked == {packages.canonical(name) for name in needed}
    limits = {requirement.package: requirement.wanted for requirement in software.REQUIREMENTS}
    setup = (packages.Path(__file__).parents[2] / "setup.py").read_text(encoding="utf-8")
    for name, wanted in limits.items():
        assert re.search(f'"{re.escape(wanted)}"', setup), f"setup.py wants another {name}"


def test_imports_tell_version_or_reason(tmp_path, monkeypatch) -> None:
    (tmp_path / "broken_library.py").write_text("raise OSError('libfoo.so: missing\\nmore')")
    (tmp_path / "empty_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert software.try_import("yaml").version
    assert software.try_import("broken_library") == Import(error="libfoo.so: missing")
    assert "without a module" in software.try_import("empty_folder").error
    assert "No module" in software.try_import("not_there_at_all").error
    assert "broken_library" not in sys.modules


@pytest.mark.parametrize(
    ("rclpy", "sourced", "wheels", "level", "says"),
    [
        (Import("7.1"), "", "jazzy", Level.OK, "from wheels"),
        (Import("3.3"), "humble", "", Level.OK, "tried with jazzy only"),
        (Import("9"), "rolling", "", Level.WARNING, "rolling"),
        (Import("7.1"), "humble", "jazzy", Level.PROBLEM, "wheels of jazzy"),
        (Import(error="No module named 'rclpy'"), "", "", Level.WARNING, "cannot run here"),
        (Import(error="No module named 'rclpy'"), "jazzy", "", Level.PROBLEM, "sourced"),
    ],
)
def test_ros(rclpy: Import, sourced: str, wheels: str, level: Level, says: str) -> None:
    finding = software.check_ros(rclpy, sourced, wheels)
    assert finding.level is level and says in finding.found


def test_messages() -> None:
    assert software.check_messages("").level is Level.OK
    finding = software.check_messages("No module named 'egmt_msgs'")
    assert finding.level is Level.PROBLEM and "colcon build" in finding.remedy
