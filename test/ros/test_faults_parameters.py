"""Bad parameters of every kind through the node's services, while it fuses.

Bad start values are in `test_node_process.py` and, one by one, in `test_parameters.py`.
"""

from __future__ import annotations

import math

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import GetParameters, SetParameters, SetParametersAtomically  # noqa: E402

from egmt_ros.errors import ConfigError  # noqa: E402
from egmt_ros.node_core.parameters import BY_NAME, SPECS, Applies  # noqa: E402

PATIENCE = 40.0

# A value of each type of ROS, and those that are borders of it.
VALUES = [
    (ParameterType.PARAMETER_NOT_SET, "bool_value", False),
    (ParameterType.PARAMETER_BOOL, "bool_value", True),
    *((ParameterType.PARAMETER_INTEGER, "integer_value", value)
      for value in (-1, 2**63 - 1, -(2**63))),
    *((ParameterType.PARAMETER_DOUBLE, "double_value", value)
      for value in (math.nan, math.inf, -math.inf, 1e308, -1e-308, 0.5)),
    *((ParameterType.PARAMETER_STRING, "string_value", value)
      for value in ("", "\n", "nonsense{}%s", "é" * 3000)),
    (ParameterType.PARAMETER_BYTE_ARRAY, "byte_array_value", [b"\x00"]),
    (ParameterType.PARAMETER_BOOL_ARRAY, "bool_array_value", [True]),
    (ParameterType.PARAMETER_INTEGER_ARRAY, "integer_array_value", [1]),
    (ParameterType.PARAMETER_DOUBLE_ARRAY, "double_array_value", [math.nan]),
    (ParameterType.PARAMETER_STRING_ARRAY, "string_array_value", ["nonsense", "nonsense"]),
]  # fmt: skip


def bad_values(spec):
    """Of the values above those that this parameter cannot have."""
    for kind, field, value in VALUES:
        try:
            spec.check(None if kind == ParameterType.PARAMETER_NOT_SET else value)
        except ConfigError:
            message = ParameterValue(type=kind, **{field: value})
            yield Parameter(name=spec.name, value=message), value


def call(rig, kind, name, request):
    client = rig.tester.create_client(kind, f"{rig.base}/{name}")
    rig.wait(client.service_is_ready, f"service {name} is there", PATIENCE)
    future = client.call_async(request)
    rig.wait(future.done, f"service {name} answers", PATIENCE)
    rig.tester.destroy_client(client)
    return future.result()


def test_every_parameter_refuses_every_kind_of_bad_value(campaign):
    campaign.start()
    rig = campaign.rig
    bad = [entry for spec in SPECS for entry in bad_values(spec)]
    assert len(bad) > 8 * len(SPECS)
    names = list(BY_NAME)
    before = call(rig, GetParameters, "get_parameters", GetParameters.Request(names=names)).values
    in_force = rig.node._parameter_store.current

    def spoil(number):
        request = SetParameters.Request(parameters=[parameter for parameter, _ in bad])
        results = call(rig, SetParameters, "set_parameters", request).results
        for (parameter, value), result in zip(bad, results, strict=True):
            assert not result.successful, (parameter.name, value)
            assert parameter.name in result.reason, (parameter.name, value, result.reason)

    campaign.repeat(spoil)
    after = call(rig, GetParameters, "get_parameters", GetParameters.Request(names=names)).values
    assert [str(value) for value in after] == [str(value) for value in before]
    assert rig.node._parameter_store.current is in_force


def test_one_bad_value_takes_the_good_ones_with_it(campaign):
    """Set together: all or nothing; and what has no declaration is refused."""
    campaign.start()
    rig = campaign.rig
    good = Parameter(name="thermal.invert", value=ParameterValue(
        type=ParameterType.PARAMETER_BOOL, bool_value=True))  # fmt: skip
    unknown = Parameter(name="thermal.inwert", value=good.value)

    def spoil(number):
        for name in ("sync.max_gap", "model.device", "output.reference"):
            nonsense = Parameter(name=name, value=ParameterValue(
                type=ParameterType.PARAMETER_STRING, string_value="nonsense"))  # fmt: skip
            request = SetParametersAtomically.Request(parameters=[good, nonsense])
            result = call(rig, SetParametersAtomically, "set_parameters_atomically", request).result
            assert not result.successful and name in result.reason
        request = SetParametersAtomically.Request(parameters=[good, unknown])
        result = call(rig, SetParametersAtomically, "set_parameters_atomically", request).result
        assert not result.successful and "undeclared" in result.reason
        assert not rig.node._parameter_store.current.thermal.invert

    campaign.repeat(spoil)


def test_what_configure_has_read_cannot_change_while_it_is_in_use(campaign):
    """Values that would be good at a start."""
    campaign.start()
    rig = campaign.rig
    wanted = {
        spec.name: spec.choices[-1]
        for spec in SPECS
        if spec.applies is Applies.CONFIGURE and spec.choices
    }
    assert {"input.thermal.qos", "model.runtime", "output.reference"} <= set(wanted)
    text = ParameterType.PARAMETER_STRING
    others = [
        Parameter(name=name, value=ParameterValue(type=text, string_value=value))
        for name, value in wanted.items()
    ]

    def spoil(number):
        request = SetParameters.Request(parameters=others)
        results = call(rig, SetParameters, "set_parameters", request).results
        for parameter, result in zip(others, results, strict=True):
            assert not result.successful, parameter.name
            assert parameter.name in result.reason and "clean it up first" in result.reason

    campaign.repeat(spoil)
