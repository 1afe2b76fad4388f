"""From given values to checked parameters."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Mapping
from typing import Any

from egmt_ros.entities.text.specification import parse_encoder
from egmt_ros.errors import ConfigError
from egmt_ros.node_core.optional import has_message_filters
from egmt_ros.node_core.parameters.groups import FusionParameters, make_registration
from egmt_ros.node_core.parameters.spec import Value
from egmt_ros.node_core.parameters.table import BY_NAME, SPECS
from egmt_ros.pipeline.emphasis import parse_emphasis

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


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
