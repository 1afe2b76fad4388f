"""`egmt bench`: time of the engine as a multiple of a matrix product, in one run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bench`."""
    parser.add_argument("--size", default="640x480", help="WIDTHxHEIGHT (default: 640x480)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default: 2)")
    parser.add_argument("--rounds", type=int, default=50, help="timed frames (default: 50)")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint (default: the packaged one)")
    parser.add_argument("--device", default="cpu", help="auto, cpu or cuda:N (default: cpu)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="figures as JSON")


def run(args: argparse.Namespace) -> int:
    """Time a whole `FusionEngine.fuse` beside a 2048-cube float32 matrix product."""
    import numpy as np
    import torch

    from egmt_ros.errors import ConfigError
    from egmt_ros.model.checkpoint import load_checkpoint
    from egmt_ros.model.cost import count_gmac
    from egmt_ros.pipeline.engine import FusionEngine
    from egmt_ros.resources import weights_path

    try:
        width, height = (int(part) for part in args.size.split("x"))
    except ValueError as error:
        raise ConfigError(f"--size is {args.size!r}; expected WIDTHxHEIGHT") from error
    for name in ("rounds", "threads"):
        if getattr(args, name) < 1:
            raise ConfigError(f"--{name} is {getattr(args, name)}; expected at least 1")
    engine = FusionEngine.load(args.weights, args.device, args.threads)
    engine.warm_up(width, height, rounds=5)
    rng = np.random.default_rng(0)
    thermal = rng.integers(0, 256, (height, width), np.uint8)
    visible = rng.integers(0, 256, (height, width, 3), np.uint8)
    factor = torch.randn(2048, 2048, device=engine.device)
    engine_ms: list[float] = []
    matrix_ms: list[float] = []

    def multiply() -> None:
        (factor @ factor)[0, 0].item()

    multiply()
    for index in range(args.rounds):
        engine_ms.append(_milliseconds(lambda: engine.fuse(thermal, visible)))
        if index % 4 == 0:
            matrix_ms.append(_milliseconds(multiply))
    network, _ = load_checkpoint(Path(args.weights) if args.weights else weights_path())
    figures = {
        "model_id": engine.model_id,
        "size": args.size,
        "device": engine.device,
        "threads": torch.get_num_threads(),
        "gmac": round(count_gmac(network, width, height), 3),
        "parameters": sum(p.numel() for p in network.parameters()),
        "engine_ms_min": round(min(engine_ms), 2),
        "engine_ms_median": round(float(np.median(engine_ms)), 2),
        "matrix_product_ms_min": round(min(matrix_ms), 2),
        "ratio_of_minima": round(min(engine_ms) / min(matrix_ms), 3),
    }
    print("\n".join(f"{name:22} {value}" for name, value in figures.items()))
    if args.out:
        args.out.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)
