"""What a fused pair costs: time beside a matrix product of the same run, operations, memory.

Times of different machines, or of one at different hours, do not compare. So each time stands
beside that of a 2048-cube float32 matrix product of PyTorch on the same threads, taken in turns
with it.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

import egmt_ros
from egmt_ros.errors import EgmtError
from egmt_ros.model.checkpoint import load_checkpoint
from egmt_ros.model.cost import count_gmac
from egmt_ros.pipeline.devices import resolve_device
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.runtime import PRECISIONS, available_runtimes
from egmt_ros.resources import weights_path

Size = tuple[int, int]
"""Width, height; pixels."""

SIZES: tuple[Size, ...] = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
MATRIX_SIDE = 2048
PAIRS_A_ROUND = 2
"""Timed pairs after each matrix product, behind one that is not: the product's threads still
wait for work then and would share the processor."""


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        sizes: Of the images.
        runtimes: Names as in `egmt_ros.pipeline.runtime.RUNTIMES`.
        precisions: Names as in `egmt_ros.pipeline.runtime.PRECISIONS`.
        device: "auto", "cpu" or "cuda:N".
        threads: CPU threads.
        rounds: Matrix products, each with `PAIRS_A_ROUND` timed pairs.
        weights: Checkpoint; None for the packaged one.
        memory: Whether to measure memory, which takes a process for each line.
    """

    sizes: tuple[Size, ...] = SIZES
    runtimes: tuple[str, ...] = ("auto",)
    precisions: tuple[str, ...] = ("float32",)
    device: str = "cpu"
    threads: int = 2
    rounds: int = 30
    weights: str | None = None
    memory: bool = True


@dataclass(frozen=True)
class Line:
    """One size with one runtime; times in ms, memory in MB (10^6 bytes).

    Attributes:
        prepare_ms: The first pair of this size, with what the runtime prepares for it.
        ms_min, ms_median: Whole calls of `FusionEngine.fuse`.
        matrix_ms_min, matrix_ms_median: Of the matrix products in between.
        ratio_of_minima, ratio_of_medians: Pair to matrix product.
        gmac: 10^9 multiply-accumulates of the network.
        kmac_per_pixel: 10^3 of them for each pixel of the image.
        peak_mb: Largest resident memory of a fresh process that fuses a few pairs.
        growth_mb: Of it, what came after the engine was loaded.
        device_mb: Largest memory of tensors on a CUDA device.
    """

    width: int
    height: int
    runtime: str
    precision: str
    prepare_ms: float
    ms_min: float
    ms_median: float
    matrix_ms_min: float
    matrix_ms_median: float
    ratio_of_minima: float
    ratio_of_medians: float
    gmac: float
    kmac_per_pixel: float
    peak_mb: float | None = None
    growth_mb: float | None = None
    device_mb: float | None = None


def measure(options: Options, progress: Callable[[str], None] = lambda line: None) -> dict:
    """Measure every size with every runtime and precision.

    Args:
        options: What to measure.
        progress: Called with a line before each measurement.

    Returns:
        {"facts": of machine and model, "lines": as in `Line`, "growth": as from `growth`}.

    Raises:
        EgmtError: As from `FusionEngine.load`; or a process that measures memory failed.
    """
    network, info = load_checkpoint(Path(options.weights or weights_path()))
    gmac = {size: count_gmac(network, *size) for size in options.sizes}
    lines = []
    for name in options.runtimes:
        for precision in options.precisions:
            engine = FusionEngine.load(
                options.weights, options.device, options.threads, name, precision
            )
            for size in options.sizes:
                progress(f"{size[0]}x{size[1]} {engine.runtime} {precision}")
                times = _time(engine, size, options.rounds)
                used = _memory(options, engine, size) if options.memory else {}
                pixels = size[0] * size[1]
                lines.append(
                    Line(
                        *size,
                        engine.runtime,
                        precision,
                        **times,
                        gmac=round(gmac[size], 3),
                        kmac_per_pixel=round(1e6 * gmac[size] / pixels, 3),
                        **used,
                    )
                )
            engine.close()
    facts = {
        "model_id": info.model_id,
        "parameters": sum(p.numel() for p in network.parameters()),
        **_machine(options),
    }
    return {"facts": facts, "lines": [asdict(line) for line in lines], "growth": growth(lines)}


