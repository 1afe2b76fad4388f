"""What is told of the process: memory and processor time."""

from __future__ import annotations

import os

from egmt_ros.pipeline.usage import gpu_memory, process_usage
from egmt_ros.ros.diagnostics.state import NodeState
from egmt_ros.ros.diagnostics.status import Report, Status

MEGABYTE = 1e6


class ProcessSource:
    """Memory, and the processors' time since the last report as a share of one of them.

    Args:
        state: Whose `model` has the device.
    """

    def __init__(self, state: NodeState) -> None:
        self._state = state
        self._started: int | None = None
        self._cpu: float | None = None

    def __call__(self, report: Report) -> Status:
        usage = process_usage()
        before, self._cpu = self._cpu, usage.cpu
        if self._started is None:
            self._started = report.now
        share = (
            100.0 * (usage.cpu - before) / report.elapsed
            if before is not None and report.elapsed > 0
            else 0.0
        )
        values: dict[str, object] = {
            "pid": os.getpid(),
            "reporting_s": (report.now - self._started) / 1e9,
            "rss_mb": _megabytes(usage.resident),
            "peak_rss_mb": _megabytes(usage.peak),
            "cpu_percent": share,
            "threads": usage.threads,
        }
        message = f"{share:.0f} % of a CPU"
        if usage.resident is not None:
            message = f"{usage.resident / MEGABYTE:.0f} MB of memory, {message}"
        gpu = gpu_memory(str(self._state.model.get("device", "")))
        if gpu is not None:
            values |= {f"gpu_{name}_mb": _megabytes(size) for name, size in gpu._asdict().items()}
            message += f", {gpu.reserved / MEGABYTE:.0f} MB of the GPU's memory"
        return Status(message=message, values=values)


def _megabytes(size: int | None) -> object:
    return "" if size is None else size / MEGABYTE
