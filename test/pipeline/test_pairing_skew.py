"""Cameras of any rate whose images arrive late: the nearest is the nearest, and memory is flat."""

from __future__ import annotations

import bisect
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.pipeline.arrival_skew import ArrivalSkew
from egmt_ros.pipeline.frames import DropReason, Frame, Side
from egmt_ros.pipeline.pairing import NearestPairer

MS = 1_000_000
T, V = Side.THERMAL, Side.VISIBLE


def mutually_nearest(thermal, visible, max_gap):
    """By the definition, for stamps that all differ: each is the other's nearest, early first."""

    def nearest(time, others):
        return min(others, key=lambda other: (abs(other - time), other), default=None)

    found = []
    for t in thermal:
        v = nearest(t, visible)
        if v is not None and abs(t - v) <= max_gap and nearest(v, thermal) == t:
            found.append((t, v))
    return found


def nearest_thermal(thermal, visible, max_gap):
    """With reuse_thermal."""
    found = []
    for v in visible:
        i = bisect.bisect_left(thermal, v)
        near = min(thermal[max(0, i - 1) : i + 1], key=lambda t: (abs(t - v), t), default=None)
        if near is not None and abs(near - v) <= max_gap:
            found.append((near, v))
    return found


@st.composite
def cameras(draw):
    """Stamps and arrivals of two cameras: rates, phases, jitter, drops, latencies at random."""
    rng = random.Random(draw(st.integers(0, 10**9)))
    streams, spread = {}, []
    for side in Side:
        rate = draw(st.one_of(st.sampled_from([1.0, 9.0, 30.0, 60.0, 120.0]), st.floats(1, 120)))
        latency = draw(st.integers(0, 500)) * MS
        varies = draw(st.integers(0, 30)) * MS
        drop = draw(st.sampled_from([0.0, 0.0, 0.1, 0.4]))
        period = 1e9 / rate
        phase, jitter = rng.random() * period, draw(st.sampled_from([0.0, 0.1, 0.4])) * period
        frames, last = [], 0
        for i in range(min(80, int(3 * rate) + 2)):
            stamp = int(phase + i * period + rng.uniform(-jitter, jitter)) // 2 * 2 + (side is V)
            last = max(last, stamp + latency + int(rng.random() * varies))  # order is kept
            if rng.random() >= drop and (not frames or stamp > frames[-1][0]):
                frames.append((stamp, last))
        spread += [arrival - stamp for stamp, arrival in frames]
        streams[side] = frames
    skew = max(spread, default=0) - min(spread, default=0)
    return streams, skew


def run(pairer, streams):
    """Feed in order of arrival, polling whenever it is due; (pairs, fates, most that waited)."""
    events = sorted((a, side, s) for side, frames in streams.items() for s, a in frames)
    pairs, reasons, settled, given, most = [], [], 0, 0, 0

    def note(update):
        nonlocal settled
        pairs.extend((pair.thermal.stamp, pair.visible.stamp) for pair in update.pairs)
        reasons.extend(dropped.reason for dropped in update.dropped)
        settled += len(update.dropped) + len(update.finished)

    def poll_until(now):
        while (due := pairer.deadline()) is not None and due <= now:
            note(pairer.poll(due))

    for arrival, side, stamp in events:
        poll_until(arrival)
        note(pairer.add(Frame(side, stamp, arrival), arrival))
        given += 1
        most = max(most, given - settled)
    poll_until(10**15)
    assert settled == given
    return pairs, reasons, most


@settings(max_examples=120, deadline=None)
@given(cameras(), st.integers(0, 60), st.booleans())
def test_from_max_gap_plus_the_skew_on_the_nearest_is_found(given_cameras, gap_ms, reuse):
    streams, skew = given_cameras
    max_gap = gap_ms * MS
    pairer = NearestPairer(
        max_gap=max_gap, wait=max_gap + skew + 1, reuse_thermal=reuse, max_waiting=1000
    )
    thermal, visible = ([stamp for stamp, _ in streams[side]] for side in (T, V))
    define = nearest_thermal if reuse else mutually_nearest
    pairs, reasons, _ = run(pairer, streams)
    assert pairs == define(thermal, visible, max_gap)
    assert DropReason.OVERFLOW not in reasons and DropReason.LATE not in reasons


@settings(max_examples=120, deadline=None)
@given(cameras(), st.integers(1, 400), st.integers(2, 40), st.booleans())
def test_with_any_wait_and_queue_pairs_are_in_order_and_memory_is_bounded(
    given_cameras, wait_ms, queue, reuse
):
    streams, _ = given_cameras
    pairer = NearestPairer(
        max_gap=50 * MS, wait=wait_ms * MS, reuse_thermal=reuse, max_waiting=queue
    )
    pairs, _, most = run(pairer, streams)
    assert pairs == sorted(pairs) and all(abs(t - v) <= 50 * MS for t, v in pairs)
    assert most <= 2 * queue


@pytest.mark.parametrize("late", [T, V])
@pytest.mark.parametrize("rate", [1, 9, 30, 120])
def test_half_a_second_of_skew_costs_no_pair_and_no_more_frames_than_come_in_that_time(rate, late):
    period = 10**9 // rate
    streams = {
        side: [(i * period, i * period + (500 * MS if side is late else 0)) for i in range(200)]
        for side in Side
    }
    pairer = NearestPairer(max_gap=50 * MS, wait=550 * MS, max_waiting=64)
    pairs, reasons, most = run(pairer, streams)
    assert len(pairs) == 200 and not reasons
    assert most <= rate // 2 + 2


def test_the_skew_is_measured_without_a_common_clock():
    skew = ArrivalSkew()
    assert skew.seconds() is None
    for i in range(300):
        stamp = 10**18 + i * 33 * MS
        skew.add(V, stamp, i * 33 * MS + 20 * MS)
        skew.add(T, stamp, i * 33 * MS + 340 * MS + (900 * MS if i % 10 == 0 else 0))
    assert skew.seconds() == pytest.approx(0.32, abs=1e-3)
    skew.clear()
    assert skew.seconds() is None
