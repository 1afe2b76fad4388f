"""ThermalEncoding: what the numbers of a thermal image mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.thermal_encoding import ENCODINGS, ThermalEncoding

TYPES = {"uint8", "uint16", "float32"}
TAKEN = {
    "auto": TYPES,
    "mono8": {"uint8"},
    "raw16": {"uint16"},
    "centikelvin": {"uint16"},
    "decicelsius": {"uint16"},
    "celsius": {"float32"},
    "linear": TYPES,
}


def test_every_encoding_is_tested():
    assert set(TAKEN) == set(ENCODINGS)


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("dtype", sorted(TYPES))
def test_each_encoding_takes_its_own_pixel_types_and_refuses_others_by_name(name, dtype):
    image = np.zeros((4, 4), dtype)
    encoding = ThermalEncoding(name)
    if dtype in TAKEN[name]:
        encoding.check(image)
        return
    with pytest.raises(InputError, match=f"{dtype}.*thermal.encoding is {name}.*auto") as caught:
        encoding.check(image)
    assert caught.value.reason == "thermal_encoding"


@pytest.mark.parametrize(
    ("encoding", "value", "celsius"),
    [
        (ThermalEncoding("centikelvin"), 27315, 0.0),
        (ThermalEncoding("centikelvin"), 30965, 36.5),
        (ThermalEncoding("decicelsius"), 1000, 0.0),
        (ThermalEncoding("decicelsius"), 800, -20.0),
        (ThermalEncoding("decicelsius"), 1365, 36.5),
        (ThermalEncoding("celsius"), -12.5, -12.5),
        (ThermalEncoding("linear", 0.04, -273.15), 7000, 6.85),
        (ThermalEncoding("linear", 0.5, -20.0), 113, 36.5),
    ],
)
def test_values_and_degrees_correspond_both_ways(encoding, value, celsius):
    assert encoding.radiometric
    assert encoding.celsius(value) == pytest.approx(celsius)
    assert encoding.value(celsius) == pytest.approx(value)


@pytest.mark.parametrize("name", ["auto", "mono8", "raw16"])
def test_the_others_know_no_temperatures(name):
    encoding = ThermalEncoding(name, 0.5, 3.0)
    assert not encoding.radiometric
    assert math.isnan(encoding.celsius(100))
    assert encoding.value(8000.0) == 8000.0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("kelvin",), "thermal.encoding.*'kelvin'.*centikelvin"),
        (("linear", 0.0), "thermal.scale"),
        (("linear", -0.1), "thermal.scale"),
        (("linear", math.nan), "thermal.scale"),
        (("linear", math.inf), "thermal.scale"),
        (("linear", 1.0, math.nan), "thermal.offset"),
    ],
)
def test_bad_arguments_are_refused_by_the_name_of_their_parameter(arguments, named):
    with pytest.raises(ConfigError, match=named):
        ThermalEncoding(*arguments)
