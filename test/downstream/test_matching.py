"""Which labels belong to which image."""

from __future__ import annotations

import pytest

from egmt_ros.downstream.matching import LabelMatcher

MS = 1_000_000


@pytest.fixture
def matcher(messages):
    matcher = LabelMatcher()
    matcher.give_vocabulary(messages.vocabulary())
    return matcher


def test_an_image_waits_for_the_labels_of_its_stamp(matcher, messages):
    assert matcher.take() is None
    matcher.give_labels(messages.array(stamp=0))
    image = messages.image(stamp=33 * MS)
    matcher.give_image(image)
    assert not matcher.ready
    matcher.give_labels(messages.array(stamp=33 * MS))
    assert matcher.ready
    match = matcher.take()
    assert match.image is image and match.prior.stamp == 33 * MS and match.problem is None
    assert not matcher.ready and matcher.take() is None


def test_who_waits_no_longer_gets_the_nearest(matcher, messages):
    for stamp in (0, 33 * MS, 66 * MS):
        matcher.give_labels(messages.array(stamp=stamp))
    for stamp, nearest in ((40 * MS, 33 * MS), (90 * MS, 66 * MS)):
        matcher.give_image(messages.image(stamp=stamp))
        assert matcher.take().prior.stamp == nearest


def test_no_labels_or_no_vocabulary_is_no_prior_and_no_problem(matcher, messages):
    matcher.give_image(messages.image())
    assert matcher.take()[1:] == (None, None)
    without = LabelMatcher()
    without.give_labels(messages.array())
    without.give_image(messages.image())
    assert not without.ready and without.take()[1:] == (None, None)


def test_labels_of_a_new_vocabulary_wait_for_it(matcher, messages):
    matcher.give_image(messages.image())
    matcher.give_labels(messages.array(vocabulary_hash="v2"))
    assert not matcher.ready
    matcher.give_vocabulary(messages.vocabulary("v2"))
    assert matcher.ready and matcher.take().prior.vocabulary_hash == "v2"


def test_labels_that_cannot_be_used_say_why(messages):
    for array, reason in (
        (messages.array(vocabulary_hash="v0"), "vocabulary_hash"),
        (messages.array(size=(320, 240)), "size_mismatch"),
        (messages.array(messages.label("car", 0.9, index=0)), "bad_label"),
    ):
        matcher = LabelMatcher()
        matcher.give_vocabulary(messages.vocabulary())
        matcher.give_labels(array)
        matcher.give_image(messages.image())
        match = matcher.take()
        assert match.prior is None and match.problem.reason == reason


def test_of_two_arrays_with_one_stamp_the_later_counts(matcher, messages):
    matcher.give_labels(messages.array())
    matcher.give_labels(messages.array(messages.label("car", 0.9)))
    matcher.give_image(messages.image())
    assert matcher.take().prior.of("car").present


def test_a_bag_that_starts_again(matcher, messages):
    for stamp in (5000 * MS, 5033 * MS, 0):
        matcher.give_labels(messages.array(stamp=stamp))
    matcher.give_image(messages.image(stamp=5033 * MS))
    assert not matcher.ready and matcher.take().prior.stamp == 0
