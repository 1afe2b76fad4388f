"""Memory of a process that fuses: `python -m egmt_ros.evaluation.bench.bench_memory JSON`."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from egmt_ros.errors import EgmtError

PAIRS = 3


def main(request: str) -> int:
    """Load an engine, fuse a few pairs of noise, print `peak_mb`, `growth_mb`, `device_mb`.

    Args:
        request: JSON with the arguments of `FusionEngine.load` and "size", width and height.

    Returns:
        Exit status: 1, with a line on stderr, where the engine refuses.
    """
    import torch

    from egmt_ros.pipeline.engine import FusionEngine

    wanted = json.loads(request)
    width, height = wanted.pop("size")
    try:
        engine = FusionEngine.load(**wanted)
        forget_peak()
        loaded = peak_bytes()
        engine.warm_up(width, height, rounds=PAIRS)
    except EgmtError as error:
        print(error, file=sys.stderr)
        return 1
    peak = peak_bytes()
    cuda = engine.device.startswith("cuda")
    on_device = torch.cuda.max_memory_allocated(engine.device) / 1e6 if cuda else None
    megabytes = {
        "peak_mb": round(peak / 1e6, 1),
        "growth_mb": round((peak - loaded) / 1e6, 1),
        "device_mb": on_device,
    }
    print(json.dumps(megabytes))
    return 0


def forget_peak() -> None:
    """Let the largest resident memory be that of now, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        pass  # the growth is then that beyond the peak of loading


def peak_bytes() -> int:
    """Largest resident memory of this process."""
    try:
        for row in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if row.startswith("VmHWM:"):
                return 1024 * int(row.split()[1])
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
