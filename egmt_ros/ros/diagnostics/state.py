"""What is known of the node and its inputs; written by its threads, read for /diagnostics."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from egmt_ros.node_core.parameters import SyncParameters
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.latency import SlidingPercentiles
from egmt_ros.pipeline.results import ThermalReading


@dataclass
class ThermalDefects:
    """Dead pixels and lines of the fused thermal images. Written by the worker's thread."""

    last: ThermalReading | None = None
    filled_pixels: int = 0  # of all images together
    repaired_lines: int = 0

    def add(self, reading: ThermalReading) -> None:
        """Count those of one more image."""
        self.last = reading
        self.filled_pixels += reading.filled_pixels
        if reading.lines_repaired:
            self.repaired_lines += reading.dead_rows + reading.dead_columns

    def values(self) -> dict[str, object]:
        """For /diagnostics: the last image's counts and temperatures, and totals."""
        last = self.last
        if last is None:
            return {}
        values = {
            "last_filled_pixels": last.filled_pixels,
            "last_dead_rows": last.dead_rows,
            "last_dead_columns": last.dead_columns,
            "filled_pixels": self.filled_pixels,
            "repaired_lines": self.repaired_lines,
        }
        if not math.isnan(last.min_celsius):
            values |= {"min_celsius": last.min_celsius, "max_celsius": last.max_celsius}
        return values

    def warning(self) -> str:
        """What is worth a warning: dead lines that stay in the image; empty: nothing."""
        last = self.last
        if last is None or last.lines_repaired or not last.dead_rows + last.dead_columns:
            return ""
        return (
            f"{last.dead_rows} dead rows and {last.dead_columns} dead columns in the thermal"
            " image: set thermal.repair_lines to true to have them interpolated"
        )


@dataclass
class InputState:
    """What is known of one input besides its account. Written by the executor's thread, but for
    `defects`.
    """

    topic: str
    publishers: Callable[[], int] = lambda: 0  # on the topic
    matched: Callable[[], int | None] = lambda: 0  # of them, those whose QoS fits ours
    encoding: str = ""
    width: int = 0
    height: int = 0
    last_arrival: int | None = None  # steady ns
    last_stamp: int | None = None  # ns, as the camera says
    lost: int = 0  # sent, but never received, as far as the middleware knows
    tells_lost: bool = False  # whether it does
    last_reject: str = ""
    defects: ThermalDefects = field(default_factory=ThermalDefects)  # of the thermal input


@dataclass
class NodeState:
    """What the node tells its diagnostics; each field is replaced as a whole."""

    phase: str = "unconfigured"
    enabled: bool = True
    fault: str = ""  # why the last transition failed
    worker_lives: Callable[[], bool] = lambda: True  # from before active until after it
    last_error: str = ""  # of inference or publishing
    errors: int = 0
    pairs: int = 0
    resets: int = 0
    missing: Side | None = None  # the camera without which images are passed through
    sync: SyncParameters | None = None  # by which frames are paired; None before the first time
    processing_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    latency_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    wait_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    cyclic_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    gap_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    model: Mapping[str, object] = field(default_factory=dict)
