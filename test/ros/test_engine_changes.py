"""One change of the engine at a time, each answered once."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from egmt_ros.errors import EgmtError  # noqa: E402
from egmt_ros.ros.engine_changes import Adopted, Base, EngineChanges  # noqa: E402
from egmt_ros.ros.model_slot import Loaded  # noqa: E402


class Calls:
    """In place of the executor: calls in the thread that asks."""

    @staticmethod
    def ask(call):
        return call()


class Rig:
    def __init__(self, fake_engine):
        self.engine = fake_engine()
        self.make = lambda base: Loaded(fake_engine(), None)
        self.in_use = Future()
        self.in_use.set_result(None)
        self.changes = EngineChanges(
            Calls(), lambda: Base(Loaded(self.engine, None), (64, 64), None), self.adopt
        )
        self.answers = []
        self.answered = threading.Event()

    def adopt(self, old, new):
        self.engine = new.engine
        return Adopted(self.in_use, [])

    def begin(self, what):
        def done(engine, warnings):
            self.answers.append(engine)
            self.answered.set()

        def refused(reason):
            self.answers.append(reason)
            self.answered.set()

        self.changes.begin(what, self.make, done, refused)


@pytest.fixture
def changes(fake_engine):
    return Rig(fake_engine)


def test_whoever_has_the_answer_may_ask_again_at_once(changes):
    first, begun = changes.engine, []

    def done(engine, warnings):
        begun.append(engine)
        changes.begin("the second")

    changes.changes.begin("the first", changes.make, done, lambda reason: None)
    assert changes.answered.wait(20)
    assert first.closed and begun[0].closed and changes.answers == [changes.engine]
    assert not changes.engine.closed


def test_an_engine_that_could_not_be_handed_over_is_an_answer(changes):
    changes.in_use = Future()
    changes.in_use.set_exception(RuntimeError("no publisher"))
    changes.begin("the first")
    assert changes.answered.wait(20)
    assert changes.answers == ["RuntimeError: no publisher"]


def test_a_second_change_is_refused_until_the_first_is_answered(changes):
    go_on, make = threading.Event(), changes.make
    changes.make = lambda base: go_on.wait(20) and make(base)
    changes.begin("the first")
    with pytest.raises(EgmtError, match="the first is under way"):
        changes.begin("the second")
    go_on.set()
    assert changes.answered.wait(20)
    assert changes.answers == [changes.engine]
