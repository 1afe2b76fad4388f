"""The bare engine, timed in a process of its own:
`python -m egmt_ros.evaluation.bench.bench_engine PAIRS.npz JSON`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from egmt_ros.errors import EgmtError


def main(pairs: Path, request: str) -> int:
    """Load an engine, fuse the pairs again and again, print what a pair took.

    Args:
        pairs: .npz with arrays `thermal` (n, h, w) and `visible` (n, h, w, 3), uint8.
        request: JSON with the arguments of `FusionEngine.load` and "seconds", how long to fuse
            after warming up; at least ten pairs are fused.

    Returns:
        Exit status: 1, with a line on stderr, where the engine refuses.
    """
    from egmt_ros.pipeline.engine import FusionEngine

    wanted = json.loads(request)
    seconds = wanted.pop("seconds")
    with np.load(pairs) as file:
        thermal, visible = file["thermal"], file["visible"]
    try:
        engine = FusionEngine.load(**wanted)
        engine.warm_up(thermal.shape[2], thermal.shape[1])
        took: list[float] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(took) < 10:
            index = len(took) % len(thermal)
            start = time.perf_counter()
            engine.fuse(thermal[index], visible[index])
            took.append(1e3 * (time.perf_counter() - start))
    except EgmtError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({"ms": [round(value, 3) for value in took], "model_id": engine.model_id,
                      "runtime": engine.runtime, "device": engine.device}))  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
