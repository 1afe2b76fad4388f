"""Processor time and memory of another process, from /proc (Linux)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from egmt_ros.errors import EgmtError

MIB = 1 << 20


class Reading(NamedTuple):
    """Of one moment: steady clock and processor time in s, memory in bytes.

    `private` is what only this process holds; `resident` has mapped files and the middleware's
    shared memory besides, which fills up to the size of its segment.
    """

    time: float
    cpu: float
    private: int
    resident: int


def read_process(pid: int) -> Reading:
    """Look at a process.

    Raises:
        EgmtError: It has ended, or the system has no /proc.
    """
    folder = Path("/proc") / str(pid)
    try:
        now = time.monotonic()
        # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
        fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
        ticks = sum(int(value) for value in fields.split()[11:13])
        rows = (folder / "status").read_text(encoding="ascii", errors="replace").splitlines()
        kib = {row.split(":")[0]: row.split()[1] for row in rows if "Rss" in row or "RSS" in row}
        private, resident = 1024 * int(kib["RssAnon"]), 1024 * int(kib["VmRSS"])
    except (OSError, KeyError) as error:
        raise EgmtError(f"process {pid} cannot be measured ({error!r}): has it ended?") from error
    return Reading(now, ticks / os.sysconf("SC_CLK_TCK"), private, resident)


@dataclass
class ProcessMeter:
    """Readings of one process.

    Attributes:
        interval: Least time between two of them, s.
    """

    pid: int
    interval: float = 1.0
    readings: list[Reading] = field(default_factory=list)

    def sample(self, *, at_once: bool = False) -> None:
        """Take a reading if it is time, or at once."""
        due = not self.readings or time.monotonic() - self.readings[-1].time >= self.interval
        if due or at_once:
            self.readings.append(read_process(self.pid))

    def cores(self) -> float:
        """Processor time by time from the first reading to the last: 1.0 is one busy core."""
        first, last = self.readings[0], self.readings[-1]
        return (last.cpu - first.cpu) / max(last.time - first.time, 1e-9)


def slope_per_minute(readings: list[Reading], warm_up: float) -> dict[str, float] | None:
    """Growth of memory in MiB a minute, by least squares.

    Args:
        readings: Of one process, in order.
        warm_up: Readings of the first so many seconds are left out.

    Returns:
        {"private", "resident"}, or None where fewer than three readings are left.
    """
    kept = [r for r in readings if r.time - readings[0].time >= warm_up]
    if len(kept) < 3:
        return None
    minutes = np.array([r.time for r in kept]) / 60.0
    return {
        name: float(np.polyfit(minutes - minutes[0], np.array(values) / MIB, 1)[0])
        for name, values in (
            ("private", [r.private for r in kept]),
            ("resident", [r.resident for r in kept]),
        )
    }
