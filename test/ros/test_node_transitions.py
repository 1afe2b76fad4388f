"""Every transition from every state, shutdown at any time, memory, and changes between frames."""

from __future__ import annotations

import gc
import os
import threading

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rcl_interfaces.srv import SetParametersAtomically  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from std_srvs.srv import SetBool  # noqa: E402

from egmt_ros.ros.recovery import Backoff  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000
LABELS = ("configure", "activate", "deactivate", "cleanup", "shutdown")


def state_of(caller):
    """As the service get_state names it."""
    return caller.call(GetState, "get_state", GetState.Request()).current_state.label


def ask_transition(caller, label):
    request = ChangeState.Request()
    request.transition.label = label
    return caller.ask(ChangeState, "change_state", request)


def set_atomically(caller, **values):
    """Set parameters by the service; `__` stands for a dot."""
    parameters = [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]
    request = SetParametersAtomically.Request(
        parameters=[parameter.to_parameter_msg() for parameter in parameters]
    )
    return caller.call(
        SetParametersAtomically, "set_parameters_atomically", request
    ).result


# Transitions --------------------------------------------------------------------------------------


def test_each_state_allows_its_transitions_and_no_others(rig, caller):
    rig.start(parameters={"autostart": False}, ready=False)
    path = (
        ("unconfigured", "configure"),
        ("inactive", "activate"),
        ("active", "deactivate"),
        ("inactive", "cleanup"),
        ("unconfigured", "shutdown"),
    )
    allowed = {
        "unconfigured": {"configure", "shutdown"},
        "inactive": {"activate", "cleanup", "shutdown"},
        "active": {"deactivate", "shutdown"},
        "finalized": set(),
    }
    for state, step in (*path, ("finalized", None)):
        for label in LABELS:
            if label not in allowed[state]:
                assert not caller.transition(label), f"{label} while {state}"
                assert state_of(caller) == rig.node.phase == state
        assert step is None or caller.transition(step), f"{step} while {state}"


def unconfigured(rig, caller):
    pass


def inactive(rig, caller):
    assert caller.transition("configure")


def active(rig, caller):
    inactive(rig, caller)
    assert caller.transition("activate")
    rig.wait(rig.connected, "all are connected")


def disabled(rig, caller):
    active(rig, caller)
    assert caller.call(SetBool, "enable", SetBool.Request(data=False)).success


def with_a_frame_that_waits(rig, caller):
    active(rig, caller)
    rig.send("thermal", START)
    rig.wait(lambda: rig.account("thermal")["received"] == 1, "the frame is there")


def with_a_pair_in_hand(rig, caller):
    active(rig, caller)
    rig.engine.delay = 0.3
    rig.send_pair(START)
    rig.wait(lambda: rig.engine.begun == 1, "the pair is being fused")
    rig.send_pair(START + 100 * MS)
    rig.wait(lambda: rig.account("thermal")["received"] == 2, "another one waits")


def after_three_failures(rig, caller):
    active(rig, caller)
    rig.engine.fail = True
    for number in range(3):
        rig.send_pair(START + number * 100 * MS)
        rig.wait(lambda n=number: rig.account("thermal")["rejected"] == n + 1, "it failed")
    rig.wait_phase("inactive")


@pytest.mark.parametrize(
    "reach",
    [
        unconfigured,
        inactive,
        active,
        disabled,
        with_a_frame_that_waits,
        with_a_pair_in_hand,
        after_three_failures,
    ],
)
def test_shutdown_at_any_time(rig, caller, reach):
    rig.start(parameters={"autostart": False}, ready=False)
    reach(rig, caller)
    assert caller.transition("shutdown")
    assert state_of(caller) == rig.node.phase == "finalized"
    assert rig.engine.loads == 0 or rig.engine.closed
    assert not [t for t in threading.enumerate() if t.name in ("egmt_worker", "egmt_change")]
    received = {side: rig.account(side)["received"] for side in ("thermal", "visible")}
    rig.settled(**received)
    refused = caller.reload(), caller.set_vocabulary("car")
    assert not any(answer.success for answer in refused) and "finalized" in refused[0].message
    assert caller.call(SetBool, "enable", SetBool.Request(data=True)).success
    before = len(rig.messages["diagnostics"])
    rig.wait(lambda: len(rig.messages["diagnostics"]) > before + 2, "diagnostics go on")
    assert rig.status("model")[1]["state"] == "finalized"


def test_shutdown_while_it_tries_again(rig, caller):
    rig.start()
    rig.node._recovery.backoff = Backoff(60.0)
    rig.engine.fail = True
    for number in range(3):
        rig.send_pair(START + number * 100 * MS)
        rig.wait(lambda n=number: rig.account("thermal")["rejected"] == n + 1, "it failed")
    rig.wait_phase("inactive")
    rig.wait(lambda: rig.node._recovery._alarm._due is not None, "it is going to try again")
    assert caller.transition("shutdown")
    assert rig.node._recovery._alarm._due is None and rig.engine.closed


