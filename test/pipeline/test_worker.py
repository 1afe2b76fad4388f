"""The worker's thread."""

from __future__ import annotations

import threading

from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.worker import Worker


def test_items_are_handled_and_errors_do_not_end_the_thread():
    handled, failed, done = [], [], threading.Event()

    def handle(item):
        if item == "bad":
            raise ValueError("bad")
        handled.append(item)
        done.set()

    def on_error(item, error):
        failed.append((item, str(error)))
        done.set()

    mailbox = Mailbox()
    worker = Worker(mailbox, handle, on_error)
    worker.start()
    for item in ("a", "bad", "b"):
        done.clear()
        assert mailbox.put(item) is None
        assert done.wait(5)
    assert worker.stop(5) == (True, None)
    assert handled == ["a", "b"]
    assert failed == [("bad", "bad")]
    assert not worker.alive


def test_stop_finishes_the_item_in_hand_and_returns_the_next():
    begun, go_on, handled = threading.Event(), threading.Event(), []

    def handle(item):
        begun.set()
        assert go_on.wait(5)
        handled.append(item)

    mailbox = Mailbox()
    worker = Worker(mailbox, handle, lambda item, error: None)
    worker.start()
    mailbox.put("in hand")
    assert begun.wait(5)
    mailbox.put("next")
    assert worker.stop(0.01) == (False, "next")
    go_on.set()
    assert worker.stop(5) == (True, None)
    assert handled == ["in hand"]


def test_a_worker_that_was_never_started_can_be_stopped():
    assert Worker(Mailbox(), print, print).stop(1) == (True, None)


def test_an_error_handler_that_raises_does_not_end_the_thread(caplog):
    handled = threading.Event()

    def handle(item):
        if item == "bad":
            raise ValueError("bad")
        handled.set()

    def on_error(item, error):
        failed.set()
        raise RuntimeError("cannot even say so")

    failed, mailbox = threading.Event(), Mailbox()
    worker = Worker(mailbox, handle, on_error)
    worker.start()
    mailbox.put("bad")
    assert failed.wait(5)
    mailbox.put("good")
    assert handled.wait(5), "the thread goes on"
    assert worker.stop(5) == (True, None)
    assert "cannot even say so" in caplog.text


def test_errands_are_done_between_two_items_in_order():
    told, in_hand, go_on = [], threading.Event(), threading.Event()

    def handle(item):
        in_hand.set()
        assert go_on.wait(5)
        told.append(item)

    mailbox = Mailbox()
    worker = Worker(mailbox, handle, print)
    worker.start()
    worker.do_between(lambda: told.append("idle")).result(5)
    mailbox.put("a")
    assert in_hand.wait(5)
    errands = [worker.do_between(lambda n=n: told.append(n)) for n in (1, 2)]
    failing = worker.do_between(lambda: 1 / 0)
    mailbox.put("b")
    assert not errands[0].done()
    go_on.set()
    assert isinstance(failing.exception(5), ZeroDivisionError)
    worker.do_between(lambda: None).result(5)
    assert worker.stop(5) == (True, None)
    assert told[:4] == ["idle", "a", 1, 2]
    assert told[4:] in ([], ["b"])
    assert worker.do_between(print).cancelled()


def test_errands_of_a_worker_that_ends_are_cancelled():
    in_hand, go_on, done = threading.Event(), threading.Event(), []

    def handle(item):
        in_hand.set()
        assert go_on.wait(5)

    mailbox = Mailbox()
    worker = Worker(mailbox, handle, print)
    worker.start()
    mailbox.put("a")
    assert in_hand.wait(5)
    waiting = worker.do_between(lambda: done.append(1))
    assert worker.stop(0.01) == (False, None)
    assert waiting.cancelled() and worker.do_between(print).cancelled()
    go_on.set()
    assert worker.stop(5) == (True, None) and done == []
