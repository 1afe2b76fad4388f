"""What the node says about itself on /diagnostics, and the thread that says it.

Each status of the message has a name and one or more sources: functions that are called for each
message and say what they know (`Status`), or None for nothing. Whoever knows something adds a
source, under a name of its own or that of a status that is there already:

    forget = node_diagnostics.add("visible input", lambda report: Status(ERROR, "...", {...}))

Of several sources of one name the worst level wins, with its sentences; values are put together.
"""

from __future__ import annotations

from egmt_ros.ros.diagnostics.builder import DiagnosticsBuilder
from egmt_ros.ros.diagnostics.state import InputState, NodeState, ThermalDefects
from egmt_ros.ros.diagnostics.status import ERROR, OK, WARN, Report, Source, Status
from egmt_ros.ros.diagnostics.synchronising import synchronising_source
from egmt_ros.ros.diagnostics.thread import DiagnosticsThread

__all__ = [
    "ERROR",
    "OK",
    "WARN",
    "DiagnosticsBuilder",
    "DiagnosticsThread",
    "InputState",
    "NodeState",
    "Report",
    "Source",
    "Status",
    "ThermalDefects",
    "synchronising_source",
]
