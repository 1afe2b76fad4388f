"""Emphasis: how much each entity is to guide the fusion, as people write it and as an array."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence

import numpy as np

from egmt_ros.errors import ConfigError

LARGEST_EMPHASIS = 4.0
"""Above it the effect saturates."""


def parse_emphasis(entries: Sequence[str]) -> dict[str, float]:
    """Read entries such as "person=2.0".

    Args:
        entries: Entity and factor each; 1 is neutral, 0: the entity guides nothing. Empty entries
            stand for none.

    Returns:
        Entity -> factor, 0..`LARGEST_EMPHASIS`.

    Raises:
        ConfigError: An entry is not of this form, its factor is not a number of that range, or
            an entity stands twice.
    """
    factors: dict[str, float] = {}
    for entry in entries:
        if not entry.strip():
            continue
        name, equals, number = entry.rpartition("=")
        name = name.strip()
        if not equals or not name:
            raise ConfigError(f"emphasis {entry!r} is not of the form entity=factor ('person=2.0')")
        try:
            factor = float(number)
        except ValueError:
            raise ConfigError(
                f"emphasis of {name!r} is {number!r}; expected a number from 0 to "
                f"{LARGEST_EMPHASIS:g}, such as '{name}=2.0'"
            ) from None
        _check(name, factor)
        if name in factors:
            raise ConfigError(f"emphasis names {name!r} twice; expected each entity once")
        factors[name] = factor
    return factors


def emphasis_weights(names: Sequence[str], factors: Mapping[str, float]) -> np.ndarray:
    """(E,) float32 factors of the entities `names`, 1 for those that `factors` leaves out.

    Raises:
        ConfigError: `factors` has an entity that is not in `names`, or a factor that is not a
            number from 0 to `LARGEST_EMPHASIS`.
    """
    weights = np.ones(len(names), np.float32)
    for name, factor in factors.items():
        _check(name, factor)
        if name not in names:
            raise ConfigError(unknown_entity(name, names))
        weights[list(names).index(name)] = factor
    return weights


def unknown_entity(name: str, names: Sequence[str]) -> str:
    """The sentence about an emphasised entity that the vocabulary `names` lacks."""
    close = difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(names[:30])}"
    return f"emphasis names {name!r}, which is not in the vocabulary of {len(names)}; {hint}"


def _check(name: str, factor: float) -> None:
    if not math.isfinite(factor) or not 0.0 <= factor <= LARGEST_EMPHASIS:
        raise ConfigError(
            f"emphasis of {name!r} is {factor:g}; expected a number from 0 to {LARGEST_EMPHASIS:g}"
        )
