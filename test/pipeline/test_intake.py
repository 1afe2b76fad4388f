"""The callback's part of a frame's way: every frame ends in the account, whatever happens."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.intake import Intake, settle_pair
from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.pairing import NearestPairer, Side

MS = 1_000_000


def wrap(message):
    if message.content == "bad":
        raise InputError("bad image", "bad")
    if message.content == "worse":
        raise ZeroDivisionError("worse")
    return message.content


class Bench:
    def __init__(self, reuse_thermal=False):
        self.account = FrameAccount()
        self.rejects = []
        self.intake = Intake(
            self.account, wrap, lambda side, error: self.rejects.append((side, error.reason))
        )
        self.mailbox = Mailbox()
        self.reuse = reuse_thermal
        self.now = 0

    def pairer(self):
        return NearestPairer(max_gap=20 * MS, wait=50 * MS, reuse_thermal=self.reuse)

    def open(self):
        self.intake.open(self.pairer(), self.mailbox)

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


STEPS = st.one_of(
    st.tuples(
        st.sampled_from(list(Side)),
        st.integers(0, 300),
        st.sampled_from(["good"] * 6 + ["bad", "worse"]),
    ),
    st.sampled_from(["take", "wait", "close", "open", "other rules"]),
)


@given(st.lists(STEPS, max_size=60), st.booleans())
def test_every_frame_is_accounted_for_and_none_stays_in_flight(steps, reuse_thermal):
    bench = Bench(reuse_thermal)
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
            bench.intake.replace_pairer(bench.pairer())
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
