"""The frozen objects that the node works with, one for each group of parameters."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.emphasis import parse_emphasis
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.registration.homography import Homography, parse_homography
from egmt_ros.pipeline.registration.plane import CameraPair, Pose, parse_pose
from egmt_ros.pipeline.registration.register import Registration

NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class ModelParameters:
    """Group model.*; sizes in pixels, `threads` 0 leaves the choice to the library."""

    weights: str
    device: str
    threads: int
    runtime: str
    precision: str
    fallback_to_cpu: bool
    warm_up_width: int
    warm_up_height: int


@dataclass(frozen=True)
class SubscriptionParameters:
    """Transport and QoS of one input; depth in messages, 0: that of the profile."""

    transport: str
    qos: str
    depth: int


@dataclass(frozen=True)
class InputParameters:
    """Group input.*."""

    thermal: SubscriptionParameters
    visible: SubscriptionParameters


@dataclass(frozen=True)
class SyncParameters:
    """Group sync.*; times in seconds, `queue_size` in frames of one camera."""

    policy: str
    max_gap: float
    wait: float
    queue_size: int
    thermal_offset: float
    visible_offset: float
    reuse_thermal: bool
    on_missing: str
    missing_timeout: float


@dataclass(frozen=True)
class ThermalParameters:
    """Group thermal.*; percentiles 0..100, `time_constant` in seconds.

    `scale` and `offset` make degrees Celsius of pixels with encoding linear; `fixed_min` and
    `fixed_max` are degrees Celsius with every encoding that knows them.
    """

    encoding: str
    scale: float
    offset: float
    invert: bool
    repair_lines: bool
    range_mode: str
    fixed_min: float
    fixed_max: float
    percentile_low: float
    percentile_high: float
    time_constant: float

    @property
    def fixed_range(self) -> tuple[float, float] | None:
        """(black, white), or None for the full scale of an 8-bit image."""
        return None if math.isnan(self.fixed_min) else (self.fixed_min, self.fixed_max)

    def __eq__(self, other: object) -> bool:
        # The defaults hold NaN, which would make equal settings differ.
        return isinstance(other, ThermalParameters) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


@dataclass(frozen=True)
class RegistrationParameters:
    """Group registration.*; `homography` is a file's path or nine numbers, depth is in metres,
    `check_period` in seconds, `check_limit` in pixels at 640 of width.
    """

    mode: str
    homography: str
    translation: str
    rotation: str
    depth: float
    check_period: float
    check_limit: float

    @functools.cached_property
    def warp(self) -> Homography | None:
        """The homography, None where the mode needs none; read once, by `build`.

        Raises:
            ConfigError: it cannot be read or used.
        """
        if self.mode != "homography" or not self.homography.strip():
            return None
        try:
            return parse_homography(self.homography)
        except ConfigError as error:
            raise ConfigError(f"registration.homography: {error}") from error

    def pose(self) -> Pose | None:
        """Of the thermal camera in the visible one's frame; None: from tf, or not needed.

        Raises:
            ConfigError: it is not what was expected.
        """
        if self.mode != "camera_info":
            return None
        try:
            return parse_pose(self.translation, self.rotation)
        except ConfigError as error:
            raise ConfigError(f"registration.{error}") from error


@dataclass(frozen=True)
class OutputParameters:
    """Group output.*; depth in messages, 0: that of the profile."""

    reference: str
    qos: str
    depth: int


@dataclass(frozen=True)
class EntityParameters:
    """Group entities.*; a `threshold` below 0 stands for each entity's own.

    Attributes:
        names: Empty: those of the weights.
        text_encoder: Empty: none.
        emphasis: As given; `factors` has it as numbers.
    """

    max_labels: int
    threshold: float
    publish_all: bool
    names: tuple[str, ...] = ()
    text_encoder: str = ""
    emphasis: tuple[str, ...] = ()

    @property
    def factors(self) -> dict[str, float]:
        """Emphasised entity -> factor, 0..4."""
        return parse_emphasis(self.emphasis)


@dataclass(frozen=True)
class DiagnosticsParameters:
    """Group diagnostics.*; times in seconds, rates in Hz, 0 for unknown ones."""

    period: float
    stuck_after: float
    thermal_rate: float
    visible_rate: float

    def expected_rate(self, side: str) -> float:
        """Of a camera, "thermal" or "visible"."""
        return self.thermal_rate if side == "thermal" else self.visible_rate


@dataclass(frozen=True)
class FusionParameters:
    """All parameters of the node, checked, in their own types."""

    autostart: bool
    model: ModelParameters
    input: InputParameters
    sync: SyncParameters
    thermal: ThermalParameters
    registration: RegistrationParameters
    output: OutputParameters
    entities: EntityParameters
    diagnostics: DiagnosticsParameters


def make_registration(
    parameters: FusionParameters, cameras: Callable[[], CameraPair] | None = None
) -> Registration:
    """What registration.* and output.reference ask for.

    Args:
        cameras: For mode camera_info, see Registration; None only to check the parameters.

    Raises:
        ConfigError: they do not fit together, or the homography cannot be used.
    """
    wanted = parameters.registration
    reference = Side(parameters.output.reference)
    return Registration(wanted.mode, reference, wanted.warp, cameras, wanted.depth)


def nanoseconds(seconds: float) -> int:
    """Whole nanoseconds."""
    return round(seconds * NANOSECONDS)
