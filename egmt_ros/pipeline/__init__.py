"""A frame's way from two camera streams to a fused image, without ROS.

The names below are imported when they are first used, so that `import egmt_ros.pipeline` stays
cheap and pairing needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "EmbeddingFile": "embedding_file",
    "EntityLabel": "results",
    "Frame": "frames",
    "FrameAccount": "accounting",
    "FusionEngine": "engine",
    "FusionResult": "results",
    "Mailbox": "mailbox",
    "NearestPairer": "pairing",
    "Outcome": "accounting",
    "Pair": "frames",
    "Region": "results",
    "Registration": "registration.register",
    "Side": "frames",
    "TextEncoder": "text_encoder",
    "ThermalEncoding": "thermal_encoding",
    "ThermalRange": "thermal",
    "ThermalRangeEstimator": "thermal",
    "ThermalReader": "thermal_reader",
    "ThermalReading": "results",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
