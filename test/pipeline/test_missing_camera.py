"""When a camera counts as missing, and what its partner's frames become meanwhile."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.frames import DropReason, Frame, Side
from egmt_ros.pipeline.missing_camera import CameraWatch, Single
from egmt_ros.pipeline.pairing import NearestPairer

T, V = Side.THERMAL, Side.VISIBLE


# The watch ----------------------------------------------------------------------------------


def test_a_camera_is_missing_after_the_timeout_while_the_other_sends_and_until_it_sends():
    watch = CameraWatch(100, now=0)
    watch.seen(T, 10)
    watch.seen(V, 50)
    assert (watch.due(), watch.missing(109)) == (110, None)
    assert watch.missing(110) is T
    watch.seen(V, 400)
    assert (watch.due(), watch.missing(401)) == (None, T)
    watch.seen(T, 402)
    assert watch.missing(402) is None


def test_a_camera_that_never_sent_is_missing_from_the_timeout_after_the_start():
    watch = CameraWatch(100, now=1000)
    watch.seen(V, 1030)
    assert (watch.missing(1099), watch.missing(1100)) == (None, T)


def test_while_both_are_silent_none_is_missing():
    watch = CameraWatch(100, now=0)
    assert (watch.due(), watch.missing(10**9)) == (None, None)


def test_of_two_that_come_back_the_later_one_gets_the_timeout():
    watch = CameraWatch(100, now=0)
    watch.seen(T, 10)
    watch.seen(V, 10)
    watch.seen(V, 5000)
    assert (watch.missing(5099), watch.missing(5100)) == (None, T)


def test_a_camera_slower_than_the_timeout_finds_out_too_that_the_other_is_missing():
    watch = CameraWatch(100, now=0)
    found = []
    for now in range(300, 1500, 300):
        watch.seen(V, now)
        found.append(watch.missing(now))
    assert found == [None, T, T, T]


def test_a_timeout_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="missing_timeout"):
        CameraWatch(0, now=0)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 60)), max_size=40),
    st.integers(1, 100),
)
def test_missing_are_only_cameras_that_were_silent_for_the_timeout(frames, timeout):
    watch = CameraWatch(timeout, now=0)
    now, last = 0, {T: 0, V: 0}
    for side, step in frames:
        now += step
        watch.seen(side, now)
        last[side] = now
        missing = watch.missing(now)
        if missing is not None:
            assert now - last[missing] >= timeout
            assert last[missing.other] > last[missing]
        elif now - last[side.other] >= 2 * timeout:
            # The other one has just come back from a silence of both, and not longer ago.
            assert watch.due() is not None and now < watch.due() <= now + timeout


# The pairer without the other camera --------------------------------------------------------


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("living", list(Side))
def test_frames_of_the_living_camera_go_on_at_once_and_in_order(living, reuse):
    pairer = NearestPairer(max_gap=10, wait=10**9, reuse_thermal=reuse)
    alone = []
    for i in range(5):
        pairer.add(Frame(living, 33 * i, i), now=i)
        update = pairer.go_on_alone(living, now=i)
        assert not update.pairs and not update.finished
        alone += [(d.frame.stamp, d.reason) for d in update.dropped]
        assert pairer.deadline() is None
    assert alone == [(33 * i, DropReason.ALONE) for i in range(5)]


def test_what_waits_is_decided_as_things_stand_pairs_first():
    pairer = NearestPairer(max_gap=30, wait=10**9)
    for side, stamp in ((T, 0), (V, 10), (V, 40), (V, 80)):
        pairer.add(Frame(side, stamp, 0), now=0)
    update = pairer.go_on_alone(V, now=7)
    assert [(p.thermal.stamp, p.visible.stamp, p.released) for p in update.pairs] == [(0, 10, 7)]
    assert [d.frame.stamp for d in update.dropped] == [40, 80]


def test_a_frame_that_went_on_alone_stays_the_nearest_to_what_comes_back():
    """The returning camera's frame is not paired with the next best."""
    pairer = NearestPairer(max_gap=50, wait=10**9)
    pairer.add(Frame(V, 1000, 0), now=0)
    pairer.go_on_alone(V, now=0)
    pairer.add(Frame(T, 1005, 1), now=1)
    late = pairer.add(Frame(V, 1033, 2), now=2)
    assert [(d.frame.side, d.reason) for d in late.dropped] == [(T, DropReason.UNPAIRED)]
    assert len(pairer.add(Frame(T, 1033, 3), now=3).pairs) == 1


def test_a_camera_that_comes_back_with_a_clock_that_starts_anew_is_no_jump():
    pairer = NearestPairer(max_gap=50, wait=100)
    for side in (T, V):
        pairer.add(Frame(side, 10**12, 0), now=0)
    pairer.add(Frame(V, 10**12 + 33, 1), now=1)
    pairer.go_on_alone(V, now=2)
    assert not pairer.add(Frame(T, 5, 3), now=3).reset


def test_one_that_jumped_back_and_died_does_not_make_the_other_stale_for_ever():
    pairer = NearestPairer(max_gap=50, wait=100, jump=1000)
    for side, stamp in ((V, 10_000), (T, 10_000), (T, 10)):
        pairer.add(Frame(side, stamp, 0), now=0)
    assert pairer.add(Frame(V, 10_033, 1), now=1).dropped[0].reason is DropReason.STALE
    pairer.go_on_alone(V, now=2)
    pairer.add(Frame(V, 10_066, 3), now=3)
    assert [d.reason for d in pairer.go_on_alone(V, now=3).dropped] == [DropReason.ALONE]


def test_a_single_has_one_side():
    frame = Frame(V, 5, 100)
    single = Single(frame, 130)
    assert (single.thermal, single.visible, single.frames) == (None, frame, (frame,))
    assert single.waited == 30
