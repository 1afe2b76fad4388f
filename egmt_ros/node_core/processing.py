"""What the parameters make of the pipeline: a pair's way to a fused image."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from egmt_ros.errors import EgmtError, InputError
from egmt_ros.node_core.parameters import (
    FusionParameters,
    ThermalParameters,
    make_registration,
)
from egmt_ros.pipeline.frames import Frame, Pair, Side
from egmt_ros.pipeline.image_pixels import thermal_array, visible_array
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.passthrough import Size, thermal_alone, visible_alone
from egmt_ros.pipeline.registration.plane import CameraPair
from egmt_ros.pipeline.registration.register import RegisteredPair
from egmt_ros.pipeline.results import FusionResult, Sources
from egmt_ros.pipeline.text_encoder import TextEncoder
from egmt_ros.pipeline.thermal import ThermalRangeEstimator
from egmt_ros.pipeline.thermal_encoding import ThermalEncoding
from egmt_ros.pipeline.thermal_reader import ThermalFrame, ThermalReader


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
    preparing_until: float

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

    Attributes:
        size: In which the network saw the last images; None before the first.
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
        self._colour = True
        self._fused: Size | None = None  # of the last fused image
        self.size: Size | None = None

    def replaced(self, engine: Engine, weights: Any) -> FrameProcessor:
        """Another engine or emphasis with the same memory: the thermal range goes on smoothly."""
        other = copy.copy(self)
        other._engine, other._weights = engine, weights
        return other

    @property
    def preparing_until(self) -> float:
        """That of the engine; from any thread."""
        return self._engine.preparing_until

    def process(self, pair: Pair | Single) -> FusionResult:
        """Fuse a pair; the result has what was read from the thermal image (`thermal`) and
        what was fused (`sources`).

        The result of a single frame shows that frame, in its camera's own size; a thermal image
        is BGR unless the last visible one was grey.

        Raises:
            PairRejected: the images cannot be used (what the engine raises itself goes through).
        """
        frame = None if pair.thermal is None else self._read_thermal(pair.thermal)
        visible = None if pair.visible is None else self._read_visible(pair.visible)
        if visible is None:
            self.size = self._fused or _size(frame.image)
            with _blamed_on(Side.THERMAL):
                return thermal_alone(
                    self._engine.fuse, frame, self._colour, self._weights, self.size
                )
        if frame is None:
            self.size = self._fused or _size(visible)
            with _blamed_on(Side.VISIBLE):
                return visible_alone(self._engine.fuse, visible, self._weights, self.size)
        registered = self._register(frame, visible)
        with _blamed_on(None):
            thermal, visible = registered.thermal, registered.visible
            result = self._engine.fuse(thermal, visible, frame.range, self._weights)
            image = registered.complete(result.image)
        self.size = self._fused = _size(image)
        sources = _sources(frame, registered)
        return dataclasses.replace(result, image=image, thermal=frame.reading, sources=sources)

    def sources(self, pair: Pair) -> Sources:
        """What `process` would fuse, without fusing it; what it remembers goes on as with it.

        Raises:
            PairRejected: As `process`.
        """
        frame, visible = self._read_thermal(pair.thermal), self._read_visible(pair.visible)
        registered = self._register(frame, visible)
        self.size = self._fused = _size(registered.visible)
        return _sources(frame, registered)

    def _register(self, frame: ThermalFrame, visible: Any) -> RegisteredPair:
        with _blamed_on(None):
            return self._registration.apply(frame.image, visible)

    def _read_thermal(self, frame: Frame) -> ThermalFrame:
        with _blamed_on(Side.THERMAL):
            return self._reader.read(thermal_array(frame.payload.view), frame.stamp)

    def _read_visible(self, frame: Frame) -> Any:
        with _blamed_on(Side.VISIBLE):
            visible = visible_array(frame.payload.view)
        self._colour = visible.ndim == 3
        return visible


def _sources(frame: ThermalFrame, registered: RegisteredPair) -> Sources:
    return Sources(registered.thermal, frame.range, registered.visible, registered.outside)


def _size(image: Any) -> Size:
    return image.shape[1], image.shape[0]


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
