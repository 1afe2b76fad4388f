"""What this machine has: processor, compiler, headers, disk, an installed ROS.

Every check takes what it looks at as arguments, so that tests can give it another machine.
"""

from __future__ import annotations

import glob
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from egmt_ros.bootstrap.failure import SetupError

Which = Callable[[str], "str | None"]

NEEDED_BYTES = 3_000_000_000
WHEEL_PROCESSORS = ("x86_64", "AMD64")


@dataclass(frozen=True)
class Ros:
    """A sourced ROS 2 installation."""

    distro: str
    prefix: Path

    @property
    def signature(self) -> str:
        return f"{self.distro} at {self.prefix}"


def has_package(prefix: str, name: str) -> bool:
    """Whether an ament prefix holds the package."""
    index = Path(prefix, "share", "ament_index", "resource_index", "packages", name)
    return index.exists() or Path(prefix, "share", name, "package.xml").exists()


def sourced_prefix_of(package: str, environ: Mapping[str, str], venv: Path) -> Path | None:
    """The first sourced ament prefix that holds the package; our own .venv does not count."""
    for prefix in environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        if prefix and Path(prefix).resolve() != venv.resolve() and has_package(prefix, package):
            return Path(prefix)
    return None


def find_ros(environ: Mapping[str, str], venv: Path) -> Ros | None:
    """The ROS 2 that this shell has sourced, if any."""
    prefix = sourced_prefix_of("rclpy", environ, venv)
    return Ros(environ.get("ROS_DISTRO", "unknown"), prefix) if prefix else None


def check_processor(
    ros: Ros | None,
    system: str | None = None,
    processor: str | None = None,
    installed: list[str] | None = None,
) -> None:
    """Refuses a machine for which there are no ROS wheels, unless ROS is sourced."""
    system = system or platform.system()
    processor = processor or platform.machine()
    if ros or (system == "Linux" and processor in WHEEL_PROCESSORS):
        return
    if installed is None:
        installed = sorted(glob.glob("/opt/ros/*/setup.bash"))
    if installed:
        remedy = f"source the ROS 2 that is installed (source {installed[-1]})"
    else:
        remedy = "install ROS 2 (apt install ros-jazzy-ros-base), source its setup.bash"
    raise SetupError(
        f"the ROS 2 wheels exist for Linux on x86_64 only, and this is {system} on {processor};"
        f" {remedy} and run make setup again"
    )


def check_ros_python(ros: Ros, python: str) -> None:
    """Refuses a Python that the sourced ROS was not built for."""
    probe = subprocess.run(
        [python, "-c", "import rclpy"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if probe.returncode != 0:
        raise SetupError(
            f"ROS 2 {ros.distro} is sourced, but {python} cannot import its rclpy; use the Python"
            " that it was built for: make setup PYTHON=/usr/bin/python3"
        )


def check_venv_module(find_spec: Callable[[str], object] = importlib.util.find_spec) -> None:
    """Refuses a Python without venv or ensurepip (Debian and Ubuntu split them off)."""
    for module in ("venv", "ensurepip"):
        if find_spec(module) is None:
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise SetupError(
                f"this Python lacks the module {module}; run: sudo apt install"
                f" python{version}-venv, then make setup again"
            )


def check_disk(folder: Path, free: int | None = None) -> None:
    """Refuses a nearly full disk before hundreds of megabytes are fetched."""
    if free is None:
        free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise SetupError(
            f"{free / 1e9:.1f} GB are free on the disk of {folder}, and the environment needs"
            f" {NEEDED_BYTES / 1e9:.0f} GB; free some space and run make setup again"
        )


def check_headers(include: str | None = None) -> None:
    """Refuses a Python whose C headers are not installed."""
    include = include or sysconfig.get_path("include")
    if not Path(include, "Python.h").is_file():
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupError(
            f"no Python headers ({include}/Python.h), which building egmt_msgs needs; run:"
            f" sudo apt install python{version}-dev, then make setup again"
        )


def check_compiler(environ: Mapping[str, str], which: Which = shutil.which) -> None:
    """Refuses a machine with no C or no C++ compiler."""
    wanted = (("CC", ("cc", "gcc", "clang"), "C"), ("CXX", ("c++", "g++", "clang++"), "C++"))
    for variable, names, language in wanted:
        # CMake reads the variable as a command line; its first word is the program.
        chosen = environ.get(variable, "").split()
        if chosen and not which(chosen[0]):
            raise SetupError(
                f"{variable}={environ[variable]} names a compiler that is not there;"
                f" unset {variable} or correct it and run make setup again"
            )
        if not chosen and not any(which(name) for name in names):
            raise SetupError(
                f"no {language} compiler ({', '.join(names)}), which building egmt_msgs needs;"
                " run: sudo apt install g++, or take a compiler from pip: make setup COMPILER=zig"
            )


def child_environment(environ: Mapping[str, str], ros: Ros | None) -> dict[str, str]:
    """The environment for programs that setting up starts.

    A Python with the ROS wheels hands its children a guard variable and its own library path,
    with which a Python of another environment would load the wrong libraries: both are dropped,
    and with them what would make pip look or install elsewhere.
    """
    child = dict(environ)
    if child.pop("_ROS_WHEELS_BOOTSTRAP_COMPLETE", None) and not ros:
        child.pop("LD_LIBRARY_PATH", None)
    if not ros:
        # Packages on PYTHONPATH would count as installed.
        for name in ("PYTHONPATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            child.pop(name, None)
    for name in ("PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__"):
        child.pop(name, None)
    child.update(PIP_USER="0", PIP_NO_INPUT="1", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return child
