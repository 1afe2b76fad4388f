"""`state.pt`: what an interrupted run needs to go on, and the log that belongs to it."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from egmt_ros.errors import ConfigError


class Stateful(Protocol):
    """A module or an optimiser."""

    def state_dict(self) -> dict[str, Any]:
        """Its values."""

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Take over values."""


def write_state(
    path: Path, step: int, identity: Mapping[str, Any], parts: Mapping[str, Stateful]
) -> None:
    """Write the state of a run, whole or not at all.

    Args:
        path: File to write.
        step: Steps done.
        identity: What the run was started with.
        parts: What training changes, by name.
    """
    part = path.with_name(path.name + ".part")
    values = {name: value.state_dict() for name, value in parts.items()}
    torch.save({"step": step, **identity, **values}, part)
    os.replace(part, path)


def read_state(
    path: Path,
    identity: Mapping[str, Any],
    parts: Mapping[str, Stateful],
    device: torch.device,
) -> int:
    """Give the parts of a run the values that `write_state` wrote; return the steps done.

    Raises:
        ConfigError: The file is damaged, or is of a run that was started otherwise.
    """
    try:
        state = torch.load(path, map_location=device, weights_only=True)
        other = [key for key, wanted in identity.items() if state[key] != wanted]
        if not other:
            for name, part in parts.items():
                part.load_state_dict(state[name])
            return int(state["step"])
    except (
        RuntimeError,
        AttributeError,
        KeyError,
        ValueError,
        TypeError,
        EOFError,
        OSError,
        pickle.UnpicklingError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"{path} belongs to another network or is damaged ({reason}); "
            "give another --run folder, or remove it"
        ) from error
    key = other[0]
    raise ConfigError(
        f"{path} was started with {key} {state[key]!r}, not {identity[key]!r}; give another --run "
        f"folder, or the {key} it was started with"
    )


def forget_log_after(path: Path, step: int) -> None:
    """Drop the lines that a killed run logged behind its last state: they are logged again."""
    if path.exists():
        lines = path.read_text().splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        path.write_text("".join(f"{line}\n" for line in kept))
