"""Choosing the Fast DDS profile. It must happen before rclpy.init; no ROS is imported here."""

from __future__ import annotations

import os
import shutil
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from egmt_ros.errors import ConfigError

PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
PROFILES = {"robot": "dds_robot.xml", "loopback": "dds_loopback.xml"}

# Each process takes a segment of 64 MB; sender and receiver are two.
SHARED_MEMORY = Path("/dev/shm")
SHARED_MEMORY_NEEDED = 2 * 64 * 1024 * 1024


@dataclass(frozen=True)
class ProfileChoice:
    """What was decided.

    Attributes:
        path: The profile in force, None for the defaults of Fast DDS or another middleware.
        warning: What the user should know, empty if all is well.
    """

    path: Path | None
    warning: str = ""


def choose_profile(
    kind: str = "robot",
    environment: MutableMapping[str, str] | None = None,
    shared_memory: Path = SHARED_MEMORY,
) -> ProfileChoice:
    """Set both profile variables, unless the user has a profile or another middleware.

    With too little shared memory Fast DDS is left at its own defaults: they work there, and
    large best-effort images may get lost.

    Args:
        kind: "robot" (all interfaces) or "loopback" (this machine only).
        environment: Changed in place; None: os.environ.
        shared_memory: Where the free shared memory is measured.
    """
    environment = os.environ if environment is None else environment
    for name in PROFILE_VARIABLES:
        if environment.get(name):
            return ProfileChoice(Path(environment[name]))
    middleware = environment.get("RMW_IMPLEMENTATION", "")
    if middleware and "fastrtps" not in middleware:
        return ProfileChoice(None)
    try:
        free = shutil.disk_usage(shared_memory).free
    except OSError:
        free = 0
    if free < SHARED_MEMORY_NEEDED:
        return ProfileChoice(
            None,
            f"{shared_memory} has {free / 2**20:.0f} MB free, the Fast DDS profile"
            f" {PROFILES[kind]} needs {SHARED_MEMORY_NEEDED / 2**20:.0f} MB: using the defaults"
            " of Fast DDS, large images may get lost. Give the container more"
            " (docker run --shm-size=512m) or set input.*.qos: reliable",
        )
    try:
        path = profile_path(kind)
    except ConfigError as error:
        return ProfileChoice(None, f"using the defaults of Fast DDS: {error}")
    for name in PROFILE_VARIABLES:
        environment[name] = str(path)
    return ProfileChoice(path)


def profile_path(kind: str) -> Path:
    """The profile "robot" or "loopback" in the package's config folder."""
    from egmt_ros.resources import config_path

    return Path(config_path(PROFILES[kind]))
