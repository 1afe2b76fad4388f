"""One declared parameter of the node: type, default, range, and when it comes into force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from egmt_ros.errors import ConfigError

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
