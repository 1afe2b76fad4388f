"""Versions and machine, for a report."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path


def versions(middleware: str = "") -> dict[str, str]:
    """Versions of what a replay depends on; "" where something is not installed.

    Args:
        middleware: RMW implementation of the session.
    """
    from egmt_ros import __version__

    found = {
        "egmt_ros": __version__,
        "python": platform.python_version(),
        "torch": _version("torch"),
        "numpy": _version("numpy"),
        "opencv": _version("opencv-python-headless", "opencv-python", "opencv-contrib-python")
        or _opencv_version(),
        "rclpy": _version("ros-rclpy", "rclpy"),
        "rmw": middleware,
        "ros_distro": os.environ.get("ROS_DISTRO", ""),
    }
    fastdds = _version("ros-fastrtps")
    return {**found, **({"fastdds": fastdds} if fastdds else {})}


def _version(*distributions: str) -> str:
    for name in distributions:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def _opencv_version() -> str:
    try:
        import cv2
    except ImportError:
        return ""
    return cv2.__version__


def machine() -> dict[str, str | int | float]:
    """Processor, cores this process may use, memory, system."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": _cpu_model(),
        "cores": usable or 1,
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
