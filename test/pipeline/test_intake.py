"""The callback's part of a frame's way: every frame ends in the account, whatever happens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.intake import Intake, settle_pair
from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.missing_camera import CameraWatch, Single
from egmt_ros.pipeline.pairing import NearestPairer

MS = 1_000_000


def wrap(message):
    if message.content == "bad":
        raise InputError("bad image", "bad")
    if message.content == "worse":
        raise ZeroDivisionError("worse")
    return message.content


class Bench:
    def __init__(self, reuse_thermal=False, missing_timeout=None, reference=Side.VISIBLE):
        self.account = FrameAccount()
        self.rejects = []
        self.intake = Intake(
            self.account, wrap, lambda side, error: self.rejects.append((side, error.reason))
        )
        self.mailbox = Mailbox()
        self.reuse = reuse_thermal
        self.timeout = missing_timeout
        self.reference = reference
        self.offset = 0
        self.now = 0

    def pairer(self):
        return NearestPairer(
            max_gap=20 * MS, wait=50 * MS, reuse_thermal=self.reuse, thermal_offset=self.offset
        )

    def watch(self):
        return None if self.timeout is None else CameraWatch(self.timeout, self.now)

    def open(self):
        self.intake.open(
            self.pairer(), self.mailbox, reference=self.reference, watch=self.watch()
        )

    def take(self):
        """The mode and the stamp that an output of what is in the mailbox has; None: empty."""
        item = self.mailbox.get(0)
        if isinstance(item, Single):
            settle_pair(item, Outcome.PASSTHROUGH)
            return f"{item.frame.side.value}_only", item.frame.stamp
        if isinstance(item, Pair):
            settle_pair(item, Outcome.FUSED)
            reference = item.visible if self.reference is Side.VISIBLE else item.thermal
            return "fused", reference.stamp
        return None

    def receive(self, side, stamp, content="good"):
        self.now += MS
        message = SimpleNamespace(content=content, header=f"header {stamp}")
        self.intake.receive(side, stamp, message, self.now)

    def counts(self, side):
        return {k: n for k, n in self.account.snapshot()[side].items() if n}


def test_closed_at_first_frames_are_inactive():
    bench = Bench()
    bench.receive(Side.THERMAL, 0)
    assert bench.counts(Side.THERMAL) == {"received": 1, "inactive": 1}


def test_a_pair_is_in_flight_until_it_is_settled():
    bench = Bench()
    bench.open()
    bench.receive(Side.THERMAL, 5)
    bench.receive(Side.VISIBLE, 5)
    pair = bench.mailbox.get(0)
    assert (pair.thermal.payload.view, pair.visible.payload.header) == ("good", "header 5")
    assert bench.counts(Side.VISIBLE) == {"received": 1, "in_flight": 1}
    settle_pair(pair, Outcome.FUSED)
    assert bench.counts(Side.THERMAL) == bench.counts(Side.VISIBLE) == {"received": 1, "fused": 1}


def test_a_displaced_pair_is_superseded():
    bench = Bench()
    bench.open()
    for stamp in (0, 40 * MS):
        bench.receive(Side.THERMAL, stamp)
        bench.receive(Side.VISIBLE, stamp)
    assert bench.counts(Side.THERMAL) == {"received": 2, "superseded": 1, "in_flight": 1}


def test_bad_frames_are_rejected_by_reason():
    bench = Bench()
    bench.open()
    bench.receive(Side.THERMAL, 0, "bad")
    bench.receive(Side.VISIBLE, 0, "worse")
    assert bench.rejects == [(Side.THERMAL, "bad"), (Side.VISIBLE, "unreadable")]
    assert bench.counts(Side.VISIBLE)["rejected.unreadable"] == 1


@pytest.mark.parametrize("outcome", [Outcome.INACTIVE, Outcome.DISABLED])
def test_closing_settles_what_waits_and_what_follows(outcome):
    bench = Bench()
    bench.open()
    bench.receive(Side.VISIBLE, 0)
    bench.intake.close(outcome)
    bench.receive(Side.VISIBLE, 40 * MS)
    assert bench.counts(Side.VISIBLE) == {"received": 2, outcome.value: 2}
    assert bench.intake.deadline() is None


def test_other_rules_leave_what_waits_unpaired():
    bench = Bench()
    bench.open()
    bench.receive(Side.VISIBLE, 0)
    bench.intake.replace_pairer(bench.pairer())
    bench.receive(Side.THERMAL, 0)
    assert bench.counts(Side.VISIBLE) == {"received": 1, "unpaired": 1, "unpaired.flushed": 1}
    assert bench.counts(Side.THERMAL) == {"received": 1, "in_flight": 1}


def test_what_waits_too_long_is_released_at_its_deadline():
    bench = Bench()
    bench.open()
    bench.receive(Side.VISIBLE, 0)
    bench.intake.poll(bench.intake.deadline())
    assert bench.counts(Side.VISIBLE) == {"received": 1, "unpaired": 1, "unpaired.timeout": 1}


# One camera missing ---------------------------------------------------------------------------


def test_a_missing_camera_s_partner_is_passed_through_until_it_is_back():
    bench = Bench(missing_timeout=100 * MS)
    bench.open()
    outputs, missing = [], []
    for i in range(40):
        bench.now += 33 * MS
        bench.receive(Side.VISIBLE, i * 33 * MS)
        if not 5 <= i < 30:
            bench.receive(Side.THERMAL, i * 33 * MS)
        outputs.append(bench.take())
        missing.append(bench.intake.missing)
    modes = [output and output[0] for output in outputs]
    # The frame of the return had gone on before its thermal partner came.
    assert modes == ["fused"] * 5 + [None] * 2 + ["visible_only"] * 24 + ["fused"] * 9
    assert missing == [None] * 7 + [Side.THERMAL] * 23 + [None] * 10
    stamps = [output[1] for output in outputs if output]
    assert stamps == sorted(set(stamps))
    bench.intake.close(Outcome.INACTIVE)
    # Those of before the timeout: one given up, one superseded by the first that went on.
    assert bench.counts(Side.VISIBLE) == {
        "received": 40, "fused": 14, "passthrough": 24, "superseded": 1,
        "unpaired": 1, "unpaired.timeout": 1,
    }
    assert bench.counts(Side.THERMAL) == {
        "received": 15, "fused": 14, "unpaired": 1, "unpaired.unpaired": 1,
    }


def test_a_waiting_frame_is_passed_through_when_the_timeout_ends_although_no_other_comes():
    bench = Bench(missing_timeout=30 * MS)
    bench.open()
    bench.now = 20 * MS
    bench.receive(Side.VISIBLE, 7)
    assert bench.intake.deadline() == 30 * MS, "before sync.wait"
    bench.intake.poll(30 * MS)
    assert bench.take() == ("visible_only", 7)
    assert bench.intake.deadline() is None
    assert bench.counts(Side.VISIBLE) == {"received": 1, "passthrough": 1}


def test_a_camera_whose_images_cannot_be_read_is_missing():
    bench = Bench(missing_timeout=30 * MS)
    bench.open()
    for i in range(3):
        bench.now += 20 * MS
        bench.receive(Side.THERMAL, i * 20 * MS, "bad")
        bench.receive(Side.VISIBLE, i * 20 * MS)
    assert bench.intake.missing is Side.THERMAL
    assert bench.take() == ("visible_only", 40 * MS)


def test_the_stamp_never_goes_back_when_the_other_camera_s_stamps_are_behind():
    """The thermal camera's stamps are 100 ms early, as its offset says."""
    bench = Bench(missing_timeout=30 * MS)
    bench.offset = offset = 100 * MS
    bench.open()
    outputs = []
    for i in range(12):
        bench.now += 33 * MS
        if i < 4:
            bench.receive(Side.VISIBLE, i * 33 * MS)
        bench.receive(Side.THERMAL, i * 33 * MS - offset)
        outputs.append(bench.take())
    outputs = [output for output in outputs if output]
    assert outputs[3:5] == [("fused", 99 * MS), ("thermal_only", 7 * 33 * MS - offset)]
    assert [stamp for _, stamp in outputs] == sorted(stamp for _, stamp in outputs)


