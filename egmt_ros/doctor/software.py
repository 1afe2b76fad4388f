"""Python, its packages, the ROS distribution and the built messages."""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from dataclasses import dataclass

from egmt_ros.doctor.finding import Finding, ok, problem, warning

OLDEST_PYTHON, FIRST_UNKNOWN_PYTHON = (3, 10), (3, 13)
TRIED_DISTRIBUTION = "jazzy"
DISTRIBUTIONS = ("humble", "jazzy", "kilted")


@dataclass(frozen=True)
class Requirement:
    """A Python package that egmt_ros uses.

    Attributes:
        module: Name to import.
        package: Name for pip.
        oldest: Oldest version that works; empty: any.
        below: First version that does not work; empty: none is known.
        missing: What does not work without it; empty: it is needed by everything.
    """

    module: str
    package: str
    oldest: str = ""
    below: str = ""
    missing: str = ""

    @property
    def wanted(self) -> str:
        """For pip: "torch>=2.4"."""
        limits = [f">={self.oldest}"] * bool(self.oldest) + [f"<{self.below}"] * bool(self.below)
        return self.package + ",".join(limits)


REQUIREMENTS = (
    Requirement("numpy", "numpy", oldest="1.24"),
    Requirement("cv2", "opencv-python-headless", below="5"),
    Requirement("yaml", "PyYAML"),
    Requirement("safetensors", "safetensors"),
    Requirement("torch", "torch", oldest="2.4"),
    Requirement("tqdm", "tqdm"),
    Requirement("rosbags.highlevel", "rosbags", oldest="0.11.9", missing="no bags"),
    Requirement(
        "openvino",
        "openvino",
        oldest="2024.0",
        missing="on a CPU the network takes about twice the time",
    ),
)
"""The run time requirements of setup.py and its extra "fast"."""


@dataclass(frozen=True)
class Import:
    """What came of importing a module.

    Attributes:
        version: Its version; empty where it says none.
        error: Why it cannot be imported; empty where it can.
    """

    version: str = ""
    error: str = ""


def try_import(module: str, package: str = "") -> Import:
    """Import a module and ask for its version.

    A library that is there and broken raises other errors than ImportError; each is told.

    Args:
        module: Name to import.
        package: Name under which it is installed, asked where the module says no version.
    """
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return Import(error=reason[0])
    if getattr(imported, "__file__", None) is None:
        return Import(error=f"{module} is a folder without a module")
    version = getattr(imported, "__version__", "")
    if not version and package:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return Import(version if isinstance(version, str) else "")


def check_python(version: tuple[int, ...]) -> Finding:
    """Whether this Python is one that the package is written for."""
    text = ".".join(map(str, version[:3]))
    if OLDEST_PYTHON <= tuple(version[:2]) < FIRST_UNKNOWN_PYTHON:
        return ok("Python", text)
    return problem("Python", f"{text}; expected 3.10, 3.11 or 3.12", "make setup PYTHON=python3.12")


def check_package(wanted: Requirement, found: Import) -> Finding:
    """Whether a package is there, in a version that works."""
    name = wanted.module.partition(".")[0]
    install = f"pip install '{wanted.wanted}'"
    if found.error:
        if wanted.missing:
            return warning(name, f"{found.error}: {wanted.missing}", install)
        return problem(name, f"cannot be imported ({found.error})", install)
    if not found.version:
        return ok(name, "there, says no version")
    version = release(found.version)
    if wanted.oldest and version < release(wanted.oldest):
        return problem(name, f"{found.version}; expected {wanted.wanted}", install)
    if wanted.below and version >= release(wanted.below):
        return problem(name, f"{found.version}; expected {wanted.wanted}", install)
    return ok(name, found.version)


def release(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: "2.13.0+cpu" -> (2, 13, 0)."""
    leading = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, leading.group().split("."))) if leading else ()


def check_ros(rclpy: Import, sourced: str, wheels: str) -> Finding:
    """Whether ROS 2 is there, and which.

    Args:
        rclpy: What came of importing it.
        sourced: ROS_DISTRO of the environment, empty: none is sourced.
        wheels: Distribution of the installed wheels of rclpy, empty: none are.
    """
    if rclpy.error:
        what = f"rclpy cannot be imported ({rclpy.error})"
        if sourced:
            return problem(
                "ROS",
                f"{what}, though {sourced} is sourced",
                f"use the Python that {sourced} was built for (virtual environments: with"
                " --system-site-packages)",
            )
        return warning(
            "ROS",
            f"{what}: the node cannot run here; fuse, train, evaluate, bench and annotate can",
            "run `make setup` and use its .venv, or source a ROS 2 workspace",
        )
    name = sourced or wheels
    origin = "sourced" if sourced else "from wheels"
    found = f"{name or 'unknown distribution'} ({origin}), rclpy {rclpy.version}".rstrip()
    if sourced and wheels and sourced != wheels:
        return problem(
            "ROS",
            f"{sourced} is sourced, and wheels of {wheels} are installed in this Python",
            "use one of them: start from a shell that has sourced nothing, or use an environment"
            " without the wheels",
        )
    if name not in DISTRIBUTIONS:
        return warning("ROS", found, f"written for {', '.join(DISTRIBUTIONS)}: use one of these")
    if name != TRIED_DISTRIBUTION:
        return ok("ROS", f"{found}; tried with {TRIED_DISTRIBUTION} only")
    return ok("ROS", found)


def check_messages(error: str) -> Finding:
    """Whether egmt_msgs is built for this Python.

    Args:
        error: Why its messages cannot be used; empty where they can.
    """
    if error:
        return problem(
            "egmt_msgs",
            f"not usable ({error})",
            "run `make setup`, or `colcon build --packages-select egmt_msgs egmt_ros` with the"
            " Python that runs the node, and source install/setup.bash",
        )
    return ok("egmt_msgs", "built")
