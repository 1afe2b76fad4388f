"""One status of /diagnostics: what a source says, and how several become one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from egmt_ros.pipeline.latency import SlidingPercentiles

RANKS = (50, 95, 99)

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Report:
    """The moment of one message, the same for all sources.

    Attributes:
        now: Steady clock, ns.
        clock: The node's clock, ns; 0 under sim time before the first /clock.
        elapsed: Seconds since the last report, 0 for the first.
        counts: Of each side ("thermal", "visible"): the frame account.
        fresh: What was counted since the last report: "pairs", "errors", and the account's
            counters as "thermal.received" and so on.
        configured_since: Since when the node is configured, steady ns; None: it is not.
    """

    now: int
    clock: int
    elapsed: float
    counts: Mapping[str, Mapping[str, int]]
    fresh: Mapping[str, int]
    configured_since: int | None

    def rate(self, counter: str) -> float:
        """How often something was counted since the last report, Hz."""
        return self.fresh.get(counter, 0) / self.elapsed if self.elapsed > 0 else 0.0


@dataclass(frozen=True)
class Status:
    """What a source says.

    Attributes:
        level: OK, WARN or ERROR.
        message: A sentence; for a warning or an error with the remedy. May be empty with OK.
        values: By key; bool, int, float or text.
    """

    level: bytes = OK
    message: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


Source = Callable[[Report], Status | None]


def merge(parts: Sequence[Status]) -> Status:
    """One of several: the worst level with what was said at it, and all values."""
    level = max((part.level for part in parts), default=OK)
    said = [part.message for part in parts if part.level == level and part.message]
    values = {key: value for part in parts for key, value in part.values.items()}
    return Status(level, "; ".join(dict.fromkeys(said)), values)


def message_of(name: str, hardware_id: str, status: Status) -> DiagnosticStatus:
    """As it is published."""
    return DiagnosticStatus(
        name=f"egmt_fusion: {name}",
        level=status.level,
        message=status.message,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=_text(value)) for key, value in status.values.items()],
    )


def percentiles(name: str, window: SlidingPercentiles) -> dict[str, object]:
    """Values `<name>_p50`, `_p95` and `_p99`; empty texts without measurements."""
    values = window.percentiles(RANKS) or [""] * len(RANKS)
    return {f"{name}_p{rank}": value for rank, value in zip(RANKS, values, strict=True)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)