def test_shutdown_while_it_configures(rig, caller, fake_loader):
    fake_loader.gate.clear()
    rig.start(fake_loader, {"autostart": False}, ready=False)
    configured = ask_transition(caller, "configure")
    rig.wait(lambda: fake_loader.asked, "weights are being loaded")
    ended = ask_transition(caller, "shutdown")
    fake_loader.gate.set()
    rig.wait(lambda: configured.done() and ended.done(), "both are answered")
    assert configured.result().success and ended.result().success
    assert rig.node.phase == "finalized" and fake_loader.engines[0].closed


def test_damaged_weights_leave_it_unconfigured_until_they_are_mended(
    rig, caller, real, weights_path
):
    whole = weights_path.read_bytes()
    weights_path.write_bytes(whole[: len(whole) // 2])
    loader, parameters = real
    rig.start(loader, {**parameters, "autostart": False}, ready=False)
    for _ in range(2):
        assert not caller.transition("configure")
        assert state_of(caller) == "unconfigured"
        rig.wait(
            lambda: rig.messages["diagnostics"]
            and rig.status("model")[0].level == b"\x02"
            and "small.safetensors" in rig.status("model")[0].message,
            "diagnostics name the file",
        )
    weights_path.write_bytes(whole)
    assert caller.transition("configure") and caller.transition("activate")


# Memory -------------------------------------------------------------------------------------------


@pytest.fixture
def weights_path(tmp_path, save_network):
    rng = np.random.default_rng(1)
    path = tmp_path / "small.safetensors"
    save_network(path, dict(zip(("person", "car"), rng.normal(size=(2, 12)), strict=True)))
    return path


@pytest.fixture
def real(weights_path):
    """Loads a small random network; its parameters."""
    from egmt_ros.ros.node import load_engine

    return type("Loader", (), {"load": staticmethod(load_engine)})(), {
        "model.weights": str(weights_path),
        "model.device": "cpu",
        "model.threads": 1,
        "model.runtime": "torch",
        "model.warm_up_width": 0,
    }


def resident():
    """Memory of this process, MB."""
    gc.collect()
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def networks():
    """Networks that this process holds."""
    from egmt_ros.model.network import EGMT

    return [thing for thing in gc.get_objects() if isinstance(thing, EGMT)]


def test_fifty_rounds_leave_no_memory_behind(rig, caller, real, settled_heap):
    loader, parameters = real
    rig.start(loader, {**parameters, "autostart": False}, ready=False)
    publishers, before = len(list(rig.node.publishers)), len(networks())
    rounds, memory = [], []
    for number in range(1, 51):
        assert caller.transition("configure") and caller.transition("activate")
        if number % 5 == 0:
            rig.wait(rig.connected, "all are connected")
            rig.send_pair(START + number * 1000 * MS)
            rig.wait(lambda n=number: rig.account("visible")["fused"] == n // 5, "it fuses")
            assert caller.reload().success
        assert caller.transition("deactivate") and caller.transition("cleanup")
        for received in rig.messages.values():
            del received[:-1]
        if number % 5 == 0:
            memory.append(resident())
            rounds.append(number)
    slope = np.polyfit(rounds[2:], memory[2:], 1)[0]
    print(f"{slope:.3f} MB a round: {memory}")
    assert slope < 0.5, f"{slope:.3f} MB a round: {memory}"
    assert len(networks()) == before, "as before the first round"
    assert len(list(rig.node.publishers)) == publishers
    assert not [t for t in threading.enumerate() if t.name in ("egmt_worker", "egmt_change")]


# Changes between frames ---------------------------------------------------------------------------


def test_parameters_change_between_two_frames_and_together(rig, caller):
    rig.start(parameters={"thermal.fixed_min": 10.0, "thermal.fixed_max": 200.0})
    begun, go_on, fuse = threading.Event(), threading.Event(), rig.engine.fuse

    def held(*images):
        begun.set()
        assert go_on.wait(30)
        return fuse(*images)

    rig.engine.fuse = held
    rig.send_pair(START)
    assert begun.wait(8)
    assert set_atomically(caller, thermal__fixed_min=50.0, thermal__fixed_max=100.0).successful
    refused = set_atomically(caller, thermal__fixed_min=20.0, thermal__fixed_max=float("inf"))
    assert not refused.successful and "thermal.fixed_max" in refused.reason
    refused = set_atomically(caller, sync__max_gap=0.2, model__device="cpu")
    assert not refused.successful and "cleanup" in refused.reason
    go_on.set()
    rig.settled(thermal=1, visible=1)
    rig.send_pair(START + 100 * MS)
    rig.settled(thermal=2, visible=2)
    assert [(r.low, r.high) for r in rig.engine.ranges] == [(10.0, 200.0), (50.0, 100.0)]
    assert rig.node.get_parameter("sync.max_gap").value == 0.05, "all of a request or nothing"


def test_no_frame_sees_half_a_change(rig, caller):
    rig.start(parameters={"thermal.fixed_min": 10.0, "thermal.fixed_max": 200.0})
    ranges = [(10.0, 200.0), (50.0, 100.0)]
    for number in range(30):
        low, high = ranges[number % 2]
        rig.send_pair(START + number * 100 * MS)
        assert set_atomically(caller, thermal__fixed_min=low, thermal__fixed_max=high).successful
    rig.settled(thermal=30, visible=30)
    assert {(r.low, r.high) for r in rig.engine.ranges} <= set(ranges)
    assert rig.account("visible")["rejected"] == 0 and len(rig.engine.ranges) > 0
