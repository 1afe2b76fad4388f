"""sync.policy: what is taken for which, and message_filters made safe."""

from __future__ import annotations

import random
import sys
import time
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError, MissingDependencyError
from egmt_ros.node_core.optional import has_message_filters
from egmt_ros.node_core.parameters import build, building
from egmt_ros.pipeline.frames import DropReason, Frame, Side
from egmt_ros.pipeline.pairing import NearestPairer

MS = 1_000_000
SECOND = 1_000_000_000
T, V = Side.THERMAL, Side.VISIBLE

needs_message_filters = pytest.mark.skipif(
    not has_message_filters(), reason="message_filters is not installed"
)


@pytest.fixture(autouse=True)
def _ros():
    pytest.importorskip("builtin_interfaces.msg", reason="ROS 2 is not installed")


def make(policy="approximate_time", **changes):
    """What the node pairs with."""
    from egmt_ros.ros.synchronising import make_pairer

    return make_pairer(build({"sync.policy": policy, **changes}).sync)


def adapter(**changes):
    from egmt_ros.ros.message_filters_pairer import MessageFiltersPairer

    return MessageFiltersPairer(**{"max_gap": 20 * MS, "wait": SECOND, **changes})


class Ledger:
    """Feeds a pairer and checks after every call that no frame is lost or told of twice."""

    def __init__(self, pairer, limit=None):
        self.pairer, self.limit = pairer, limit
        self.given, self.pairs, self.resets, self.fate = [], [], 0, {}

    def add(self, side, stamp, now=0):
        frame = Frame(side, stamp, now, len(self.given))
        self.given.append(frame)
        return self.note(self.pairer.add(frame, now))

    def note(self, update):
        self.pairs += update.pairs
        self.resets += update.reset
        for pair in update.pairs:
            assert pair.thermal.side is T and pair.visible.side is V
            assert pair.thermal in update.finished and pair.visible in update.finished
        for frame in update.finished:
            assert frame.payload not in self.fate
            self.fate[frame.payload] = "paired"
        for dropped in update.dropped:
            assert dropped.frame.payload not in self.fate
            self.fate[dropped.frame.payload] = dropped.reason
        if self.limit is not None:
            assert len(self.given) - len(self.fate) <= 2 * self.limit
        return update

    def close(self):
        self.note(self.pairer.flush())
        assert self.pairer.deadline() is None
        assert set(self.fate) == {frame.payload for frame in self.given}
        return self

    def stamps(self):
        return [(pair.thermal.stamp, pair.visible.stamp) for pair in self.pairs]


# What is taken for which policy ---------------------------------------------------------------


def test_nearest_needs_no_message_filters():
    assert isinstance(make("nearest"), NearestPairer)


def test_without_message_filters_approximate_time_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(building, "has_message_filters", lambda: False)
    with pytest.raises(ConfigError) as refusal:
        build({"sync.policy": "approximate_time"})
    for word in ("sync.policy", "ros-$ROS_DISTRO-message-filters", "sync.policy: nearest"):
        assert word in str(refusal.value)


def test_without_message_filters_exact_time_pairs_equal_stamps_all_the_same(monkeypatch):
    from egmt_ros.ros import synchronising

    monkeypatch.setattr(synchronising, "has_message_filters", lambda: False)
    ledger = Ledger(make("exact_time", **{"sync.max_gap": 0.5}))
    for side, stamp in ((T, 0), (V, 1), (T, 40), (V, 40), (V, 80), (T, 81)):
        ledger.add(side, stamp * MS)
    assert ledger.close().stamps() == [(40 * MS, 40 * MS)]


def test_a_pairer_without_message_filters_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "message_filters", None)
    with pytest.raises(MissingDependencyError, match="message-filters.*nearest"):
        adapter()


# Any synchroniser at all ------------------------------------------------------------------------


class SimpleFilter:
    def registerCallback(self, callback, *arguments):  # noqa: N802
        self.signalMessage = lambda *messages: callback(*messages, *arguments)


