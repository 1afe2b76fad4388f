"""Every parameter of the node as data, and the frozen objects that the node works with.

This module imports no ROS: the table can be checked, documented and tested anywhere.
`egmt_ros.ros.parameter_store` declares it on a node. `config/fusion.yaml` lists all of it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from egmt_ros.entities.text.specification import parse_encoder
from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.emphasis import parse_emphasis
from egmt_ros.pipeline.pairing import Side
from egmt_ros.pipeline.registration.homography import Homography, parse_homography
from egmt_ros.pipeline.registration.plane import CameraPair, Pose, parse_pose
from egmt_ros.pipeline.registration.register import MODES, Registration
from egmt_ros.ros.requirements import has_message_filters

NANOSECONDS = 1_000_000_000

Value = bool | int | float | str | list[str]


class Applies(Enum):
    """When a new value comes into force."""

    START = "start"  # read only: fixed when the node starts
    CONFIGURE = "configure"  # read by the configure transition: refused while configured
    RELOAD = "reload"  # read by the configure transition and by ~/reload_model
    NOW = "now"  # between two frames


@dataclass(frozen=True)
class Spec:
    """One declared parameter.

    Attributes:
        name: Full name, dots between the groups.
        default: Default value; its type is the parameter's type.
        description: Meaning and unit, one sentence.
        low, high: Inclusive range of a number, None for no bound.
        choices: The values that are allowed, empty for any.
        applies: When a changed value comes into force.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    applies: Applies = Applies.NOW

    @property
    def type_name(self) -> str:
        """As ROS calls the type: bool, integer, double, string or string array."""
        return {
            bool: "bool", int: "integer", float: "double", str: "string", list: "string array"
        }[type(self.default)]

    @property
    def read_only(self) -> bool:
        """Whether only a start value can be given."""
        return self.applies is Applies.START

    def check(self, value: Any) -> Value:
        """The value in the parameter's own type; of an array, without empty entries.

        Raises:
            ConfigError: the value has another type or lies outside the range or choices.
        """
        kind = type(self.default)
        if kind is list:
            return self._check_list(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise ConfigError(
                f"parameter {self.name} is {value!r}: expected a {self.type_name}"
                f" (default {self.default!r})"
            )
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"parameter {self.name} is {value!r}: expected one of {', '.join(self.choices)}"
            )
        if self.low is not None and self.high is not None:
            if not self.low <= value <= self.high:  # also false for NaN
                raise ConfigError(
                    f"parameter {self.name} is {value!r}: expected {self.low:g} to {self.high:g}"
                )
        return value

    def _check_list(self, value: Any) -> list[str]:
        """ROS has no empty arrays in files: [''] stands for one."""
        array = isinstance(value, Sequence) and not isinstance(value, str)
        if not array or not all(isinstance(entry, str) for entry in value):
            raise ConfigError(
                f"parameter {self.name} is {value!r}: expected a string array (default [''], none)"
            )
        return [entry for entry in value if entry.strip()]


_CONFIGURE = Applies.CONFIGURE
_TRANSPORTS = ("raw", "compressed")
_QOS = ("sensor_data", "reliable", "default")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")

