"""What labels say: of entities, and of a detector's classes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from egmt_ros.downstream.prior import (
    EntityPrior,
    Evidence,
    age,
    class_evidence,
    is_fresh,
)
from egmt_ros.errors import InputError
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region

SECOND = 1_000_000_000


def test_a_message_says_the_same_as_the_result_it_was_made_of(messages):
    array = messages.array(
        messages.label("person", 0.9, (32, 64, 96, 128)),
        messages.label("car", 0.2, present=False),
        stamp=3 * SECOND + 5,
    )
    prior = EntityPrior.from_message(array, messages.vocabulary())
    region = Region(32, 64, 96, 128)
    result = FusionResult(
        image=np.zeros((480, 640, 3), np.uint8),
        scores={"person": 0.9, "car": 0.2, "traffic light": 0.1},
        labels=(
            EntityLabel(0, "person", 0.9, True, region, 0.8, math.nan),
            EntityLabel(1, "car", 0.2, False, None, 0.0, math.nan),
            EntityLabel(2, "traffic light", 0.1, False, None, 0.0, math.nan),
        ),
        attention=np.zeros((3, 15, 20), np.float32),
        attention_cell=32,
        timings={},
    )
    same = EntityPrior.from_result(result, stamp=3 * SECOND + 5)
    for name in ("person", "car"):
        assert prior.of(name) == same.of(name)
    assert (prior.stamp, prior.width, prior.height) == (same.stamp, same.width, same.height)
    assert prior.names == same.names


def test_what_is_not_listed_is_absent_and_what_is_not_in_the_vocabulary_is_unknown(messages):
    prior = EntityPrior.from_message(messages.array(), messages.vocabulary())
    assert prior.of("car") == Evidence(present=False, score=None)
    assert prior.of("giraffe") is None


def test_labels_of_another_vocabulary_are_refused(messages):
    array = messages.array(vocabulary_hash="v2")
    with pytest.raises(InputError, match="'v2'.*'v1'") as caught:
        EntityPrior.from_message(array, messages.vocabulary())
    assert caught.value.reason == "vocabulary_hash"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": 1}, "index 1, which is 'car'"),
        ({"index": 99}, "index 99, which is None"),
        ({"score": math.nan}, "score nan"),
        ({"score": 1.5}, "score 1.5"),
        ({"region": (600, 0, 64, 64)}, "not inside 640x480"),
        ({"region": (0, 0, 0, 64)}, "not inside 640x480"),
    ],
)
def test_a_label_that_contradicts_its_message_is_named(messages, changes, words):
    label = messages.label("person", **{"score": 0.9, **changes})
    with pytest.raises(InputError, match=words) as caught:
        EntityPrior.from_message(messages.array(label), messages.vocabulary())
    assert caught.value.reason == "bad_label" and "'person'" in str(caught.value)


def test_age_counts_both_ways(messages):
    array = messages.array(stamp=10 * SECOND)
    prior = EntityPrior.from_message(array, messages.vocabulary())
    assert age(prior, 12 * SECOND) == 2.0 and age(prior, 9 * SECOND) == -1.0
    for stamp, fresh in ((10.0, True), (10.2, True), (9.8, True), (10.3, False), (9.7, False)):
        assert is_fresh(prior, round(stamp * SECOND), max_age=0.2) is fresh


PERSON, CYCLIST = Region(0, 0, 32, 64), Region(300, 100, 64, 64)


def prior_of(**listed):
    return EntityPrior(0, 640, 480, "v1", ("person", "cyclist", "car"), listed)


def test_a_class_is_present_where_one_of_its_entities_is_and_has_the_best_score():
    prior = prior_of(
        person=Evidence(True, 0.7, PERSON, 0.9), cyclist=Evidence(True, 0.9, CYCLIST, 0.9)
    )
    both = class_evidence(prior, ("person", "cyclist"), min_mass=0.5)
    assert (both.present, both.score, both.regions) == (True, 0.9, (PERSON, CYCLIST))
    half = class_evidence(prior, ("person", "car"), min_mass=0.5)
    assert (half.present, half.score, half.regions) == (True, 0.7, (PERSON,))
    none = class_evidence(prior, ("car",), min_mass=0.5)
    assert (none.present, none.score, none.regions) == (False, None, None)
    assert class_evidence(prior, (), min_mass=0.5) is None
    assert class_evidence(prior, ("giraffe",), min_mass=0.5) is None


@pytest.mark.parametrize("other", [Evidence(True, 0.9), Evidence(True, 0.9, CYCLIST, 0.3)])
def test_an_entity_without_a_region_to_rely_on_can_be_anywhere(other):
    prior = prior_of(person=Evidence(True, 0.7, PERSON, 0.9), cyclist=other)
    assert class_evidence(prior, ("person", "cyclist"), min_mass=0.5).regions is None