def expand(runtime: str, precision: str, device: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Runtimes and precisions, with "all" for what this machine has on the device.

    Raises:
        DeviceError: The device is not there.
    """
    there = resolve_device(device)
    runtimes = available_runtimes(there) if runtime == "all" else (runtime,)
    # float16 needs a CUDA device, see make_runtime.
    all_precisions = tuple(p for p in PRECISIONS if p != "float16" or there.type == "cuda")
    return runtimes, all_precisions if precision == "all" else (precision,)


def growth(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """How cost grows with the pixels: x in cost ~ pixels^x, by least squares of the logarithms.

    Returns:
        For each runtime and precision that was measured at two or more numbers of pixels
        {"runtime", "precision", "time", "gmac", "memory"}; memory None where it is not known or
        did not grow.
    """
    result = []
    for key in dict.fromkeys((line.runtime, line.precision) for line in lines):
        own = [line for line in lines if (line.runtime, line.precision) == key]
        pixels = [line.width * line.height for line in own]
        if len(set(pixels)) < 2:
            continue
        exponents = {
            name: _exponent(pixels, [getattr(line, attribute) for line in own])
            for name, attribute in (
                ("time", "ms_median"),
                ("gmac", "gmac"),
                ("memory", "growth_mb"),
            )
        }
        result.append({"runtime": key[0], "precision": key[1], **exponents})
    return result


def markdown(report: dict) -> str:
    """The report of `measure` as a table with its facts around it."""
    facts, lines = report["facts"], [Line(**line) for line in report["lines"]]
    text = [
        f"`{facts['model_id']}`, {facts['parameters'] / 1e3:.0f} k parameters, on "
        f"{facts['device']} ({facts['device_name']}), CPU threads: {facts['threads']}, PyTorch "
        f"{facts['torch']}, OpenVINO {facts['openvino'] or 'not installed'}, load average "
        f"{facts['load_average']} at the end.",
        "",
        "| size | runtime | precision | ms, best | ms, median | pairs/s | of a matrix product, "
        "best | median | first pair, ms | GMAC | kMAC/pixel | peak memory, MB | of it by fusing | "
        "on the GPU |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for line in lines:
        cells = (
            f"{line.width}x{line.height}", line.runtime, line.precision, f"{line.ms_min:.1f}",
            f"{line.ms_median:.1f}", f"{1e3 / line.ms_median:.1f}", f"{line.ratio_of_minima:.3f}",
            f"{line.ratio_of_medians:.3f}", f"{line.prepare_ms:.0f}", f"{line.gmac:.3f}",
            f"{line.kmac_per_pixel:.2f}", _whole(line.peak_mb), _whole(line.growth_mb),
            _whole(line.device_mb),
        )  # fmt: skip
        text.append(f"| {' | '.join(cells)} |")
    for own in report["growth"]:
        memory = "unknown" if own["memory"] is None else f"pixels^{own['memory']:.2f}"
        text += [
            "",
            f"Growth with {own['runtime']}, {own['precision']}: time pixels^{own['time']:.2f}, "
            f"operations pixels^{own['gmac']:.2f}, memory by fusing {memory}.",
        ]
    return "\n".join(text) + "\n"


def _time(engine: FusionEngine, size: Size, rounds: int) -> dict[str, float]:
    width, height = size
    prepare_ms = engine.warm_up(width, height, rounds=1)
    engine.warm_up(width, height, rounds=2)
    rng = np.random.default_rng(0)
    thermal = rng.integers(0, 256, (height, width), np.uint8)
    visible = rng.integers(0, 256, (height, width, 3), np.uint8)
    factor = torch.randn(MATRIX_SIDE, MATRIX_SIDE, device=engine.device)
    fuse_ms: list[float] = []
    matrix_ms: list[float] = []

    def multiply() -> None:
        (factor @ factor)[0, 0].item()  # item() waits for a GPU

    multiply()
    for _ in range(rounds):
        matrix_ms.append(_milliseconds(multiply))
        engine.fuse(thermal, visible)
        for _ in range(PAIRS_A_ROUND):
            fuse_ms.append(_milliseconds(lambda: engine.fuse(thermal, visible)))
    values = {
        "prepare_ms": prepare_ms,
        "ms_min": min(fuse_ms),
        "ms_median": statistics.median(fuse_ms),
        "matrix_ms_min": min(matrix_ms),
        "matrix_ms_median": statistics.median(matrix_ms),
    }
    values["ratio_of_minima"] = values["ms_min"] / values["matrix_ms_min"]
    values["ratio_of_medians"] = values["ms_median"] / values["matrix_ms_median"]
    return {name: round(value, 4) for name, value in values.items()}


def _milliseconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def _memory(options: Options, engine: FusionEngine, size: Size) -> dict[str, float | None]:
    """Fields of `Line` from a process of its own: this one's memory has held other sizes."""
    request = {
        "weights": options.weights,
        "device": engine.device,
        "threads": options.threads,
        "runtime": engine.runtime,
        "precision": engine.precision,
        "size": size,
    }
    root = str(Path(egmt_ros.__file__).parents[1])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    done = subprocess.run(
        [sys.executable, "-m", "egmt_ros.evaluation.bench.bench_memory", json.dumps(request)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise EgmtError(
            f"the process that measures memory at {size[0]}x{size[1]} failed ({last}); "
            "run egmt bench model --no-memory"
        )
    return json.loads(done.stdout.splitlines()[-1])


def _exponent(pixels: Sequence[int], cost: Sequence[float | None]) -> float | None:
    if any(value is None or value <= 0 for value in cost):
        return None
    return round(float(np.polyfit(np.log(pixels), np.log(np.array(cost, float)), 1)[0]), 3)


def _machine(options: Options) -> dict[str, Any]:
    device = resolve_device(options.device)
    cuda = device.type == "cuda"
    try:
        openvino = metadata.version("openvino")
    except metadata.PackageNotFoundError:
        openvino = ""
    return {
        "device": str(device),
        "device_name": torch.cuda.get_device_name(device) if cuda else _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "rounds": options.rounds,
        "torch": torch.__version__,
        "openvino": openvino,
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    def names() -> Iterator[str]:
        try:
            for row in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
                if row.startswith("model name"):
                    yield row.partition(":")[2].strip()
        except OSError:
            return

    return next(names(), platform.machine())


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"