SPECS: tuple[Spec, ...] = (
    Spec("autostart", True,
         "Configure and activate by itself right after the start.", applies=Applies.START),
    Spec("model.weights", "",
         "Checkpoint file or folder; empty: the default weights of the package.",
         applies=Applies.RELOAD),
    Spec("model.device", "auto",
         "auto (a GPU if there is one), cpu, cuda or cuda:N; a GPU that is missing is an error.",
         applies=_CONFIGURE),
    Spec("model.threads", 0,
         "CPU threads of the network; 0: as many as the library chooses.",
         0, 256, applies=_CONFIGURE),
    Spec("model.runtime", "auto",
         "What executes the network: auto (openvino on a CPU where it is installed, otherwise"
         " torch), torch, openvino (CPU) or cuda-graphs (CUDA).",
         choices=("auto", "torch", "openvino", "cuda-graphs"), applies=_CONFIGURE),
    Spec("model.precision", "float32",
         "Precision inside the network: float32, bfloat16, or float16 (CUDA only); the short ones"
         " are faster and change the fused image slightly.",
         choices=("float32", "bfloat16", "float16"), applies=_CONFIGURE),
    Spec("model.fallback_to_cpu", False,
         "Go on with the CPU when a CUDA device is out of memory, until ~/reload_model."),
    Spec("model.warm_up_width", 640,
         "Width, pixels, of the image that warms the network up in configure; 0: no warm-up.",
         0, 8192, applies=_CONFIGURE),
    Spec("model.warm_up_height", 480,
         "Height, pixels, of the image that warms the network up in configure; 0: no warm-up.",
         0, 8192, applies=_CONFIGURE),
    Spec("input.thermal.transport", "raw",
         "How the thermal camera's images come: raw (sensor_msgs/Image) or compressed"
         " (CompressedImage on .../image/compressed, jpeg or png; 16-bit png keeps every value).",
         choices=_TRANSPORTS, applies=_CONFIGURE),
    Spec("input.thermal.qos", "sensor_data",
         "QoS of the thermal subscription: sensor_data (best effort, hears every publisher),"
         " reliable, or default (as ROS has it: reliable, depth 10).",
         choices=_QOS, applies=_CONFIGURE),
    Spec("input.thermal.depth", 0,
         "QoS history depth of the thermal subscription, messages; 0: that of input.thermal.qos.",
         0, 1000, applies=_CONFIGURE),
    Spec("input.visible.transport", "raw",
         "How the visible camera's images come, like input.thermal.transport.",
         choices=_TRANSPORTS, applies=_CONFIGURE),
    Spec("input.visible.qos", "sensor_data",
         "QoS of the visible subscription, like input.thermal.qos.",
         choices=_QOS, applies=_CONFIGURE),
    Spec("input.visible.depth", 0,
         "QoS history depth of the visible subscription, messages; 0: that of input.visible.qos.",
         0, 1000, applies=_CONFIGURE),
    Spec("sync.policy", "nearest",
         "How frames are paired; nearest: mutually nearest source stamps; approximate_time (first"
         " match within max_gap) and exact_time (equal stamps): as message_filters does, which the"
         " first of them needs.",
         choices=("nearest", "approximate_time", "exact_time")),
    Spec("sync.max_gap", 0.05,
         "Largest difference of the offset-corrected stamps of a pair, seconds; of no meaning"
         " with exact_time.", 0.0, 10.0),
    Spec("sync.wait", 0.1,
         "Longest time a frame waits for a (nearer) partner, seconds on the steady clock; the"
         " nearest is sure to be found from max_gap plus the difference of the latencies on.",
         0.001, 10.0),
    Spec("sync.queue_size", 64,
         "Most frames of one camera that wait; the oldest above that stays unpaired. At least the"
         " faster camera's rate times wait.", 2, 2000),
    Spec("sync.thermal_offset", 0.0,
         "Added to thermal stamps before pairing, seconds; negative for late stamps.",
         -10.0, 10.0),
    Spec("sync.visible_offset", 0.0,
         "Added to visible stamps before pairing, seconds; negative for late stamps.",
         -10.0, 10.0),
    Spec("sync.reuse_thermal", False,
         "One thermal frame may serve several visible ones (9 Hz thermal, 30 Hz visible); policy"
         " nearest only."),
    Spec("sync.on_missing", "wait",
         "What happens while one camera sends nothing; wait: nothing is published; passthrough:"
         " the other camera's images, with the labels found in them.",
         choices=("wait", "passthrough")),
    Spec("sync.missing_timeout", 1.0,
         "Silence after which a camera is missing, seconds on the steady clock; longer than the"
         " period of the slower camera.", 0.05, 600.0),
    Spec("thermal.encoding", "auto",
         "What thermal pixels mean: auto (as they are, no temperatures), mono8, raw16, centikelvin"
         " (K * 100), decicelsius (degrees Celsius * 10 + 1000), celsius (32FC1) or linear"
         " (degrees Celsius = value * scale + offset).",
         choices=("auto", "mono8", "raw16", "centikelvin", "decicelsius", "celsius", "linear")),
    Spec("thermal.scale", 1.0,
         "Degrees Celsius a count, with encoding linear.", 1e-9, 1e9),
    Spec("thermal.offset", 0.0,
         "Degrees Celsius at the value 0, with encoding linear.", -1e6, 1e6),
    Spec("thermal.invert", False,
         "The camera shows hot things dark (black-hot): show its low values white."),
    Spec("thermal.repair_lines", False,
         "Interpolate dead rows and columns of the thermal image; they are counted anyway."),
    Spec("thermal.range_mode", "fixed",
         "Where black and white lie in the thermal image: fixed, percentile (smoothed over time)"
         " or frame (percentiles of each frame alone).",
         choices=("fixed", "percentile", "frame")),
    Spec("thermal.fixed_min", math.nan,
         "Thermal value, in degrees Celsius where the encoding has them, shown black with"
         " range_mode fixed; NaN together with fixed_max: full scale 0..255, 8-bit images only."
         " Above fixed_max: inverted."),
    Spec("thermal.fixed_max", math.nan,
         "Thermal value shown white with range_mode fixed; NaN together with fixed_min."),
    Spec("thermal.percentile_low", 0.5,
         "Percentile of the thermal image shown black with percentile and frame.", 0.0, 100.0),
    Spec("thermal.percentile_high", 99.5,
         "Percentile of the thermal image shown white with percentile and frame.", 0.0, 100.0),
    Spec("thermal.time_constant", 1.0,
         "Time constant of the smoothing with range_mode percentile, seconds of source time.",
         0.0, 600.0),
    Spec("registration.mode", "none",
         "none: images are aligned and equal in size; scale: same field of view, the other image"
         " is resized to the reference; homography: the thermal image is warped into the visible"
         " one, right at one distance only; camera_info: the same by both cameras' camera_info and"
         " the pose between them.",
         choices=MODES),
    Spec("registration.homography", "",
         "From thermal to visible pixels: a YAML file of egmt calibrate, or nine numbers, row by"
         " row, '1 0 4.5 0 1 -2 0 0 1'; a file is read when this or another parameter is set."),
    Spec("registration.translation", "",
         "For mode camera_info: where the thermal camera is in the optical frame of the visible one"
         " (x to the right, y down, z ahead), 'x y z', metres; empty, and rotation as well: from"
         " tf."),
    Spec("registration.rotation", "",
         "For mode camera_info: how the thermal camera's optical frame is turned in that of the"
         " visible one, a quaternion 'x y z w'; empty: not, or from tf."),
    Spec("registration.depth", 10.0,
         "For mode camera_info: distance along the visible camera's axis at which things are laid"
         " over each other, metres.", 0.01, 1e6),
    Spec("registration.check_period", 2.0,
         "Seconds between two checks of how far the thermal image lies beside the visible one, told"
         " on /diagnostics; 0: none.", 0.0, 3600.0),
    Spec("registration.check_limit", 5.0,
         "Shift, pixels at 640 of width, from which the median of the last checks is a warning that"
         " a mount has moved.", 0.5, 40.0),
    Spec("output.reference", "visible",
         "Camera whose stamp, frame_id and size the fused image has.",
         choices=("visible", "thermal"), applies=_CONFIGURE),
    Spec("output.qos", "reliable",
         "QoS of the fused image and what belongs to it: reliable, sensor_data (best effort) or"
         " default (as ROS has it: reliable, depth 10); labels are always reliable.",
         choices=_QOS, applies=_CONFIGURE),
    Spec("output.depth", 0,
         "QoS history depth of the outputs, messages; 0: that of output.qos.",
         0, 1000, applies=_CONFIGURE),
    Spec("entities.max_labels", 32,
         "Most labels in one array.", 1, 65535),
    Spec("entities.threshold", -1.0,
         "Score from which every entity counts as present; -1: each entity's own threshold.",
         -1.0, 1.0),
    Spec("entities.publish_all", False,
         "Publish every entity with its score, not only those present."),
    Spec("entities.names", [""],
         "Entities to look for, in this order; ['']: those of the weights. While the node is"
         " configured, the service ~/set_vocabulary changes them.",
         applies=_CONFIGURE),
    Spec("entities.text_encoder", "",
         "What embeds entities that the weights do not hold: minilm, minilm:FOLDER, clip:FOLDER,"
         " clip:HUB_ID or file:FILE.npz (egmt annotate embed makes one); empty: nothing does."),
    Spec("entities.emphasis", [""],
         "How much an entity guides the fusion, ['person=2.0', 'sky=0.0']: 0 (not at all) to 4, 1"
         " is neutral; ['']: all neutral."),
    Spec("diagnostics.period", 1.0,
         "Seconds between two messages on /diagnostics.", 0.1, 60.0),
    Spec("diagnostics.stuck_after", 10.0,
         "Seconds from which a pair takes too long: the worker is then reported as stuck.",
         0.1, 600.0),
    Spec("diagnostics.thermal_rate", 0.0,
         "Rate of the thermal camera, Hz; diagnostics warn when clearly fewer images come. 0:"
         " unknown.", 0.0, 1000.0),
    Spec("diagnostics.visible_rate", 0.0,
         "Rate of the visible camera, Hz; as for the thermal one.", 0.0, 1000.0),
)
BY_NAME: Mapping[str, Spec] = {spec.name: spec for spec in SPECS}


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


