"""Environment of a session's processes: a ROS domain of their own, loopback only."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from egmt_ros.errors import ConfigError, EgmtError

# Domain ids above 101 meet the ephemeral ports of Linux.
_DOMAINS = range(40, 102)


def require_ros() -> None:
    """Raises MissingDependencyError, with the remedy, where rclpy or egmt_msgs cannot be used."""
    from egmt_ros.ros.requirements import require_ros as require

    require("a live replay")


@contextmanager
def reserved_domain(wanted: int | None = None) -> Iterator[int]:
    """A ROS domain id that no other session on this machine uses meanwhile.

    Args:
        wanted: Use exactly this one, 0..101; nothing is reserved then.
    """
    if wanted is not None:
        if not 0 <= wanted <= 101:
            raise ConfigError(f"ROS domain id {wanted} is out of range; expected 0..101.")
        yield wanted
        return
    start = os.getpid()
    for step in range(len(_DOMAINS)):
        domain = _DOMAINS[(start + step) % len(_DOMAINS)]
        path = Path(tempfile.gettempdir()) / f"egmt_ros_domain_{domain}.lock"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        try:
            yield domain
        finally:
            os.close(descriptor)
        return
    raise EgmtError(
        f"No free ROS domain id in {_DOMAINS.start}..{_DOMAINS.stop - 1}: other sessions use all "
        "of them. Wait for one to end, or give a domain id."
    )


def session_environment(
    domain: int, log_dir: Path, base: Mapping[str, str] | None = None
) -> tuple[dict[str, str], str]:
    """Environment for the processes of one session: on this machine only, large shared memory.

    A Fast DDS profile of the user's is replaced, so that sessions are alike everywhere.

    Args:
        domain: ROS domain id.
        log_dir: Folder of the ROS log files.
        base: Environment to start from; default: this process's.

    Returns:
        The environment, and a warning (empty if all is well) where large best-effort images may
        get lost because the machine has too little shared memory.
    """
    from egmt_ros.ros.dds import PROFILE_VARIABLES, choose_profile

    environment = dict(os.environ if base is None else base)
    root = Path(__file__).resolve().parents[3]  # the folder that holds the package
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    # In a checkout the children must find the package whatever folder they start in. An installed
    # one is found anyway, and site-packages must not come before the standard library.
    if root.name not in ("site-packages", "dist-packages") and str(root) not in paths:
        paths.insert(0, str(root))
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment.update(
        ROS_DOMAIN_ID=str(domain),
        ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",  # Iron and newer
        ROS_LOG_DIR=str(log_dir),
        RCUTILS_COLORIZED_OUTPUT="0",
        PYTHONUNBUFFERED="1",
    )
    unwanted = ("ROS_LOCALHOST_ONLY", "ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER")
    for variable in (*unwanted, *PROFILE_VARIABLES):
        environment.pop(variable, None)
    return environment, choose_profile("loopback", environment).warning
