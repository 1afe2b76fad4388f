"""Declares the parameter table on a node and guards every later change of it."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from egmt_ros.errors import ConfigError
from egmt_ros.node_core.parameters import BY_NAME, SPECS, Applies, FusionParameters, Spec, build

_OWN_OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides.")


class ParameterStore:
    """The node's parameters: declared once, always valid.

    A change is checked as a whole first and applied afterwards, or refused with the reason.

    Args:
        node: The node that declares them.
        is_configured: Whether parameters that `configure` reads are in use now.
        refuse: Called with (old, new) before a change is accepted; why it cannot be, or None.
        on_change: Called with (old, new) after a change was accepted.

    Raises:
        ConfigError: a start value is refused; one line for each problem.
    """

    def __init__(
        self,
        node: Node,
        is_configured: Callable[[], bool],
        refuse: Callable[[FusionParameters, FusionParameters], str | None],
        on_change: Callable[[FusionParameters, FusionParameters], None],
    ) -> None:
        self._node = node
        self._is_configured = is_configured
        self._refuse = refuse
        self._on_change = on_change
        self._values: dict[str, Any] = self._declare()
        self._current = build(self._values)
        for spec in SPECS:
            node.set_descriptor(spec.name, describe(spec))
        node.add_on_set_parameters_callback(self._check)
        # Humble has no post-set callback: there the check is the last word and applies as well.
        self._applies_later = hasattr(node, "add_post_set_parameters_callback")
        if self._applies_later:
            node.add_post_set_parameters_callback(self._apply)

    @property
    def current(self) -> FusionParameters:
        """The values in force; replaced as a whole, so it may be read from any thread."""
        return self._current

    def unknown_overrides(self) -> list[str]:
        """One sentence for each start value that no declared parameter has."""
        given = getattr(self._node, "_parameter_overrides", {})
        sentences = []
        for name in given:
            if name in BY_NAME or name.startswith(_OWN_OF_ROS):
                continue
            close = difflib.get_close_matches(name, BY_NAME, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            sentences.append(f"parameter {name} is not known and has no effect{hint}")
        return sentences

    def _declare(self) -> dict[str, Any]:
        """Declare all with the values given at the start, good or bad: `build` is to judge."""
        return {
            spec.name: self._node.declare_parameter(
                spec.name, spec.default, ParameterDescriptor(dynamic_typing=True)
            ).value
            for spec in SPECS
        }

    def _check(self, parameters: list[Parameter]) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name in BY_NAME}
        try:
            new = build({**self._values, **changes})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self._is_configured():
            for name, value in changes.items():
                spec = BY_NAME[name]
                changed = spec.check(value) != spec.check(self._values[name])
                if spec.applies is Applies.CONFIGURE and changed:
                    reason = (
                        f"parameter {name} is read by the configure transition and the node is"
                        " configured: clean it up first (ros2 lifecycle set"
                        f" {self._node.get_fully_qualified_name()} cleanup)"
                    )
                    return SetParametersResult(successful=False, reason=reason)
        reason = self._refuse(self._current, new)
        if reason is not None:
            return SetParametersResult(successful=False, reason=reason)
        if not self._applies_later:
            self._take(changes, new)
        return SetParametersResult(successful=True)

    def _apply(self, parameters: list[Parameter]) -> None:
        changes = {p.name: p.value for p in parameters if p.name in BY_NAME}
        if changes:
            self._take(changes, build({**self._values, **changes}))

    def _take(self, changes: dict[str, Any], new: FusionParameters) -> None:
        old, self._current = self._current, new
        self._values.update(changes)
        if old != new:
            self._on_change(old, new)


def describe(spec: Spec) -> ParameterDescriptor:
    """The ROS descriptor of a parameter.

    Typing is dynamic so that an integer given for a double, and every refusal, is settled by
    our own check with its own words.
    """
    descriptor = ParameterDescriptor(
        name=spec.name,
        description=spec.description,
        read_only=spec.read_only,
        dynamic_typing=True,
        additional_constraints=", ".join(spec.choices),
    )
    if spec.low is not None and spec.high is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(spec.low), to_value=float(spec.high))
            ]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(spec.low), to_value=int(spec.high))
            ]
    return descriptor
