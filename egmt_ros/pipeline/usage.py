"""What this process takes of the machine."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

try:
    import resource
except ImportError:  # Windows
    resource = None

_STATM = Path("/proc/self/statm")


class ProcessUsage(NamedTuple):
    """Of this process.

    Attributes:
        resident: Memory now, bytes; None where the system does not tell.
        peak: The most memory so far, bytes; None where the system does not tell.
        cpu: Processor time of all threads so far, seconds.
        threads: Of Python.
    """

    resident: int | None
    peak: int | None
    cpu: float
    threads: int


class GpuMemory(NamedTuple):
    """Of a CUDA device, bytes.

    Attributes:
        allocated: By tensors of this process.
        reserved: By PyTorch for this process; what nvidia-smi shows is more by the CUDA context.
        free: Of the device, for whoever asks first.
        total: Of the device.
    """

    allocated: int
    reserved: int
    free: int
    total: int


def process_usage() -> ProcessUsage:
    """What this process takes now."""
    return ProcessUsage(_resident(), _peak(), time.process_time(), threading.active_count())


def gpu_memory(device: str) -> GpuMemory | None:
    """Memory of the device "cuda" or "cuda:N"; None for others, or before PyTorch is there."""
    torch = sys.modules.get("torch")  # asking must not load it
    if torch is None or not device.startswith("cuda"):
        return None
    free, total = torch.cuda.mem_get_info(device)
    return GpuMemory(
        torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device), free, total
    )


def _resident() -> int | None:
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def _peak() -> int | None:
    if resource is None:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