class Unruly(SimpleFilter):
    """No synchroniser, but what one may do to its queues at worst: it matches any frames, throws
    any out, and raises. Its names are those that message_filters has.
    """

    rng = random.Random(0)

    def __init__(self, inputs, queue_size, slop=None):
        self.queue_size = queue_size
        self.queues = [{} for _ in inputs]
        Unruly.newest = self
        for index, one in enumerate(inputs):
            one.registerCallback(self.add, index)

    def add(self, message, index):
        self.queues[index][message.header.stamp.sec * SECOND + message.header.stamp.nanosec] = (
            message
        )
        choice = self.rng.random()
        if choice < 0.1:
            raise RuntimeError("an exception within the lock")
        if choice < 0.5 and all(self.queues):
            keys = [self.rng.choice(list(queue)) for queue in self.queues]
            self.signalMessage(*(queue[key] for queue, key in zip(self.queues, keys, strict=True)))
            if self.rng.random() < 0.1:
                raise RuntimeError("an exception after a match")
            for queue, key in zip(self.queues, keys, strict=True):
                del queue[key]
        for queue in self.queues:
            while len(queue) > self.queue_size or (queue and self.rng.random() < 0.1):
                del queue[self.rng.choice(list(queue))]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(-50, 400)), max_size=60),
    st.integers(1, 6),
    st.integers(1, 40),
    st.integers(0, 10**6),
)
def test_whatever_the_synchroniser_does_each_frame_has_one_fate(stream, queue, wait, seed):
    Unruly.rng = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:
        library = SimpleNamespace(
            SimpleFilter=SimpleFilter, TimeSynchronizer=Unruly, ApproximateTimeSynchronizer=Unruly
        )
        patch.setitem(sys.modules, "message_filters", library)
        pairer = adapter(queue_size=queue, wait=wait, jump=100, max_gap=50)
    ledger = Ledger(pairer, limit=queue)
    last = None
    for now, (side, stamp) in enumerate(stream):
        update = ledger.add(side, stamp, now)
        assert pairer.deadline() is None or pairer.deadline() > now
        assert len(ledger.given) - len(ledger.fate) == sum(map(len, Unruly.newest.queues))
        if update.reset:
            last = None
        for pair in update.pairs:
            times = (pair.thermal.stamp, pair.visible.stamp)
            assert last is None or (times[0] >= last[0] and times[1] >= last[1])
            last = times
        if now % 17 == 16:
            update = ledger.note(pairer.go_on_alone(side, now))
            assert pairer.deadline() is None
            assert {d.reason for d in update.dropped} <= {DropReason.ALONE, DropReason.TIMEOUT}
            assert all(
                (d.frame.side is side) == (d.reason is DropReason.ALONE) for d in update.dropped
            )
    ledger.note(pairer.poll(len(stream) + wait))
    assert len(ledger.fate) == len(stream), "after `wait` nothing waits"
    ledger.close()


# message_filters itself --------------------------------------------------------------------------


def two_streams(rng, *, jitter=4, drop=0.1, frames=200):
    """Arrivals (side, stamp) in ns, each stream in order, drawn at random."""
    events = []
    for side, period in ((T, 40), (V, 33)):
        for i in range(frames):
            if rng.random() >= drop:
                stamp = SECOND + i * period * MS + rng.randrange(jitter * MS)
                events.append((stamp + rng.randrange(8 * MS), side, stamp))
    return [(side, stamp) for _, side, stamp in sorted(events)]