def defaults() -> dict[str, Value]:
    """Default of each parameter by its full name."""
    return {spec.name: spec.default for spec in SPECS}


def build(values: Mapping[str, Any]) -> FusionParameters:
    """Check all values, alone and together.

    Args:
        values: Value of parameters by full name; those left out have their default.

    Raises:
        ConfigError: one line for each problem; also for names that are not declared.
    """
    problems: list[str] = []
    checked: dict[str, Value] = {}
    for name in values:
        if name not in BY_NAME:
            problems.append(f"parameter {name} is not known")
    for spec in SPECS:
        try:
            checked[spec.name] = spec.check(values.get(spec.name, spec.default))
        except ConfigError as error:
            problems.append(str(error))
            checked[spec.name] = spec.default
    problems.extend(_check_together(checked))
    parameters = _nest(FusionParameters, checked, "")
    try:
        parameters.registration.pose()
        make_registration(parameters)
    except ConfigError as error:
        problems.append(f"parameter {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return parameters


def _check_together(values: Mapping[str, Value]) -> list[str]:
    problems = []
    device = str(values["model.device"])
    if not _DEVICE.fullmatch(device):
        problems.append(
            f"parameter model.device is {device!r}: expected auto, cpu, cuda or cuda:N"
        )
    problems += _check_sync(values)
    low, high = values["thermal.fixed_min"], values["thermal.fixed_max"]
    if math.isnan(low) != math.isnan(high):
        problems.append(
            f"parameters thermal.fixed_min is {low:g} and thermal.fixed_max is {high:g}: expected"
            " both to be numbers or both NaN; set them together in one request or file"
        )
    elif math.isinf(low) or math.isinf(high) or low == high:
        problems.append(
            f"parameters thermal.fixed_min is {low:g} and thermal.fixed_max is {high:g}: expected"
            " two different finite numbers"
        )
    low, high = values["thermal.percentile_low"], values["thermal.percentile_high"]
    if not low < high:
        problems.append(
            f"parameters thermal.percentile_low is {low:g} and thermal.percentile_high is"
            f" {high:g}: expected low below high"
        )
    width, height = values["model.warm_up_width"], values["model.warm_up_height"]
    for name, size in (("model.warm_up_width", width), ("model.warm_up_height", height)):
        if 0 < size < 64:
            problems.append(f"parameter {name} is {size}: expected 0 or at least 64")
    names = values["entities.names"]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"parameter entities.names has {name!r} twice: expected each entity once")
    encoder = values["entities.text_encoder"]
    for name, read in (
        ("entities.text_encoder", lambda: encoder and parse_encoder(encoder)),
        ("entities.emphasis", lambda: parse_emphasis(values["entities.emphasis"])),
    ):
        try:
            read()
        except ConfigError as error:
            problems.append(f"parameter {name}: {error}")
    return problems