@pytest.mark.parametrize("offset", [-3600_000 * MS, 3600_000 * MS])
def test_clocks_an_hour_apart_stop_nothing_when_a_camera_goes_and_returns(offset):
    bench = Bench(missing_timeout=30 * MS)
    bench.offset = offset
    bench.open()
    outputs = []
    for i in range(30):
        bench.now += 33 * MS
        if not 10 <= i < 20:
            bench.receive(Side.VISIBLE, i * 33 * MS)
        bench.receive(Side.THERMAL, i * 33 * MS - offset)
        outputs.append(bench.take())
    modes = [output and output[0] for output in outputs]
    assert modes[:10] == ["fused"] * 10 and modes[-8:] == ["fused"] * 8
    assert modes[12:20] == ["thermal_only"] * 8
    assert bench.intake.resets == 0


def test_passing_through_survives_a_loop_of_the_bag():
    bench = Bench(missing_timeout=30 * MS)
    bench.open()
    outputs = []
    for i in range(60):
        bench.now += 33 * MS
        bench.receive(Side.VISIBLE, (i % 20) * 100 * MS)
        outputs.append(bench.take())
    assert len([output for output in outputs if output]) >= 58
    assert bench.intake.resets == 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["both", "both", "thermal", "visible", "none"]),
                  st.integers(1, 20), st.integers(0, 15), st.integers(0, 40)),
        min_size=1, max_size=8,
    ),
    st.sampled_from(Side),
    st.booleans(),
    st.sampled_from([0, 0, -100, 100, 400]),
)
def test_cameras_that_come_and_go_never_mix_modes_out_of_order(phases, reference, reuse, early):
    """Phases of 1 to 20 frames, with a gap between the stamps and a delay of the arrivals, ms.

    Thermal stamps are `early` ms behind, as their offset says.
    """
    bench = Bench(reuse, missing_timeout=90 * MS, reference=reference)
    bench.offset = early * MS
    bench.open()
    events, start = [], 0
    for living, frames, gap, skew in phases:
        for i in range(frames):
            stamp = (start + i) * 33 * MS
            if living in ("both", "visible"):
                events.append((stamp, Side.VISIBLE, stamp))
            if living in ("both", "thermal"):
                events.append((stamp + skew * MS, Side.THERMAL, stamp + (gap - early) * MS))
        start += frames
    outputs, sent = [], {side: 0 for side in Side}
    for arrival, side, stamp in sorted(events, key=lambda event: (event[0], event[2])):
        while (due := bench.intake.deadline()) is not None and due <= arrival:
            bench.intake.poll(due)
            outputs.append(bench.take())
        bench.now = max(bench.now, arrival)
        bench.receive(side, stamp)
        sent[side] += 1
        outputs.append(bench.take())
    stamps = [output[1] for output in outputs if output]
    assert bench.intake.resets or stamps == sorted(stamps)
    bench.intake.close(Outcome.INACTIVE)
    assert bench.take() is None
    for side in Side:
        counts = bench.account.snapshot()[side]
        assert (counts["received"], counts["in_flight"]) == (sent[side], 0)
        modes = [mode for mode, _ in filter(None, outputs)]
        assert counts["passthrough"] == modes.count(f"{side.value}_only")
        if not reuse:
            assert counts["fused"] == modes.count("fused")