@needs_message_filters
@pytest.mark.parametrize("seed", range(4))
def test_approximate_time_pairs_what_the_bare_library_pairs(seed):
    import message_filters
    from builtin_interfaces.msg import Time

    inputs = {side: message_filters.SimpleFilter() for side in (T, V)}
    bare = message_filters.ApproximateTimeSynchronizer(list(inputs.values()), 10, 0.02)
    expected = []
    bare.registerCallback(lambda t, v: expected.append((t.stamp_ns, v.stamp_ns)))
    ledger = Ledger(adapter(queue_size=10, wait=10 * SECOND), limit=10)
    for side, stamp in two_streams(random.Random(seed)):
        seconds, nanoseconds = divmod(stamp, SECOND)
        header = SimpleNamespace(stamp=Time(sec=seconds, nanosec=nanoseconds))
        inputs[side].signalMessage(SimpleNamespace(header=header, stamp_ns=stamp))
        ledger.add(side, stamp)
    ledger.close()
    # The bare library may go back in time; those pairs, and only those, are left out.
    kept, last = [], (0, 0)
    for pair in expected:
        if pair[0] >= last[0] and pair[1] >= last[1]:
            kept.append(pair)
            last = pair
    assert ledger.stamps() == kept
    assert len(kept) > 50


@needs_message_filters
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 30)), max_size=60))
def test_exact_time_pairs_what_the_nearest_without_a_gap_pairs(steps):
    """With stamps in order and no two equal of one camera."""
    newest, events = {T: SECOND, V: SECOND}, []
    for side, step in steps:
        newest[side] += step * MS
        events.append((side, newest[side]))
    ours = Ledger(NearestPairer(max_gap=0, wait=10 * SECOND, max_waiting=100))
    theirs = Ledger(adapter(max_gap=0, wait=10 * SECOND, queue_size=100))
    for side, stamp in events:
        ours.add(side, stamp)
        theirs.add(side, stamp)
    assert theirs.close().stamps() == ours.close().stamps()


@needs_message_filters
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(Side), st.integers(0, 400)), max_size=60),
    st.integers(0, 30),
    st.integers(1, 5),
)
def test_any_disorder_leaves_no_frame_without_exactly_one_fate(stream, max_gap, queue):
    ledger = Ledger(adapter(max_gap=max_gap, queue_size=queue, jump=100, wait=50), limit=queue)
    for now, (side, stamp) in enumerate(stream):
        ledger.add(side, stamp, now)
    ledger.close()
    assert all(pair.gap <= max_gap for pair in ledger.pairs)


@needs_message_filters
@pytest.mark.parametrize("policy", ["approximate_time", "exact_time"])
def test_a_looping_bag_pairs_on_every_pass(policy):
    passes, frames, period = 3, 100, 33 * MS
    ledger = Ledger(make(policy), limit=64)
    for i in range(passes * frames):
        stamp = 10**18 + (i % frames) * period
        ledger.add(V, stamp, now=i * period)
        ledger.add(T, stamp, now=i * period)
    assert len(ledger.pairs) >= passes * frames - 2 * (passes - 1)
    assert ledger.resets == passes - 1
    ledger.close()


@needs_message_filters
def test_an_exception_inside_leaves_no_lock_held(monkeypatch):
    from rclpy.time import Time

    ledger = Ledger(adapter(max_gap=0))
    ledger.add(T, SECOND)
    with monkeypatch.context() as broken:
        broken.setattr(Time, "from_msg", lambda *_: 1 / 0)
        update = ledger.add(V, SECOND)
    assert {dropped.reason for dropped in update.dropped} == {DropReason.RESET}
    assert len(update.dropped) == 2
    ledger.add(T, 2 * SECOND)
    ledger.add(V, 2 * SECOND)  # would wait for the lock for ever
    assert ledger.close().stamps() == [(2 * SECOND, 2 * SECOND)]


@needs_message_filters
def test_offsets_and_a_stamp_before_all_time():
    ledger = Ledger(adapter(thermal_offset=-100 * MS))
    ledger.add(T, 0)  # rclpy has no time before 0
    ledger.add(T, SECOND + 100 * MS)
    ledger.add(V, SECOND)
    assert ledger.close().stamps() == [(SECOND + 100 * MS, SECOND)]
    assert ledger.pairs[0].signed_gap == 0
    assert ledger.fate[0] is DropReason.UNPAIRED


