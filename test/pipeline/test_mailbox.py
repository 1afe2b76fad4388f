"""Mailbox: the newest wins, nothing is lost, closing wakes everybody."""

from __future__ import annotations

import threading
import time

import pytest

from egmt_ros.pipeline.mailbox import Mailbox

SOON = 10.0  # s; only reached when something is broken


def test_the_newest_displaces_the_older():
    mailbox = Mailbox()
    assert [mailbox.put(item) for item in "abc"] == [None, "a", "b"]
    assert mailbox.get(0) == "c"
    assert mailbox.get(0) is None


def test_falsy_items_are_items_and_none_is_refused():
    mailbox = Mailbox()
    mailbox.put(0)
    assert mailbox.put("") == 0
    assert mailbox.get() == ""
    with pytest.raises(ValueError, match="None"):
        mailbox.put(None)


def test_get_waits_for_an_item():
    mailbox, got = Mailbox(), []
    getter = threading.Thread(target=lambda: got.append(mailbox.get(SOON)))
    getter.start()
    mailbox.put("item")
    getter.join(SOON)
    assert got == ["item"]


def test_get_gives_up_after_its_timeout():
    start = time.monotonic()
    assert Mailbox().get(0.05) is None
    assert time.monotonic() - start >= 0.05


def test_close_hands_back_what_was_left_and_takes_nothing_more():
    mailbox = Mailbox()
    mailbox.put("left")
    assert not mailbox.closed
    assert mailbox.close() == "left"
    assert mailbox.closed
    assert mailbox.put("late") == "late"
    assert mailbox.get() is None
    assert mailbox.close() is None


def test_close_wakes_all_getters():
    mailbox, got = Mailbox(), []
    getters = [threading.Thread(target=lambda: got.append(mailbox.get(None))) for _ in range(3)]
    for getter in getters:
        getter.start()
    mailbox.close()
    for getter in getters:
        getter.join(SOON)
    assert got == [None] * 3


def test_every_item_comes_out_exactly_once_between_threads():
    mailbox, out = Mailbox(), [[], []]

    def put(first):
        for item in range(first, first + 3000):
            displaced = mailbox.put(item)
            if displaced is not None:
                out[0].append(displaced)

    def get():
        while (item := mailbox.get(None)) is not None:
            out[1].append(item)

    getter = threading.Thread(target=get)
    putters = [threading.Thread(target=put, args=(first,)) for first in (0, 10_000)]
    for thread in (getter, *putters):
        thread.start()
    for thread in putters:
        thread.join(SOON)
    left = mailbox.close()
    getter.join(SOON)
    everything = out[0] + out[1] + ([] if left is None else [left])
    assert sorted(everything) == [*range(3000), *range(10_000, 13_000)]
