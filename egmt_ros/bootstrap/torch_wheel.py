"""Choosing torch: the pinned CPU build, unless a CUDA build is already there."""

from __future__ import annotations

from egmt_ros.bootstrap.failure import SetupError
from egmt_ros.bootstrap.packages import TORCH, TORCH_CPU_INDEX
from egmt_ros.bootstrap.venv_tools import VenvTools

OLDEST_KEPT = (2, 4)

PROBE = (
    "import json, torch; import torch.version as built;"
    " gpu = built.cuda or getattr(built, 'hip', None);"
    " print(json.dumps({'version': torch.__version__, 'cuda': gpu}))"
)


def usable(found: dict) -> bool:
    """Whether an installed torch stays: the pinned CPU build, or a CUDA build that is new enough.

    Args:
        found: {"version": str, "cuda": str or None}; empty if torch cannot be imported.
    """
    if not found:
        return False
    public = found["version"].split("+")[0]
    if found.get("cuda"):
        return tuple(int(part) for part in public.split(".")[:2]) >= OLDEST_KEPT
    return public == TORCH


def install(tools: VenvTools, constraints: str, any_build: bool = False) -> str:
    """Installs torch and returns its version; what a CPU build needs is installed with the rest.

    The exact version 2.13.0+cpu is asked for: plain 2.13.0 on the public package index is a CUDA
    build of several gigabytes, and pip would take it without a word.

    Args:
        tools: The virtual environment.
        constraints: Path of the file of pins.
        any_build: Take whatever build of the pinned version the configured index has.

    Raises:
        SetupError: No CPU build is to be had.
    """
    found = tools.ask(PROBE)
    if usable(found) and (found.get("cuda") or not any_build):
        return found["version"]
    if any_build:
        if found:  # a CPU build is the pinned version for pip as well, so it is replaced by force
            tools.pip("--no-deps", "--force-reinstall", f"torch=={TORCH}")
        tools.pip("-c", constraints, f"torch=={TORCH}")
    else:
        # Without the constraints: pip holds torch==2.13.0 and 2.13.0+cpu for a conflict.
        base = ["--no-deps", "--force-reinstall"]
        wanted = f"torch=={TORCH}+cpu"
        kind, line = tools.try_pip(*base, wanted)
        if kind == "missing":
            public = ["--index-url", TORCH_CPU_INDEX, "--retries", "1", "--timeout", "20"]
            kind, line = tools.try_pip(*base, *public, wanted)
            if kind in ("missing", "network", "certificate"):
                raise tools.pip_error(
                    f"no CPU build of torch {TORCH} for this Python: the configured package index"
                    f" has none and {TORCH_CPU_INDEX} cannot be used; put its wheel in a folder and"
                    " run PIP_FIND_LINKS=FOLDER make setup, or take the index's CUDA build:"
                    " make setup TORCH=any"
                )
        if kind:
            raise tools.pip_error(line)
    # The rest of torch's needs is not there yet, so ask its metadata file and not torch itself.
    version = tools.ask(
        "import json; from importlib.metadata import version;"
        " print(json.dumps({'version': version('torch')}))"
    ).get("version", "")
    if not any_build and not version.endswith("+cpu"):
        raise SetupError(
            f"pip installed torch {version or '(none)'} where {TORCH}+cpu was asked for;"
            " remove .venv and run make setup again"
        )
    return version