@needs_message_filters
@pytest.mark.parametrize("policy", ["approximate_time", "exact_time"])
def test_the_node_fuses_by_message_filters_and_the_account_adds_up(rig, policy):
    rig.start(parameters={"sync.policy": policy, "sync.wait": 0.3})
    for i in range(5):
        rig.send_pair(10**18 + i * 100 * MS)
        rig.wait(lambda n=i + 1: len(rig.messages["image"]) == n, f"{i + 1} images")
    rig.send("thermal", 10**18 + 700 * MS)
    rig.settled(thermal=6, visible=5)
    assert (rig.account("thermal")["fused"], rig.account("thermal")["unpaired"]) == (5, 1)
    rig.wait(
        lambda: rig.status("pairing")[1]["message_filters"] == "true", "diagnostics say by what"
    )


# What diagnostics say of it ---------------------------------------------------------------------


@pytest.fixture
def tell():
    """The pairing status that a report of these circumstances gives."""
    pytest.importorskip("diagnostic_msgs.msg", reason="ROS 2 is not installed")
    from egmt_ros.ros.diagnostics import NodeState, Report, synchronising_source

    def ask(*, skew=None, unpaired=3, phase="active", missing=None, **sync):
        values = {f"sync.{name}": value for name, value in sync.items()}
        state = NodeState(phase=phase, missing=missing, sync=build(values).sync)
        fresh = {"visible.unpaired": unpaired, "thermal.unpaired": 0}
        report = Report(0, 0, 1.0, {"thermal": {}, "visible": {}}, fresh, 0)
        return synchronising_source(state, lambda: skew)(report)

    return ask


def test_more_skew_than_wait_is_a_warning_with_what_to_set(tell):
    status = tell(skew=0.3, wait=0.1, max_gap=0.05)
    assert status.level == b"\x01" and status.values["skew_ms"] == pytest.approx(300)
    for word in ("thermal images come 300 ms later", "sync.wait to 0.41", "sync.thermal_offset"):
        assert word in status.message
    assert "visible images come 250 ms later" in tell(skew=-0.25).message
    assert "sync.visible_offset" in tell(skew=-0.25).message


@pytest.mark.parametrize(
    "fine",
    [
        {"skew": 0.09},
        {"skew": 0.3, "wait": 0.4},
        {"skew": 0.3, "unpaired": 0},
        {"skew": 0.3, "thermal_offset": 0.3},
        {"skew": 0.3, "visible_offset": -0.25},
        {"skew": None},
    ],
)
def test_otherwise_there_is_no_warning(tell, fine):
    status = tell(**fine)
    assert (status.level, status.message) == (b"\x00", "")
    assert (status.values["policy"], status.values["missing_camera"]) == ("nearest", "")


def test_a_missing_camera_is_a_warning_while_active(tell):
    status = tell(missing=V, skew=5.0)
    assert status.level == b"\x01" and status.values["missing_camera"] == "visible"
    assert status.message == "the visible camera is missing: thermal images are passed through"
    assert tell(missing=V, phase="inactive") is None


def test_images_that_come_later_than_wait_are_unpaired_until_it_is_raised_as_told(rig):
    from rclpy.parameter import Parameter

    rig.start(parameters={"sync.wait": 0.05, "sync.max_gap": 0.01, "diagnostics.period": 0.3})
    period, behind = 40 * MS, 10
    sent = 0

    def send_one():
        """A visible image, and the thermal one of ten frames ago, at 25 Hz at most."""
        nonlocal sent
        rig.send("visible", 10**18 + sent * period)
        if sent >= behind:
            rig.send("thermal", 10**18 + (sent - behind) * period)
        sent += 1
        time.sleep(period * 1e-9)

    def told():
        send_one()
        status = rig.status("pairing")[0]
        return "thermal images come" in status.message and "sync.wait to" in status.message

    rig.wait(told, "diagnostics say what to set", timeout=20.0)
    advice = float(rig.status("pairing")[0].message.split("sync.wait to ")[1].split()[0])
    assert 0.4 <= advice
    assert rig.node.set_parameters([Parameter("sync.wait", value=2 * advice)])[0].successful

    def fused():
        send_one()
        return len(rig.messages["image"]) >= 5

    rig.wait(fused, "pairs are fused", timeout=20.0)
