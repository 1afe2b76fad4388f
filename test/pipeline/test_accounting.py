"""FrameAccount: every frame counted once, also from many threads."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.frames import Side


def balanced(row):
    outcomes = sum(row[outcome.value] for outcome in Outcome)
    reasons = sum(count for key, count in row.items() if key.startswith("rejected."))
    return row["received"] == outcomes + row["in_flight"] and reasons == row["rejected"]


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("side", Side)
def test_a_settled_ticket_counts_for_its_side_only(side, outcome):
    account = FrameAccount()
    ticket = account.receive(side)
    assert account.snapshot()[side]["in_flight"] == 1
    assert ticket.settle(outcome)
    rows = account.snapshot()
    assert rows[side]["received"] == rows[side][outcome.value] == 1
    assert rows[side]["in_flight"] == 0
    assert not any(rows[side.other].values())


def test_the_first_settlement_counts_and_later_ones_change_nothing():
    account = FrameAccount()
    ticket = account.receive(Side.VISIBLE)
    assert ticket.settle(Outcome.UNPAIRED)
    before = account.snapshot()
    assert not ticket.settle(Outcome.FUSED)
    assert not ticket.release()
    assert not account.reject(ticket, "late")
    ticket.hold()
    assert not ticket.settle(Outcome.FUSED)
    assert account.snapshot() == before


def test_rejections_are_counted_by_reason():
    account = FrameAccount()
    for reason in ("not_finite", "zero_size", "not_finite"):
        assert account.reject(account.receive(Side.THERMAL), reason)
    account.receive(Side.THERMAL).settle(Outcome.REJECTED)
    row = account.snapshot()[Side.THERMAL]
    assert (row["rejected"], row["rejected.not_finite"], row["rejected.zero_size"]) == (4, 2, 1)
    assert balanced(row)


def test_a_shared_frame_is_in_flight_until_its_last_holder_is_done():
    account = FrameAccount()
    ticket = account.receive(Side.THERMAL)
    ticket.hold()
    ticket.hold()
    ticket.settle(Outcome.FUSED)
    ticket.settle(Outcome.SUPERSEDED)
    assert account.snapshot()[Side.THERMAL]["in_flight"] == 1
    ticket.release()
    row = account.snapshot()[Side.THERMAL]
    assert (row["fused"], row["superseded"], row["in_flight"]) == (1, 0, 0)


def test_other_outcomes_are_counted_by_reason_where_one_is_told():
    account = FrameAccount()
    account.receive(Side.THERMAL).settle(Outcome.UNPAIRED, "late")
    account.receive(Side.THERMAL).settle(Outcome.UNPAIRED)
    row = account.snapshot()[Side.THERMAL]
    assert (row["unpaired"], row["unpaired.late"], row["rejected"]) == (2, 1, 0)


def test_a_reason_that_lost_to_a_better_outcome_is_not_counted():
    account = FrameAccount()
    ticket = account.receive(Side.THERMAL)
    ticket.hold()
    account.reject(ticket, "partner_rejected")
    ticket.settle(Outcome.FUSED)
    row = account.snapshot()[Side.THERMAL]
    assert (row["fused"], row["rejected"]) == (1, 0)
    assert "rejected.partner_rejected" not in row


@given(outcomes=st.lists(st.sampled_from(Outcome), min_size=1), data=st.data())
def test_the_best_outcome_counts_whatever_the_order(outcomes, data):
    account = FrameAccount()
    ticket = account.receive(Side.THERMAL)
    for _ in outcomes:
        ticket.hold()
    releases = data.draw(st.permutations([*outcomes, None]))
    for outcome in releases:
        assert ticket.release() if outcome is None else ticket.settle(outcome)
    row = account.snapshot()[Side.THERMAL]
    best = next(outcome for outcome in Outcome if outcome in outcomes)
    assert (row[best.value], row["in_flight"]) == (1, 0)
    assert balanced(row)


def test_threads_that_settle_the_same_tickets_keep_the_sums():
    account = FrameAccount()
    tickets = [account.receive(side) for side in Side for _ in range(2000)]
    counted, unbalanced, done = [], [], threading.Event()

    def settle(seed):
        rng = random.Random(seed)
        for ticket in rng.sample(tickets, len(tickets)):
            if rng.random() < 0.3:
                counted.append(account.reject(ticket, f"r{seed}"))
            else:
                counted.append(ticket.settle(rng.choice(list(Outcome))))

    def watch():
        while not done.is_set():
            unbalanced.extend(row for row in account.snapshot().values() if not balanced(row))

    watcher = threading.Thread(target=watch)
    settlers = [threading.Thread(target=settle, args=(seed,)) for seed in range(4)]
    for thread in (watcher, *settlers):
        thread.start()
    for thread in settlers:
        thread.join()
    done.set()
    watcher.join()
    assert not unbalanced
    assert sum(counted) == len(tickets)
    for row in account.snapshot().values():
        assert (row["received"], row["in_flight"]) == (2000, 0)
        assert balanced(row)
