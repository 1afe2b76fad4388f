"""Copies of this checkout, and programs started as if from a fresh shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

NOT_SOURCE = (".venv*", ".git", "demo_output", "build", "install", "log", "data_cache", "runs")
CACHES = ("__pycache__", "*.egg-info", ".pytest_cache", ".ruff_cache", ".hypothesis")


@pytest.fixture(scope="session")
def fresh_environment() -> dict[str, str]:
    """Environment variables without what this test run and the ROS wheels put there."""
    dropped = ("PYTHONPATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE", "MAKEFLAGS", "MAKELEVEL")
    environ = {name: value for name, value in os.environ.items() if name not in dropped}
    if "_ROS_WHEELS_BOOTSTRAP_COMPLETE" in os.environ:
        environ.pop("LD_LIBRARY_PATH", None)
    return environ


@pytest.fixture(scope="session")
def copy_checkout() -> Callable[[Path], Path]:
    """Copies the sources, without builds and caches, into a folder that does not exist yet."""

    def copy(target: Path) -> Path:
        ignored = shutil.ignore_patterns(*NOT_SOURCE, *CACHES)
        shutil.copytree(ROOT, target, ignore=ignored, symlinks=True)
        return target

    return copy


@pytest.fixture(scope="session")
def python(fresh_environment: dict[str, str]) -> Callable[..., str]:
    """Runs this Python with arguments, away from the checkout; returns what it printed."""

    def run(*arguments: str | Path, cwd: Path = Path("/"), **variables: str) -> str:
        result = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=cwd,
            env={**fresh_environment, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert result.returncode == 0, f"{arguments}:\n{result.stdout}\n{result.stderr}"
        return result.stdout

    return run
