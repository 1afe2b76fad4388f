"""Set up .venv for this checkout: ``python3 egmt_ros/bootstrap/setup_environment.py``.

This file must parse on every Python 3.6 and later, so that an unsupported Python gets one clear
line instead of a syntax error. Everything else is in the modules beside it.
"""

import os
import subprocess
import sys

SUPPORTED = ((3, 10), (3, 11), (3, 12))


def runs(name):
    """Whether a command is there and starts; some are stand-ins for what is not installed."""
    try:
        command = [name, "-c", ""]
        return subprocess.call(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def python_problem(version, runs=runs):
    """Says in one line why this Python cannot be used; None if it can.

    Args:
        version: At least (major, minor), as in sys.version_info.
        runs: Whether a command starts, to name a Python that would do.
    """
    if tuple(version[:2]) in SUPPORTED:
        return None
    names = [f"python{major}.{minor}" for major, minor in reversed(SUPPORTED)]
    found = [name for name in names if runs(name)]
    if found:
        remedy = f"run: make setup PYTHON={found[0]}"
    else:
        remedy = (
            "install one of them (Ubuntu: sudo apt install python3.12-dev python3.12-venv)"
            " and run: make setup PYTHON=python3.12"
        )
    found_version = f"{version[0]}.{version[1]}"
    return f"Python {found_version} is not supported (3.10, 3.11 and 3.12 are); {remedy}"


def main(arguments=None, version=None):
    """Returns the exit status; 0 once the environment is complete."""
    problem = python_problem(version or sys.version_info)
    if problem:
        sys.stderr.write("egmt_ros setup: " + problem + "\n")
        return 1
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if root not in sys.path:
        sys.path.insert(0, root)
    from egmt_ros.bootstrap.environment import run

    return run(arguments, root)


if __name__ == "__main__":
    sys.exit(main())