def _check_sync(values: Mapping[str, Value]) -> list[str]:
    problems = []
    policy = values["sync.policy"]
    if policy == "approximate_time" and not has_message_filters():
        problems.append(
            "parameter sync.policy is 'approximate_time', which is message_filters', and that is"
            " not installed: install ros-$ROS_DISTRO-message-filters, or set sync.policy: nearest,"
            " which needs nothing and pairs the nearest stamps where the other takes the first"
        )
    if policy == "approximate_time" and values["sync.max_gap"] == 0.0:
        problems.append(
            "parameters sync.policy is 'approximate_time' and sync.max_gap is 0: it pairs stamps"
            " that are less apart than that; expected more, or sync.policy exact_time"
        )
    if policy != "nearest" and values["sync.reuse_thermal"]:
        problems.append(
            f"parameters sync.policy is {policy!r} and sync.reuse_thermal is true: only nearest"
            " uses a frame again; set sync.policy to nearest or sync.reuse_thermal to false"
        )
    return problems


def _nest(cls: type, values: Mapping[str, Value], prefix: str) -> Any:
    """Fill the dataclass and its groups from names with dots."""
    hints = typing.get_type_hints(cls)
    arguments = {}
    for field in dataclasses.fields(cls):
        name = prefix + field.name
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind):
            arguments[field.name] = _nest(kind, values, name + ".")
        else:
            value = values[name]
            arguments[field.name] = tuple(value) if isinstance(value, list) else value
    return cls(**arguments)
