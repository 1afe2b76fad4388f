"""A detector's classes and the entities that mean them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.downstream.class_names import (
    ALIASES,
    detector_classes,
    matching_entities,
    parse_aliases,
    parse_numbers,
    plain_name,
)
from egmt_ros.errors import ConfigError

VOCABULARY = ("person", "cyclist", "bicycle", "car", "van", "truck", "traffic light",
              "traffic sign", "traffic cone", "street light", "animal", "motorcycle")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "entities"),
    [
        ("person", ("person", "cyclist")),
        ("Pedestrian", ("person",)),
        ("Person_sitting", ("person",)),
        ("rider", ("cyclist",)),
        ("motorbike", ("motorcycle",)),
        ("motorcycle", ("motorcycle",)),
        ("car", ("car", "van")),
        ("traffic-light", ("traffic light",)),
        ("TRAFFIC_LIGHT", ("traffic light",)),
        ("stop sign", ("traffic sign",)),
        ("horse", ("animal",)),
        ("toaster", ()),
    ],
)
def test_names_of_well_known_detectors(name, entities):
    assert matching_entities(name, VOCABULARY) == entities


def test_the_table_is_plain_and_no_class_is_its_own_alias():
    for name, entities in ALIASES.items():
        assert name == plain_name(name) and list(entities) == [plain_name(e) for e in entities]
        assert name not in entities and len(set(entities)) == len(entities)


@given(st.text(max_size=30))
def test_plain_names_stay_as_they_are(name):
    assert plain_name(plain_name(name)) == plain_name(name)


def test_classes_with_values_of_their_own():
    person, bus = detector_classes(
        ["person", "bus"], VOCABULARY, threshold=0.25, thresholds={"bus": 0.6},
        base_rates={"person": 0.4},
    )  # fmt: skip
    assert (person.threshold, person.base_rate) == (0.25, 0.4)
    assert (bus.threshold, bus.base_rate, bus.entities) == (0.6, 0.5, ())


@pytest.mark.parametrize(
    ("names", "values", "words"),
    [
        ([], {}, "none"),
        (["car", "bus", "car"], {}, "'car' twice"),
        (["car"], {"thresholds": {"cat": 0.5}}, "thresholds has the class 'cat'.*car"),
        (["car"], {"base_rates": {"cat": 0.5}}, "base_rates has the class 'cat'"),
        (["car"], {"threshold": 1.0}, "threshold of the class 'car' is 1.0"),
        (["car"], {"base_rate": 0.0}, "base rate of the class 'car' is 0.0"),
        (["car"], {"thresholds": {"car": float("nan")}}, "nan"),
    ],
)
def test_bad_classes_are_refused(names, values, words):
    with pytest.raises(ConfigError, match=words):
        detector_classes(names, VOCABULARY, **values)


def test_lines_of_parameters():
    assert parse_numbers("thresholds", ["", "person=0.4", " traffic light = 1e-1 "]) == {
        "person": 0.4, "traffic light": 0.1,
    }  # fmt: skip
    aliases = parse_aliases("aliases", ["Deer=animal, moose", "motorcycle=", ""])
    assert aliases["deer"] == ("animal", "moose") and aliases["motorcycle"] == ()
    assert aliases["pedestrian"] == ALIASES["pedestrian"]
    assert matching_entities("deer", VOCABULARY, aliases) == ("animal",)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["person"], "'person', no class=value"),
        (["=0.4"], "no class=value"),
        (["car=0.4", "car=0.5"], "the class twice"),
        (["car=much"], "car=much: expected a number"),
    ],
)
def test_bad_lines_name_the_parameter_and_the_line(lines, words):
    with pytest.raises(ConfigError, match=f"thresholds.*{words}"):
        parse_numbers("thresholds", lines)


@given(st.dictionaries(st.text("abc de", min_size=1).map(str.strip).filter(bool), st.floats()))
def test_what_is_written_is_read(numbers):
    lines = [f"{name}={value!r}" for name, value in numbers.items()]
    assert repr(parse_numbers("thresholds", lines)) == repr(numbers)
