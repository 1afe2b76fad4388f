"""NearestPairer against a brute-force definition on random streams, and case by case."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.frames import DropReason, Frame, Side
from egmt_ros.pipeline.pairing import NearestPairer

MS = 1_000_000
FOREVER = 10**15
T, V = Side.THERMAL, Side.VISIBLE


# What is to be true ------------------------------------------------------------------------


def mutually_nearest(thermal, visible, max_gap):
    """Index pairs by the definition: no frame is strictly nearer to either; earlier ones first."""
    pairs, used = [], set()
    for i, t in enumerate(thermal):
        for j, v in enumerate(visible):
            gap = abs(t - v)
            nearest = all(abs(t - other) >= gap for other in visible) and all(
                abs(v - other) >= gap for other in thermal
            )
            if gap <= max_gap and nearest and not {(T, i), (V, j)} & used:
                pairs.append((i, j))
                used |= {(T, i), (V, j)}
    return pairs


def nearest_thermal(thermal, visible, max_gap):
    """Index pairs with reuse_thermal: each visible frame and its nearest thermal frame."""
    pairs = []
    for j, v in enumerate(visible):
        gaps = [(abs(t - v), t, i) for i, t in enumerate(thermal)]
        if gaps and min(gaps)[0] <= max_gap:
            pairs.append((min(gaps)[2], j))
    return pairs


class Ledger:
    """Feeds a pairer and checks after every call that no frame is lost or told of twice."""

    def __init__(self, pairer, reuse=False):
        self.pairer, self.reuse = pairer, reuse
        self.given, self.pairs, self.resets = [], [], 0
        self.fate = {}

    def add(self, side, stamp, now=0, arrival=None):
        frame = Frame(side, stamp, now if arrival is None else arrival, len(self.given))
        self.given.append(frame)
        return self.note(self.pairer.add(frame, now))

    def poll(self, now):
        return self.note(self.pairer.poll(now))

    def flush(self):
        return self.note(self.pairer.flush())

    def note(self, update):
        self.pairs += update.pairs
        self.resets += update.reset
        for pair in update.pairs:
            assert pair.thermal.side is T and pair.visible.side is V
            assert pair.thermal.payload not in self.fate or pair.thermal in update.finished
        for frame in update.finished:
            assert frame.payload not in self.fate
            self.fate[frame.payload] = "finished"
        for dropped in update.dropped:
            assert dropped.frame.payload not in self.fate
            self.fate[dropped.frame.payload] = dropped.reason
        return update

    def close(self):
        """Decide everything; check that each frame has exactly one fate, and the order."""
        self.poll(10 * FOREVER)
        assert self.pairer.deadline() is None
        assert not self.flush().dropped
        assert set(self.fate) == {frame.payload for frame in self.given}
        uses = [f.payload for pair in self.pairs for f in (pair.thermal, pair.visible)]
        assert {i for i, fate in self.fate.items() if fate == "finished"} == set(uses)
        if not self.reuse:
            assert len(uses) == len(set(uses))
        return self

    def of(self, side):
        return [frame for frame in self.given if frame.side is side]

    def stamps(self):
        return [(pair.thermal.stamp, pair.visible.stamp) for pair in self.pairs]

    def reasons(self):
        return [self.fate.get(frame.payload) for frame in self.given]


def in_order(pairs):
    return all(a <= c and b <= d for (a, b), (c, d) in zip(pairs, pairs[1:], strict=False))


# Random streams ----------------------------------------------------------------------------

steps = st.lists(st.integers(0, 12), max_size=14)


def cumulative(increments, start=0):
    times, time = [], start
    for step in increments:
        time += step
        times.append(time)
    return times


@st.composite
def merged_streams(draw):
    """Two streams, each in order, and any order of arrival that keeps theirs."""
    thermal = cumulative(draw(steps), draw(st.integers(0, 9)))
    visible = cumulative(draw(steps), draw(st.integers(0, 9)))
    sides = draw(st.permutations([T] * len(thermal) + [V] * len(visible)))
    return thermal, visible, sides


def arrivals(thermal, visible, sides):
    queues = {T: iter(thermal), V: iter(visible)}
    return [(side, next(queues[side])) for side in sides]


@settings(max_examples=500, deadline=None)
@given(streams=merged_streams(), max_gap=st.integers(0, 15), reuse=st.booleans())
def test_equals_brute_force_whatever_the_order_of_arrival(streams, max_gap, reuse):
    thermal, visible, sides = streams
    ledger = Ledger(NearestPairer(max_gap=max_gap, wait=FOREVER, reuse_thermal=reuse), reuse)
    for side, stamp in arrivals(*streams):
        ledger.add(side, stamp)
    ledger.close()
    expected = (nearest_thermal if reuse else mutually_nearest)(thermal, visible, max_gap)
    index = {id(f): i for side in Side for i, f in enumerate(ledger.of(side))}
    assert [(index[id(p.thermal)], index[id(p.visible)]) for p in ledger.pairs] == expected
    assert in_order(ledger.stamps())
    assert all(p.gap == abs(p.thermal.stamp - p.visible.stamp) <= max_gap for p in ledger.pairs)


@settings(max_examples=150, deadline=None)
@given(streams=merged_streams(), max_gap=st.integers(0, 15), reuse=st.booleans())
def test_a_pair_is_released_as_soon_as_no_frame_to_come_could_break_it(streams, max_gap, reuse):
    ledger = Ledger(NearestPairer(max_gap=max_gap, wait=FOREVER, reuse_thermal=reuse), reuse)
    define = nearest_thermal if reuse else mutually_nearest
    seen = {T: [], V: []}
    for side, stamp in arrivals(*streams):
        seen[side].append(stamp)
        ledger.add(side, stamp)
        known = define(seen[T], seen[V], max_gap)
        released = ledger.stamps()
        assert released == [(seen[T][i], seen[V][j]) for i, j in known][: len(released)]
        if len(known) > len(released):
            first = known[len(released)]
            t, v = seen[T][first[0]], seen[V][first[1]]
            to_come = range(min(t, v) - 1, max(t, v) + 16)
            broken = [
                first not in define(seen[T] + [s], seen[V], max_gap)
                for s in to_come if s >= seen[T][-1]
            ] + [
                first not in define(seen[T], seen[V] + [s], max_gap)
                for s in to_come if s >= seen[V][-1]
            ]
            assert any(broken), (seen, released)


def camera(rng, rate, seconds, *, phase, jitter, drop):
    period = 1e9 / rate
    times = [phase + i * period + rng.uniform(-jitter, jitter) for i in range(int(seconds * rate))]
    return sorted(int(t) for t in times if rng.random() >= drop)


@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("thermal_rate", [9.0, 30.0])
@pytest.mark.parametrize("seed", range(4))
def test_two_cameras_with_jitter_drops_latency_and_offset(thermal_rate, reuse, seed):
    rng = random.Random(seed)
    offset = rng.choice([0, -25 * MS])
    phase = rng.uniform(0, 33 * MS)
    thermal = camera(rng, thermal_rate, 10, phase=phase, jitter=4 * MS, drop=0.05)
    visible = camera(rng, 30.0, 10, phase=0, jitter=2 * MS, drop=0.1)
    events = [(t + 40 * MS, T, t - offset) for t in thermal]
    events += [(v + rng.choice([5, 30]) * MS, V, v) for v in visible]
    last, ordered = {}, []
    for arrival, side, stamp in sorted(events, key=lambda event: (event[2], event[1])):
        last[side] = max(arrival, last.get(side, 0))  # a transport keeps a stream's order
        ordered.append((last[side], side, stamp))
    pairer = NearestPairer(
        max_gap=50 * MS, wait=FOREVER, thermal_offset=offset, reuse_thermal=reuse
    )
    ledger = Ledger(pairer, reuse)
    for arrival, side, stamp in sorted(ordered, key=lambda event: event[0]):
        ledger.add(side, stamp, now=arrival)
    ledger.close()
    expected = (nearest_thermal if reuse else mutually_nearest)(thermal, visible, 50 * MS)
    assert ledger.stamps() == [(thermal[i] - offset, visible[j]) for i, j in expected]
    assert len(ledger.pairs) > (200 if reuse else 0.6 * len(thermal))
    if thermal_rate == 9.0 and not reuse:
        assert sum(p.gap for p in ledger.pairs) / len(ledger.pairs) < 12 * MS


@settings(max_examples=300, deadline=None)
@given(
    stream=st.lists(st.tuples(st.sampled_from(Side), st.integers(0, 400)), max_size=40),
    reuse=st.booleans(),
    max_gap=st.integers(0, 30),
    wait=st.integers(1, 30),
    jump=st.integers(1, 100),
    max_waiting=st.integers(1, 5),
)
def test_any_disorder_leaves_no_frame_without_exactly_one_fate(
    stream, reuse, max_gap, wait, jump, max_waiting
):
    pairer = NearestPairer(
        max_gap=max_gap, wait=wait, jump=jump, reuse_thermal=reuse, max_waiting=max_waiting
    )
    ledger = Ledger(pairer, reuse)
    epoch = []
    for now, (side, stamp) in enumerate(stream):
        update = ledger.add(side, stamp, now)
        epoch = ([] if update.reset else epoch) + [
            (pair.thermal.stamp, pair.visible.stamp) for pair in update.pairs
        ]
        assert in_order(epoch)
        assert pairer.deadline() is None or pairer.deadline() > now
        assert len(ledger.given) - len(ledger.fate) <= 2 * max_waiting
    ledger.close()
    assert all(pair.gap <= max_gap for pair in ledger.pairs)


@settings(max_examples=100, deadline=None)
@given(streams=merged_streams(), max_gap=st.integers(0, 15), reuse=st.booleans())
def test_least_intervals_only_change_when_pairs_are_released(streams, max_gap, reuse):
    thermal, visible = (cumulative([5] * len(s), s[0] if s else 0) for s in streams[:2])
    plain = Ledger(NearestPairer(max_gap=max_gap, wait=FOREVER, reuse_thermal=reuse), reuse)
    quick = Ledger(
        NearestPairer(
            max_gap=max_gap, wait=FOREVER, reuse_thermal=reuse,
            thermal_interval=5, visible_interval=5,
        ),
        reuse,
    )
    for side, stamp in arrivals(thermal, visible, streams[2]):
        plain.add(side, stamp)
        quick.add(side, stamp)
        assert len(quick.pairs) >= len(plain.pairs)
    assert quick.close().stamps() == plain.close().stamps()


# Ties ----------------------------------------------------------------------------------------


def test_of_equally_near_partners_the_earlier_is_taken():
    ledger = Ledger(NearestPairer(max_gap=10, wait=FOREVER))
    for side, stamp in ((V, 0), (T, 5), (V, 10), (V, 40)):
        ledger.add(side, stamp)
    assert ledger.close().stamps() == [(5, 0)]


def test_streams_half_a_period_apart_lose_no_frames():
    ledger = Ledger(NearestPairer(max_gap=10, wait=FOREVER))
    for i in range(50):
        ledger.add(T, 20 * i)
        ledger.add(V, 20 * i + 10)
    assert ledger.close().stamps() == [(20 * i, 20 * i + 10) for i in range(50)]


def test_equal_stamps_are_paired_in_the_order_of_arrival():
    ledger = Ledger(NearestPairer(max_gap=10, wait=FOREVER))
    for side in (T, T, V, V):
        ledger.add(side, 7)
    ledger.close()
    assert [(p.thermal.payload, p.visible.payload) for p in ledger.pairs] == [(0, 2), (1, 3)]


# Release and waiting -------------------------------------------------------------------------


def test_equal_stamps_are_released_at_once():
    ledger = Ledger(NearestPairer(max_gap=50, wait=100))
    ledger.add(T, 1000, now=5)
    (pair,) = ledger.add(V, 1000, now=9).pairs
    assert (pair.gap, pair.signed_gap, pair.released, pair.waited) == (0, 0, 9, 0)
    assert ledger.pairer.deadline() is None


def test_released_at_once_when_the_camera_of_the_earlier_frame_is_ahead():
    ledger = Ledger(NearestPairer(max_gap=10, wait=100))
    ledger.add(T, 0)
    ledger.add(T, 33)
    assert ledger.add(V, 3).pairs[0].signed_gap == -3


def test_a_nearer_frame_that_comes_later_gets_the_partner():
    ledger = Ledger(NearestPairer(max_gap=30, wait=100))
    ledger.add(T, 0)
    assert not ledger.add(V, 20).pairs
    assert ledger.add(T, 22).dropped[0].reason is DropReason.UNPAIRED
    ledger.add(V, 50)
    assert ledger.stamps() == [(22, 20)]


def test_a_pair_that_is_not_settled_is_released_after_wait_from_the_later_arrival():
    ledger = Ledger(NearestPairer(max_gap=30, wait=100))
    ledger.add(T, 0, now=1000)
    ledger.add(V, 10, now=1040)
    assert ledger.pairer.deadline() == 1140
    assert not ledger.poll(1139).pairs
    (pair,) = ledger.poll(1150).pairs
    assert (pair.released, pair.waited, pair.signed_gap) == (1150, 110, -10)


def test_a_least_interval_settles_the_pair_without_waiting():
    ledger = Ledger(NearestPairer(max_gap=30, wait=100, thermal_interval=20))
    ledger.add(T, 0)
    assert len(ledger.add(V, 10).pairs) == 1


@pytest.mark.parametrize("reuse", [False, True])
def test_a_least_interval_does_not_rule_out_a_partner_that_can_just_come(reuse):
    pairer = NearestPairer(max_gap=2, wait=100, thermal_interval=5, reuse_thermal=reuse)
    ledger = Ledger(pairer, reuse)
    for side, stamp in ((T, 0), (V, 3), (T, 5)):
        ledger.add(side, stamp)
    assert ledger.close().stamps() == [(5, 3)]


@pytest.mark.parametrize("reuse", [False, True])
def test_a_lonely_frame_times_out(reuse):
    ledger = Ledger(NearestPairer(max_gap=30, wait=100, reuse_thermal=reuse), reuse)
    ledger.add(V, 0, now=7)
    assert ledger.pairer.deadline() == 107
    assert not ledger.poll(106).dropped
    assert [d.reason for d in ledger.poll(107).dropped] == [DropReason.TIMEOUT]


def test_cameras_whose_latencies_differ_by_more_than_wait_still_pair():
    """The frame that is still there is taken when the nearest has timed out."""
    ledger = Ledger(NearestPairer(max_gap=60, wait=50))
    events = [(33 * i, T, 33 * i) for i in range(30)]
    events += [(33 * i + 70, V, 33 * i) for i in range(30)]
    for now, side, stamp in sorted(events):
        while ledger.pairer.deadline() is not None and ledger.pairer.deadline() <= now:
            ledger.poll(ledger.pairer.deadline())
        ledger.add(side, stamp, now=now)
    ledger.close()
    assert len(ledger.pairs) >= 14
    assert in_order(ledger.stamps())


def test_a_dead_camera_costs_bounded_memory():
    ledger = Ledger(NearestPairer(max_gap=10, wait=FOREVER, max_waiting=8))
    for i in range(100):
        ledger.add(V, 33 * i)
        assert len(ledger.given) - len(ledger.fate) <= 8
    assert ledger.reasons()[:92] == [DropReason.OVERFLOW] * 92


def test_offsets_are_added_to_the_stamps():
    pairer = NearestPairer(max_gap=5, wait=100, thermal_offset=-100, visible_offset=20)
    ledger = Ledger(pairer)
    ledger.add(T, 1122)
    ledger.add(V, 1000)
    ledger.add(V, 1040)
    ledger.add(T, 1200)
    assert [(p.thermal.stamp, p.visible.stamp, p.signed_gap) for p in ledger.pairs] == [
        (1122, 1000, 2)
    ]


# One thermal frame for several visible ones ---------------------------------------------------


def test_one_thermal_frame_serves_several_visible_ones_and_is_finished_once():
    ledger = Ledger(NearestPairer(max_gap=60, wait=1000, reuse_thermal=True), reuse=True)
    for now in range(390):
        if now % 111 == 0:
            ledger.add(T, now, now=now)
        if now % 33 == 0:
            ledger.add(V, now, now=now)
    ledger.close()
    assert [v for _, v in ledger.stamps()] == list(range(0, 390, 33))
    assert [t for t, _ in ledger.stamps()][:6] == [0, 0, 111, 111, 111, 111]
    assert ledger.reasons().count("finished") == len(ledger.given)


def test_a_reused_thermal_frame_goes_when_no_visible_frame_comes_any_more():
    ledger = Ledger(NearestPairer(max_gap=60, wait=100, reuse_thermal=True), reuse=True)
    ledger.add(T, 0, now=0)
    ledger.add(V, 0, now=0)
    assert ledger.pairer.deadline() == 160
    assert len(ledger.poll(160).finished) == 1


# Out of order and jumps -----------------------------------------------------------------------


def test_a_frame_out_of_order_is_used_while_it_is_not_passed():
    ledger = Ledger(NearestPairer(max_gap=5, wait=FOREVER))
    for stamp in (0, 66, 33, 99):
        ledger.add(T, stamp)
    for stamp in (1, 34, 67, 100):
        ledger.add(V, stamp)
    assert ledger.close().stamps() == [(0, 1), (33, 34), (66, 67), (99, 100)]


def test_a_frame_out_of_order_does_not_make_the_newest_forgotten():
    ledger = Ledger(NearestPairer(max_gap=5, wait=FOREVER))
    for stamp in (0, 100, 50):
        ledger.add(T, stamp)
    assert len(ledger.add(V, 51).pairs) == 1  # the thermal frame at 100 has settled it


def test_frames_swapped_again_and_again_are_no_jump():
    ledger = Ledger(NearestPairer(max_gap=5, wait=FOREVER))
    for i in range(0, 40, 2):
        for side, stamp in ((T, 33 * i + 33), (T, 33 * i), (V, 33 * i), (V, 33 * i + 33)):
            ledger.add(side, stamp)
    assert ledger.close().stamps() == [(33 * i, 33 * i) for i in range(40)]
    assert ledger.resets == 0


def test_a_frame_that_was_passed_is_dropped_as_late_and_resets_nothing():
    ledger = Ledger(NearestPairer(max_gap=5, wait=FOREVER))
    for stamp in (0, 66, 33, 99):
        ledger.add(V, stamp)
        ledger.add(T, stamp)
    assert ledger.close().stamps() == [(0, 0), (66, 66), (99, 99)]
    assert ledger.reasons()[4:6] == [DropReason.LATE, DropReason.LATE]
    assert ledger.resets == 0


@pytest.mark.parametrize("skew", [0, 1, 7])
@pytest.mark.parametrize("frames", [8, 20, 300])  # 0.26 s, 0.66 s, 10 s: also shorter than `jump`
def test_a_looping_bag_pairs_on_every_pass(frames, skew):
    """`skew`: the thermal camera is so many frames behind, also over the jump."""
    passes, period, start = 5, 33 * MS, 10**18
    ledger = Ledger(NearestPairer(max_gap=10 * MS, wait=1000 * MS))
    stamps = [start + period * i for _ in range(passes) for i in range(frames)]
    for k in range(len(stamps) + skew):
        if k < len(stamps):
            ledger.add(V, stamps[k], now=k * period)
        if k >= skew:
            ledger.add(T, stamps[k - skew], now=k * period)
    ledger.close()
    assert all(pair.gap == 0 for pair in ledger.pairs)
    assert passes - 1 <= ledger.resets <= 2 * (passes - 1)
    lost = passes * frames - len(ledger.pairs)
    assert lost <= (passes - 1) * (2 * skew + 5)


def test_the_other_camera_is_stale_until_it_has_jumped_too():
    second = 1000 * MS
    ledger = Ledger(NearestPairer(max_gap=50 * MS, wait=10 * second))
    for time in (100 * second, 101 * second):
        ledger.add(T, time)
        ledger.add(V, time)
    assert ledger.add(T, 0).reset
    for time in (102 * second, 103 * second):
        assert ledger.add(V, time).dropped[0].reason is DropReason.STALE
    assert len(ledger.add(V, 0).pairs) == 1
    ledger.add(T, second)
    ledger.add(V, second)
    assert ledger.close().resets == 1
    assert [t // second for t, _ in ledger.stamps()] == [100, 101, 0, 1]


def test_a_clock_that_jumps_back_and_recovers_pairs_again():
    """Only one camera jumps, and returns: the other must not stay stale for ever."""
    second = 1000 * MS
    ledger = Ledger(NearestPairer(max_gap=50 * MS, wait=10 * second))
    for i in range(100, 110):
        ledger.add(V, i * second)
        ledger.add(T, (i - 90 if 103 <= i < 106 else i) * second)
    ledger.close()
    assert [v // second for _, v in ledger.stamps()] == [100, 101, 102, 107, 108, 109]
    assert ledger.resets == 1


def test_one_stamp_of_zero_costs_few_frames():
    ledger = Ledger(NearestPairer(max_gap=10 * MS, wait=1000 * MS))
    for i in range(30):
        ledger.add(T, 0 if i == 10 else 10**18 + i * 33 * MS)
        ledger.add(V, 10**18 + i * 33 * MS)
    assert len(ledger.close().pairs) >= 28


def test_flush_drops_what_waits_and_forgets_the_streams():
    ledger = Ledger(NearestPairer(max_gap=10, wait=1000))
    ledger.add(T, 5000)
    assert [d.reason for d in ledger.flush().dropped] == [DropReason.FLUSHED]
    assert ledger.pairer.deadline() is None
    ledger.add(T, 10)
    ledger.add(V, 10)
    assert (len(ledger.pairs), ledger.resets) == (1, 0)


def test_flush_after_a_jump_lets_either_camera_begin():
    ledger = Ledger(NearestPairer(max_gap=10, wait=1000, jump=100))
    for stamp in (5000, 0):
        ledger.add(T, stamp)  # the visible camera is now to follow
    ledger.flush()
    ledger.add(V, 7000)
    assert len(ledger.add(T, 7000).pairs) == 1


# The rest -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", [{"max_gap": -1}, {"wait": 0}, {"max_waiting": 0}, {"jump": 0}, {"thermal_interval": -1}]
)
def test_arguments_out_of_range_are_refused_by_name(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        NearestPairer(**{"max_gap": 10, "wait": 10, **bad})


def test_pairing_needs_neither_torch_nor_ros():
    code = (
        "import sys, egmt_ros.pipeline as p; p.NearestPairer; p.Mailbox; p.FrameAccount;"
        "bad = {'torch', 'rclpy', 'cv2', 'numpy'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
