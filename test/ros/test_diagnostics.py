"""What the node says on /diagnostics, made without a node; `test_node_life.py` hears it."""

from __future__ import annotations

import pytest

pytest.importorskip("diagnostic_msgs.msg", reason="ROS 2 is not installed")

from builtin_interfaces.msg import Time

from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.pairing import Side
from egmt_ros.ros.diagnostics import (
    ERROR,
    OK,
    WARN,
    DiagnosticsBuilder,
    InputState,
    NodeState,
    Status,
)

SECOND = 1_000_000_000


class Desk:
    """A builder with everything that it asks, and a steady clock to turn."""

    def __init__(self):
        self.now = 100 * SECOND
        self.account = FrameAccount()
        self.state = NodeState(phase="active")
        self.inputs = {
            side: InputState(f"/{side}", lambda: 1, lambda: 1) for side in ("thermal", "visible")
        }
        self.builder = DiagnosticsBuilder(
            "/fusion",
            self.state,
            self.inputs,
            lambda: {side.value: row for side, row in self.account.snapshot().items()},
            now=lambda: self.now,
        )

    def receive(self, side, count, seconds):
        """So many images in so many seconds, all fused."""
        for _ in range(count):
            self.now += round(seconds * SECOND / count)
            self.account.receive(Side(side)).settle(Outcome.FUSED)
            self.inputs[side].last_arrival = self.now

    def report(self, clock=0):
        """Name of a status -> (status, its values)."""
        message = self.builder.build(Time(sec=clock))
        return {
            status.name.removeprefix("egmt_fusion: "): (
                status,
                {item.key: item.value for item in status.values},
            )
            for status in message.status
        }


@pytest.fixture
def desk():
    return Desk()


def test_a_source_has_a_status_of_its_own_until_it_is_forgotten(desk):
    forget = desk.builder.add("mount", lambda report: Status(WARN, "moved", {"px": 1.25}))
    status, values = desk.report()["mount"]
    assert (status.level, status.message, values) == (WARN, "moved", {"px": "1.250"})
    assert status.hardware_id == "/fusion"
    forget()
    forget()
    assert "mount" not in desk.report()


def test_a_source_adds_to_a_status_that_is_there(desk):
    before, values = desk.report()["model"]
    desk.builder.add("model", lambda report: Status(values={"stuck": False}))
    after, more = desk.report()["model"]
    assert (after.level, after.message) == (before.level, before.message) == (OK, "active")
    assert more == values | {"stuck": "false"}


def test_the_worst_of_several_sources_is_told(desk):
    for status in (Status(WARN, "slow"), Status(ERROR, "lost"), Status(ERROR, "gone"), None):
        desk.builder.add("model", lambda report, status=status: status)
    status, _ = desk.report()["model"]
    assert (status.level, status.message) == (ERROR, "lost; gone")


def test_a_source_that_fails_does_not_silence_the_others(desk):
    def fail(report):
        raise RuntimeError("no sensor")

    desk.builder.add("mount", fail)
    report = desk.report()
    assert report["mount"][0].level == ERROR and "no sensor" in report["mount"][0].message
    assert report["model"][0].message == "active"


def test_a_source_is_told_the_moment(desk):
    seen = []
    desk.builder.add("mount", seen.append)
    desk.report()
    desk.receive("visible", 15, seconds=0.5)
    desk.report(clock=7)
    first, second = seen
    assert first.elapsed == 0 and first.rate("visible.received") == 0
    assert second.clock == 7 * SECOND and second.now == desk.now
    assert second.elapsed == pytest.approx(0.5)
    assert second.rate("visible.received") == pytest.approx(30)
    assert second.counts["visible"]["fused"] == second.fresh["visible.fused"] == 15
    assert first.configured_since == second.configured_since is not None
    desk.state.phase = "unconfigured"
    desk.report()
    assert seen[-1].configured_since is None
