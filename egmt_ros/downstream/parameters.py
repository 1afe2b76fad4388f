"""The parameters of a node that uses the prior, as data; imports no ROS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from egmt_ros.downstream.class_names import (
    DetectorClass,
    detector_classes,
    parse_aliases,
    parse_numbers,
)
from egmt_ros.downstream.settings import (
    CropSettings,
    GateSettings,
    PriorSettings,
    ShiftSettings,
    check_number,
)
from egmt_ros.errors import ConfigError

Value = bool | int | float | list[str]


@dataclass(frozen=True)
class Parameter:
    """One parameter: full name, default (its type is the parameter's), and one sentence."""

    name: str
    default: Value
    text: str


_GROUPS = {"gate": GateSettings, "shift": ShiftSettings, "crop": CropSettings}

_OWN = (
    Parameter(
        "classes",
        ["person", "bicycle", "car", "motorcycle", "bus", "truck", "traffic light"],
        "Classes of the detector, as it calls them.",
    ),
    Parameter(
        "aliases", [""],
        "Entities that mean a class besides its own name, as in ['deer=animal,moose'].",
    ),
    Parameter("threshold", 0.5, "The detector's own threshold, 0..1."),
    Parameter("thresholds", [""], "Thresholds of single classes, as in ['person=0.4']."),
    Parameter(
        "base_rate", 0.5,
        "Share of images with a class where its threshold was chosen, 0..1; 0.5: unknown.",
    ),
    Parameter("base_rates", [""], "Those of single classes, as in ['person=0.6', 'bus=0.05']."),
    Parameter("wait", 0.1, "Longest time that an image waits for its labels, s."),
    Parameter("crop_image", False, "Publish the part that holds all crops, not the whole image."),
    Parameter("vision_msgs", False, "Publish the labels as messages of vision_msgs as well."),
)  # fmt: skip

PARAMETERS: tuple[Parameter, ...] = (
    *_OWN,
    *(
        Parameter(prefix + entry.name, entry.default, entry.metadata["text"])
        for prefix, group in (("", PriorSettings), *((f"{n}.", g) for n, g in _GROUPS.items()))
        for entry in fields(group)
        if entry.metadata
    ),
)
"""All of them; `build` takes their values."""


@dataclass(frozen=True)
class PriorParameters:
    """Checked values; see PARAMETERS for those that are not explained here.

    Attributes:
        settings: Of the prior itself.
        values: Those of the detector's classes, for `classes`.
    """

    settings: PriorSettings
    wait: float
    crop_image: bool
    vision_msgs: bool
    values: Mapping[str, Value]

    def classes(self, vocabulary: Iterable[str]) -> tuple[DetectorClass, ...]:
        """The detector's classes, with the entities of this vocabulary that mean them."""
        values = self.values
        return detector_classes(
            values["classes"],
            vocabulary,
            threshold=values["threshold"],
            thresholds=parse_numbers("thresholds", values["thresholds"]),
            base_rate=values["base_rate"],
            base_rates=parse_numbers("base_rates", values["base_rates"]),
            aliases=parse_aliases("aliases", values["aliases"]),
        )


def build(given: Mapping[str, object]) -> PriorParameters:
    """Check the values of all parameters.

    Args:
        given: Value by full name; those left out have their default.

    Raises:
        ConfigError: a name is not known, or a value has another type or lies out of range.
    """
    unknown = sorted(set(given) - {parameter.name for parameter in PARAMETERS})
    if unknown:
        raise ConfigError(f"parameter {unknown[0]} is not known")
    values = {}
    for parameter in PARAMETERS:
        value = given.get(parameter.name, parameter.default)
        if isinstance(parameter.default, bool) and not isinstance(value, bool):
            raise ConfigError(f"parameter {parameter.name} is {value!r}: expected true or false")
        if isinstance(parameter.default, list) and not _are_texts(value):
            raise ConfigError(
                f"parameter {parameter.name} is {value!r}: expected a list of texts, such as"
                f" {parameter.default!r}"
            )
        values[parameter.name] = value
    check_number("wait", values["wait"], 0.0, 10.0)

    def group(name: str) -> dict[str, Value]:
        return {entry.name: values[f"{name}.{entry.name}"] for entry in fields(_GROUPS[name])}

    settings = PriorSettings(
        **{name: kind(**group(name)) for name, kind in _GROUPS.items()}, max_age=values["max_age"]
    )
    parameters = PriorParameters(
        settings, values["wait"], values["crop_image"], values["vision_msgs"], values
    )
    parameters.classes(())  # what is wrong with them is wrong with every vocabulary
    return parameters


def _are_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
