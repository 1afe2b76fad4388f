"""What is told of the pairing."""

from __future__ import annotations

from collections.abc import Sequence

from egmt_ros.ros.diagnostics.state import NodeState
from egmt_ros.ros.diagnostics.status import OK, WARN, Report, Source, Status, percentiles


def pairing_source(state: NodeState, sides: Sequence[str]) -> Source:
    """Pairs, their gaps, and the warning that no two stamps meet."""

    def tell(report: Report) -> Status:
        level, message = OK, f"{report.fresh['pairs']} pairs since the last report"
        # The frames of the last moment may still wait: unpaired ones are those given up.
        starving = (
            state.phase == "active"
            and not report.fresh["pairs"]
            and all(report.fresh.get(f"{side}.unpaired", 0) for side in sides)
        )
        if starving:
            level = WARN
            message = (
                "both cameras send, but no two stamps are within sync.max_gap: check the"
                " cameras' clocks, sync.max_gap, sync.thermal_offset and sync.visible_offset"
            )
        values = {"pairs": state.pairs, "resets": state.resets}
        return Status(level, message, values | percentiles("gap_ms", state.gap_ms))

    return tell
