"""The whole advice for an image."""

from __future__ import annotations

import doctest

import pytest

import egmt_ros.downstream
from egmt_ros.downstream import (
    CropSettings,
    EntityPrior,
    Evidence,
    GateSettings,
    PriorSettings,
    Reason,
    Region,
    advise,
    detector_classes,
)
from egmt_ros.errors import InputError

MS = 1_000_000
WHOLE = (Region(0, 0, 640, 480),)
NAMES = ("person", "car", "traffic light")
SETTINGS = PriorSettings(
    gate=GateSettings(hold=0.5, probe=0.0), crop=CropSettings(0.0, 1, 0.5, 0.9), max_age=0.1
)
PERSON = Evidence(True, 0.9, Region(96, 192, 64, 128), 0.8)
CAR = Evidence(True, 0.8, Region(320, 192, 96, 64), 0.9)


def prior(stamp=0, **listed):
    return EntityPrior(stamp * MS, 640, 480, "v1", NAMES, listed)


def ask(labels, classes=("person", "car"), stamp=0, size=(640, 480), **more):
    classes = detector_classes(classes, NAMES)
    width, height = size
    return advise(
        labels, classes, stamp=stamp * MS, width=width, height=height, settings=SETTINGS, **more
    )


def test_the_example_of_the_documentation():
    result = doctest.testmod(egmt_ros.downstream)
    assert result.attempted > 5 and result.failed == 0


def test_run_where_it_is_look_there_and_believe_less_sure_boxes():
    advice, _ = ask(prior(person=PERSON))
    person, car = advice.classes["person"], advice.classes["car"]
    assert (
        person.run and person.score == 0.9 and person.threshold == pytest.approx(0.2689, abs=1e-4)
    )
    assert not car.run and car.score is None and car.threshold == 0.5
    assert advice.run and advice.crops == (PERSON.region,)
    advice, _ = ask(prior(person=PERSON, car=CAR))
    assert advice.crops == (PERSON.region, CAR.region)


def test_nothing_there_nothing_to_do():
    advice, _ = ask(prior())
    assert not advice.run and advice.crops == ()
    assert {one.reason for one in advice.classes.values()} == {Reason.ABSENT}


@pytest.mark.parametrize("labels", [None, prior(stamp=-101), prior(stamp=101)])
def test_without_fresh_labels_everything_runs_as_without_the_prior(labels):
    advice, _ = ask(labels)
    assert advice.crops == WHOLE
    for one in advice.classes.values():
        assert (one.reason, one.threshold, one.score) == (Reason.NO_LABELS, 0.5, None)


def test_a_class_that_no_entity_means_always_runs():
    advice, _ = ask(prior(person=PERSON), classes=("person", "toaster"))
    assert advice.classes["toaster"].reason is Reason.UNKNOWN_CLASS
    assert advice.crops == WHOLE


@pytest.mark.parametrize(
    "person", [Evidence(True, 0.9), Evidence(True, 0.9, PERSON.region, 0.3)], ids=["none", "vague"]
)
def test_no_region_means_the_whole_image(person):
    assert ask(prior(person=person))[0].crops == WHOLE


def test_what_is_only_remembered_can_be_anywhere():
    _, memory = ask(prior(person=PERSON))
    advice, memory = ask(prior(stamp=400), stamp=400, memory=memory)
    assert advice.classes["person"].reason is Reason.HELD
    assert advice.classes["person"].threshold == 0.5 and advice.crops == WHOLE
    advice, _ = ask(prior(stamp=600), stamp=600, memory=memory)
    assert not advice.run


def test_asking_changes_nothing():
    labels = prior(person=PERSON)
    first, memory = ask(labels)
    assert ask(labels) == (first, memory)
    gates = dict(memory.gates)
    ask(prior(stamp=5000), stamp=5000, memory=memory)
    assert memory.gates == gates


def test_an_image_of_another_geometry_is_refused():
    with pytest.raises(InputError, match="320x240.*640x480") as caught:
        ask(prior(), size=(320, 240))
    assert caught.value.reason == "size_mismatch"
    assert ask(None, size=(320, 240))[0].crops == (Region(0, 0, 320, 240),)
