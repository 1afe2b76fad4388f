"""What is told of the model and the worker that runs it."""

from __future__ import annotations

from egmt_ros.ros.diagnostics.state import NodeState
from egmt_ros.ros.diagnostics.status import ERROR, OK, Report, Source, Status, percentiles

# What is published, by the counters of a report.
_PUBLISHED = ("pairs", "thermal.passthrough", "visible.passthrough")


def model_source(state: NodeState) -> Source:
    """The node's state, its model, errors, and how long pairs take."""

    def tell(report: Report) -> Status:
        lives = state.worker_lives()  # asked first: the phase changes before it is told to end
        level, message = OK, state.phase if state.enabled else f"{state.phase}, disabled"
        if state.fault:
            level, message = ERROR, f"{state.phase}: {state.fault}"
        elif not lives and state.phase == "active":
            level, message = ERROR, (
                "the worker's thread has ended, nothing is fused: the log says why; deactivate and"
                " activate the node"
            )
        elif report.fresh["errors"]:
            failed = report.fresh["errors"]
            level, message = ERROR, f"{failed} pairs failed, last: {state.last_error}"
        values = {
            "state": state.phase,
            "enabled": state.enabled,
            **state.model,
            "output_hz": sum(map(report.rate, _PUBLISHED)),
            "errors": state.errors,
            "last_error": state.last_error,
        }
        for name, window in (
            ("processing_ms", state.processing_ms),
            ("latency_ms", state.latency_ms),
            ("wait_ms", state.wait_ms),
            ("cyclic_ms", state.cyclic_ms),
        ):
            values |= percentiles(name, window)
        return Status(level, message, values)

    return tell