STEPS = st.one_of(
    st.tuples(
        st.sampled_from(list(Side)),
        st.integers(0, 300),
        st.sampled_from(["good"] * 6 + ["bad", "worse"]),
    ),
    st.sampled_from(["take", "wait", "close", "open", "other rules"]),
)


@given(st.lists(STEPS, max_size=60), st.booleans(), st.sampled_from([None, 5 * MS, 70 * MS]))
def test_every_frame_is_accounted_for_and_none_stays_in_flight(steps, reuse_thermal, timeout):
    bench = Bench(reuse_thermal, timeout)
    bench.open()
    sent = {side: 0 for side in Side}
    for step in steps:
        if isinstance(step, tuple):
            side, stamp, content = step
            bench.receive(side, stamp * MS, content)
            sent[side] += 1
        elif step == "take":
            pair = bench.mailbox.get(0)
            if pair is not None:
                settle_pair(pair, Outcome.FUSED)
        elif step == "wait":
            bench.now += 60 * MS
            bench.intake.poll(bench.now)
        elif step == "close":
            bench.intake.close(Outcome.INACTIVE)
        elif step == "other rules":
            bench.intake.replace_pairer(bench.pairer(), bench.watch())
        elif not bench.intake.is_open:
            bench.open()
        for side, counts in bench.account.snapshot().items():
            assert counts["received"] == sent[side]
            assert counts["in_flight"] >= 0
    bench.intake.close(Outcome.INACTIVE)
    leftover = bench.mailbox.close()
    if leftover is not None:
        settle_pair(leftover, Outcome.INACTIVE)
    for side, counts in bench.account.snapshot().items():
        assert counts["in_flight"] == 0
        assert counts["received"] == sent[side]
