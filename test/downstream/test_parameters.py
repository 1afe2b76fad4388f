"""Settings and the parameters of a node that are made of them."""

from __future__ import annotations

from dataclasses import fields

import pytest

from egmt_ros.downstream import CropSettings, GateSettings, PriorSettings, ShiftSettings
from egmt_ros.downstream.parameters import PARAMETERS, build
from egmt_ros.errors import ConfigError


def test_the_defaults_are_those_of_the_settings():
    parameters = build({})
    assert parameters.settings == PriorSettings()
    assert (parameters.wait, parameters.crop_image, parameters.vision_msgs) == (0.1, False, False)
    names = [one.name for one in PARAMETERS]
    assert len(set(names)) == len(names)
    for group in (GateSettings, ShiftSettings, CropSettings):
        prefix = group.__name__.removesuffix("Settings").lower()
        assert {f"{prefix}.{entry.name}" for entry in fields(group)} <= set(names)
    assert all(one.text.endswith(".") for one in PARAMETERS)


def test_values_reach_their_settings_and_integers_serve_as_doubles():
    parameters = build(
        {"gate.hold": 3, "shift.floor": 0.1, "crop.min_size": 64, "max_age": 1, "threshold": 0.25,
         "thresholds": ["car=0.4"], "classes": ["car", "dog"], "aliases": ["dog=wolf"]}
    )  # fmt: skip
    settings = parameters.settings
    assert (settings.gate.hold, settings.shift.floor) == (3, 0.1)
    assert (settings.crop.min_size, settings.max_age) == (64, 1)
    car, dog = parameters.classes(["wolf", "van"])
    assert (car.name, car.threshold, car.entities) == ("car", 0.4, ("van",))
    assert (dog.name, dog.threshold, dog.entities) == ("dog", 0.25, ("wolf",))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gate.hold": -1.0}, "gate.hold is -1.0: expected a number from 0 to 3600"),
        ({"gate.hold": "long"}, "gate.hold is 'long'"),
        ({"gate.hold": True}, "gate.hold is True"),
        ({"gate.open_score": 0.4, "gate.keep_score": 0.6}, "keep_score is 0.6.*open_score is 0.4"),
        ({"shift.weight": float("nan")}, "shift.weight is nan"),
        ({"crop.min_size": 0}, "crop.min_size is 0"),
        ({"crop.min_size": 10.5}, "crop.min_size is 10.5: expected an integer"),
        ({"max_age": None}, "max_age is None"),
        ({"wait": 11.0}, "wait is 11.0"),
        ({"crop_image": "yes"}, "crop_image is 'yes': expected true or false"),
        ({"classes": "person"}, "classes is 'person': expected a list"),
        ({"classes": [1, 2]}, "classes is .* expected a list of texts"),
        ({"classes": [""], "thresholds": ["car=0.5"]}, "thresholds has the class 'car'"),
        ({"aliases": ["car"]}, "aliases has 'car'"),
        ({"threshold": 1.0}, "threshold of the class 'person' is 1.0"),
        ({"gate.hodl": 1.0}, "gate.hodl is not known"),
    ],
)
def test_bad_values_are_named(values, words):
    with pytest.raises(ConfigError, match=words):
        build(values)
