"""What is told of how frames are paired: by which rules, how late, and without which camera."""

from __future__ import annotations

from collections.abc import Callable

from egmt_ros.node_core.parameters import SyncParameters
from egmt_ros.ros.diagnostics.state import NodeState
from egmt_ros.ros.diagnostics.status import OK, WARN, Report, Source, Status
from egmt_ros.ros.synchronising import uses_message_filters


def synchronising_source(state: NodeState, skew: Callable[[], float | None]) -> Source:
    """Policy, arrival skew, missing camera, and the warnings that belong to them.

    Args:
        state: Of the node.
        skew: By how many seconds thermal images come later than visible ones of the same stamp;
            None: not known.
    """

    def tell(report: Report) -> Status | None:
        sync = state.sync
        if sync is None or state.phase != "active":
            return None
        late = skew()
        if late is not None:
            late -= sync.thermal_offset - sync.visible_offset
        values = {
            "policy": sync.policy,
            "message_filters": uses_message_filters(sync),
            "skew_ms": "" if late is None else 1e3 * late,
            "missing_camera": "" if state.missing is None else state.missing.value,
        }
        if state.missing is not None:
            living = state.missing.other.value
            return Status(WARN, (
                f"the {state.missing.value} camera is missing: {living} images are passed through"
            ), values)  # fmt: skip
        if late is not None and abs(late) > sync.wait and _loses(report):
            return Status(WARN, _advice(late, sync), values)
        return Status(OK, "", values)

    return tell


def _loses(report: Report) -> bool:
    return any(report.fresh.get(f"{side}.unpaired", 0) for side in report.counts)


def _advice(late: float, sync: SyncParameters) -> str:
    late_side, other = ("thermal", "visible") if late > 0 else ("visible", "thermal")
    return (
        f"{late_side} images come {1e3 * abs(late):.0f} ms later than {other} ones of the same"
        f" stamp, and sync.wait is {1e3 * sync.wait:.0f} ms: if they are late on their way, set"
        f" sync.wait to {1.2 * abs(late) + sync.max_gap:.2f} or more, and sync.queue_size to the"
        " frames of that time;"
        f" if their stamps are wrong, correct sync.{late_side}_offset"
    )
