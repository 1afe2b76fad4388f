"""Weights, compute device and memory."""

from __future__ import annotations

from pathlib import Path

from egmt_ros.doctor.finding import Finding, ok, problem, warning
from egmt_ros.errors import CheckpointError

# What a process of the node takes at 640x480 and at 1920x1080, bytes (see docs/measurements.md).
NEEDED_AT_VGA, NEEDED_AT_FULL_HD = 600 * 10**6, 1100 * 10**6

UNLIMITED = 1 << 60
"""Bytes; control groups without a limit say a number near 2^63, or "max"."""


def check_weights(path: Path) -> Finding:
    """Whether the weights load and are those that their description names by hash."""
    from egmt_ros.model.checkpoint import load_checkpoint

    try:
        _, info = load_checkpoint(path)
    except CheckpointError as error:
        return problem("weights", str(error), "reinstall egmt_ros, or correct model.weights")
    found = f"{info.model_id}, {len(info.names)} entities, hash right ({path})"
    return ok("weights", found)


def check_device(wanted: str, device: str, error: str, gpu: str, processors: int) -> Finding:
    """What the network runs on.

    Args:
        wanted: The value of model.device.
        device: What it stands for; empty where it is refused.
        error: Why it is refused.
        gpu: Name of the GPU; empty on a CPU.
        processors: CPUs that this process may use.
    """
    if error:
        return problem("device", error, "set model.device: auto")
    if gpu:
        return ok("device", f"{device} ({gpu})")
    found = f"{device}, {processors} processors" + (
        f" ({wanted}: PyTorch sees no GPU)" if wanted == "auto" else ""
    )
    if processors < 2:
        remedy = "give it two: one for the network, one for DDS and the cameras"
        return warning("device", found.replace("1 processors", "1 processor"), remedy)
    return ok("device", found)


def check_runtime(wanted: str, device: str, openvino: bool) -> Finding:
    """What executes the network.

    Args:
        wanted: The value of model.runtime.
        device: "cpu" or "cuda:N".
        openvino: Whether it can be imported.
    """
    on_cpu = device == "cpu"
    if wanted == "openvino" and not openvino:
        remedy = "pip install --no-deps openvino, or set model.runtime: auto"
        return problem("runtime", "openvino is asked for and not installed", remedy)
    if wanted == "openvino" and not on_cpu:
        found = f"openvino is asked for on {device}, and runs on a CPU only"
        return problem("runtime", found, "set model.runtime: auto")
    if wanted == "cuda-graphs" and on_cpu:
        found = "cuda-graphs is asked for on the CPU"
        return problem("runtime", found, "set model.runtime: auto")
    if wanted == "auto" and on_cpu and not openvino:
        return warning("runtime", "torch", "pip install --no-deps openvino is about twice as fast")
    chosen = ("openvino" if on_cpu else "torch") if wanted == "auto" else wanted
    return ok("runtime", chosen)


def available_memory(meminfo: str, limit: str = "", used: str = "") -> int | None:
    """Bytes that a new process can have; None where the kernel does not tell.

    Args:
        meminfo: Text of /proc/meminfo.
        limit: Text of the control group's memory.max; empty: there is none.
        used: Text of its memory.current.
    """
    found = None
    for line in meminfo.splitlines():
        key, _, value = line.partition(":")
        if key == "MemAvailable" and value.split():
            found = int(value.split()[0]) * 1024
    if found is None or not limit.strip().isdigit() or not used.strip().isdigit():
        return found
    return found if int(limit) >= UNLIMITED else max(0, min(found, int(limit) - int(used)))


def check_memory(available: int | None) -> Finding:
    """Whether the node's process has room.

    Args:
        available: Bytes, from `available_memory`.
    """
    if available is None:
        remedy = f"make sure that {NEEDED_AT_FULL_HD / 1e9:.1f} GB are free"
        return warning("memory", "the system does not tell", remedy)
    room = f"{available / 1e9:.1f} GB available"
    if available < NEEDED_AT_VGA:
        found = f"{room}, the node takes {NEEDED_AT_VGA / 1e9:.1f} GB at 640x480"
        return problem("memory", found, "end other programs, or raise the container's limit")
    if available < NEEDED_AT_FULL_HD:
        found = f"{room}, the node takes {NEEDED_AT_FULL_HD / 1e9:.1f} GB at 1920x1080"
        return warning("memory", found, "enough for 640x480; free some for larger images")
    return ok("memory", room)
