"""The node's account of its frames, read from its diagnostics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

ERROR_LEVEL = "2"  # DiagnosticStatus.ERROR
SIDES = ("thermal", "visible")
OUTCOMES = ("fused", "unpaired", "superseded", "rejected", "inactive", "disabled", "passthrough")
COUNTERS = ("received", *OUTCOMES, "in_flight")


@dataclass
class NodeDiagnostics:
    """The newest diagnostics of the node.

    Attributes:
        statuses: Status name without the node's prefix ("thermal input") -> key -> value.
        updates: How many have come.
    """

    statuses: dict[str, dict[str, str]] = field(default_factory=dict)
    updates: int = 0

    def update(self, statuses: Iterable[Mapping[str, Any]]) -> None:
        """Takes over the statuses of one DiagnosticArray."""
        for status in statuses:
            name = str(status["name"]).split(": ", 1)[-1]
            values = {str(k): str(v) for k, v in status["values"].items()}
            values["level"] = str(status["level"])
            values["message"] = str(status["message"])
            self.statuses[name] = values
        self.updates += 1

    def model_error(self) -> str:
        """What is wrong with the model, empty if nothing is."""
        model = self.statuses.get("model", {})
        return model["message"] if model.get("level") == ERROR_LEVEL else ""

    def account(self) -> dict[str, dict[str, int]]:
        """Side -> counter -> frames; empty before the first diagnostics."""
        account = {}
        for side in SIDES:
            values = self.statuses.get(f"{side} input")
            if values is None:
                return {}
            counters = {name: _count(values.get(name, "0")) for name in COUNTERS}
            for key, value in values.items():
                if key.partition(".")[0] in OUTCOMES:
                    counters[key] = _count(value)
            account[side] = counters
        return account


def _count(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def settled(before: Mapping[str, Mapping[str, int]], now: Mapping[str, Mapping[str, int]]) -> bool:
    """True where nothing is in flight and nothing has come in between two accounts."""
    return bool(now) and all(
        now[side]["in_flight"] == 0
        and now[side]["received"] == before.get(side, {}).get("received", -1)
        for side in now
    )
