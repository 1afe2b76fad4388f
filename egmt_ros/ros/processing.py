"""What the parameters make of the pipeline: the matcher, and a pair's way to a fused image."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from egmt_ros.errors import EgmtError, InputError
from egmt_ros.pipeline.pairing import NearestPairer, Pair, Side
from egmt_ros.pipeline.registration.plane import CameraPair
from egmt_ros.pipeline.results import FusionResult, Sources
from egmt_ros.pipeline.text_encoder import TextEncoder
from egmt_ros.pipeline.thermal import ThermalRangeEstimator
from egmt_ros.pipeline.thermal_encoding import ThermalEncoding
from egmt_ros.pipeline.thermal_reader import ThermalReader
from egmt_ros.ros.conversions import thermal_array, visible_array
from egmt_ros.ros.parameters import (
    FusionParameters,
    SyncParameters,
    ThermalParameters,
    make_registration,
    nanoseconds,
)


class Engine(Protocol):
    """What the node needs of an engine; egmt_ros.pipeline.FusionEngine is one."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]
    model_id: str
    vocabulary_hash: str
    text_encoder: str
    template: str
    device: str
    runtime: str

    def fuse(
        self, thermal: Any, visible: Any, thermal_range: Any = None, entity_weights: Any = None
    ) -> FusionResult:
        """Fuse two images of equal size; `entity_weights` come from `emphasis`."""

    def emphasis(self, factors: Mapping[str, float]) -> Any:
        """How much each entity guides the fusion, from entity -> factor."""

    def with_vocabulary(
        self, names: Sequence[str], thresholds: Sequence[float], encoder: TextEncoder | None
    ) -> Engine:
        """Another engine, with these entities; raises ConfigError for unusable ones."""

    def warm_up(self, width: int, height: int) -> float:
        """Fuse once at this size in pixels; returns the milliseconds of a pair."""

    def close(self) -> None:
        """Let go of the network's memory."""


EngineFactory = Callable[..., Engine]


def load_engine(
    *,
    weights: str | None,
    device: str,
    threads: int | None,
    runtime: str,
    precision: str,
    announce: Callable[[str], None],
) -> Engine:
    """The trained network; imported here, so that importing the node stays light.

    `announce` is told when an image size is new and takes the engine a moment to prepare for.
    """
    from egmt_ros.pipeline.engine import FusionEngine

    return FusionEngine.load(weights, device, threads, runtime, precision, announce)


class PairRejected(EgmtError):
    """A pair that cannot be fused.

    Attributes:
        side: The input that is to blame, None for both.
        reason: Slug for the counters.
    """

    def __init__(self, side: Side | None, reason: str, message: str) -> None:
        super().__init__(message)
        self.side = side
        self.reason = reason


class FrameProcessor:
    """Thermal reader, registration and engine with one set of parameters.

    Owned by the worker's thread; make a new one when parameters change.

    Args:
        engine: Fuses.
        parameters: Of thermal images and registration.
        weights: How much each entity guides the fusion, from `engine.emphasis`; None: neutral.
        cameras: What is known of both cameras, for registration.mode camera_info.
    """

    def __init__(
        self,
        engine: Engine,
        parameters: FusionParameters,
        weights: Any = None,
        cameras: Callable[[], CameraPair] | None = None,
    ) -> None:
        self._engine = engine
        self._weights = weights
        self._reader = make_thermal_reader(parameters.thermal)
        self._registration = make_registration(parameters, cameras)

    def replaced(self, engine: Engine, weights: Any) -> FrameProcessor:
        """Another engine or emphasis with the same memory: the thermal range goes on smoothly."""
        other = copy.copy(self)
        other._engine, other._weights = engine, weights
        return other

    def process(self, pair: Pair) -> FusionResult:
        """Fuse a pair; the result has what was read from the thermal image (`thermal`) and
        what was fused (`sources`).

        Raises:
            PairRejected: the images cannot be used (what the engine raises itself goes through).
        """
        with _blamed_on(Side.THERMAL):
            frame = self._reader.read(thermal_array(pair.thermal.payload.view), pair.thermal.stamp)
        with _blamed_on(Side.VISIBLE):
            visible = visible_array(pair.visible.payload.view)
        with _blamed_on(None):
            registered = self._registration.apply(frame.image, visible)
            thermal, visible = registered.thermal, registered.visible
            result = self._engine.fuse(thermal, visible, frame.range, self._weights)
            image = registered.complete(result.image)
        sources = Sources(thermal, frame.range, visible)
        return dataclasses.replace(result, image=image, thermal=frame.reading, sources=sources)


@contextmanager
def _blamed_on(side: Side | None):
    try:
        yield
    except InputError as error:
        raise PairRejected(side, error.reason, str(error)) from error


def make_thermal_reader(thermal: ThermalParameters) -> ThermalReader:
    """What reads thermal images by a set of thermal.* parameters."""
    encoding = ThermalEncoding(thermal.encoding, thermal.scale, thermal.offset)
    fixed = thermal.fixed_range
    estimator = ThermalRangeEstimator(
        mode=thermal.range_mode,
        fixed_range=None if fixed is None else tuple(encoding.value(limit) for limit in fixed),
        percentiles=(thermal.percentile_low, thermal.percentile_high),
        time_constant=thermal.time_constant,
    )
    return ThermalReader(estimator, encoding, thermal.invert, thermal.repair_lines)


def make_pairer(sync: SyncParameters) -> NearestPairer:
    """The matcher for a set of sync.* parameters."""
    return NearestPairer(
        max_gap=nanoseconds(sync.max_gap),
        wait=nanoseconds(sync.wait),
        thermal_offset=nanoseconds(sync.thermal_offset),
        visible_offset=nanoseconds(sync.visible_offset),
        reuse_thermal=sync.reuse_thermal,
    )
