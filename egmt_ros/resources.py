"""Where configuration files, weights and message definitions are, however egmt_ros is installed.

The files that belong to the running code come first: those of its checkout (also when the checkout
is installed as editable, or with colcon's --symlink-install), then those installed beside it (a
wheel in a virtual environment, for the user, or with --target or --prefix; a colcon install), and
last those of the sourced ROS prefixes and of this Python.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from egmt_ros.errors import ConfigError

PACKAGE = "egmt_ros"
MESSAGES = "egmt_msgs"

DEFAULT_WEIGHTS = "egmt_base.safetensors"
"""The checkpoint that is used when none is named."""

_PACKAGE_FOLDER = Path(__file__).absolute().parent

# <prefix>/local/lib/python3.12/dist-packages/egmt_ros is the deepest layout.
_LEVELS_TO_PREFIX = 5


def _checkout() -> Path | None:
    """The source folder that the running code is in, if it is in one."""
    folder = _PACKAGE_FOLDER.resolve().parent
    # An install has no setup.py beside the package.
    if (folder / "package.xml").is_file() and (folder / "setup.py").is_file():
        return folder
    return None


def _prefixes() -> Iterator[Path]:
    """Prefixes that may hold share/egmt_ros, nearest first."""
    seen = set()
    ament = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    nearby = list(_PACKAGE_FOLDER.parents)[:_LEVELS_TO_PREFIX]
    for prefix in (*nearby, *(Path(entry) for entry in ament if entry), Path(sys.prefix)):
        if prefix not in seen:
            seen.add(prefix)
            yield prefix


def _first(candidates: Iterable[Path], what: str, remedy: str) -> Path:
    looked_at = []
    for path in candidates:
        if path.exists():
            return path
        looked_at.append(str(path))
    places = "\n  ".join(looked_at)
    raise ConfigError(f"{what} was not found; {remedy}. Looked at:\n  {places}")


def _check_name(name: str | Path, what: str) -> Path:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ConfigError(
            f"{what} name {str(name)!r} must be a file name relative to its folder;"
            " open a file elsewhere by its own path"
        )
    return path


def config_path(name: str | Path) -> Path:
    """Path of a file that is installed from config/.

    Args:
        name: Name below config/, such as "fusion.yaml".

    Raises:
        ConfigError: There is no such file; the message lists the places looked at.
    """
    relative = _check_name(name, "configuration file")
    checkout = _checkout()
    candidates = [checkout / "config" / relative] if checkout else []
    candidates += [prefix / "share" / PACKAGE / "config" / relative for prefix in _prefixes()]
    remedy = f"reinstall {PACKAGE} or correct the name"
    return _first(candidates, f"configuration file {str(name)!r}", remedy)


def weights_path(name: str | Path = DEFAULT_WEIGHTS) -> Path:
    """Path of a file in the package's weights/ folder.

    Args:
        name: Name below weights/; the default checkpoint if it is left out.

    Raises:
        ConfigError: There is no such file; the message says where it should be.
    """
    relative = _check_name(name, "weights")
    remedy = f"reinstall {PACKAGE} or correct the name"
    return _first([_PACKAGE_FOLDER / "weights" / relative], f"weights {str(name)!r}", remedy)


def messages_source() -> Path | None:
    """Folder that holds egmt_msgs' msg/ and srv/ definition files; None if there is none.

    Reading bags needs them where egmt_msgs is not built; egmt_ros installs a copy of its own.
    """
    checkout = _checkout()
    candidates = [checkout / MESSAGES] if checkout else []
    for prefix in _prefixes():
        candidates.append(prefix / "share" / PACKAGE / MESSAGES)
        candidates.append(prefix / "share" / MESSAGES)
    for folder in candidates:
        if any((folder / "msg").glob("*.msg")):
            return folder
    return None


def released_annotations() -> Path | None:
    """Folder of the annotation files that the project releases; None where it is not installed."""
    checkout = _checkout()
    candidates = [checkout / "annotations"] if checkout else []
    candidates += [prefix / "share" / PACKAGE / "annotations" for prefix in _prefixes()]
    return next((folder for folder in candidates if folder.is_dir()), None)
