"""The node when pairs fail: counted, told, deactivated after three, tried again; a stuck worker."""

from __future__ import annotations

import threading
import time

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from rclpy.parameter import Parameter  # noqa: E402

from egmt_ros.ros.recovery import Backoff  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000
OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"


class Stream:
    """Sends pairs one after the other, each once the one before has its outcome."""

    def __init__(self, rig):
        self.rig = rig
        self.sent = 0

    def pair(self):
        """Send one and wait for its outcome; the outcomes of the thermal input."""
        self.sent += 1
        self.rig.send_pair(START + self.sent * 100 * MS)
        self.rig.settled(thermal=self.sent, visible=self.sent)
        return self.rig.account("thermal")

    def pairs(self, count):
        for _ in range(count):
            counts = self.pair()
        return counts


@pytest.fixture
def stream(rig):
    return Stream(rig)


@pytest.fixture
def out_of_memory():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    return torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def failing(engine, error):
    """Have an engine raise this until it is given back its `fuse`."""

    def fuse(*images):
        raise error

    engine.fuse = fuse


def model_says(rig, *words, level=ERROR):
    """Wait until the newest status of the model has this level and these words."""

    def says():
        status, _ = rig.status("model")
        return status.level == level and all(word in status.message for word in words)

    rig.wait(says, f"the model's status is {level} with {words}")
    return rig.status("model")[1]


def told(rig, words, since=0):
    """Wait until a status has these words; the number of messages up to that one."""

    def number():
        for i, message in enumerate(rig.messages["diagnostics"][since:], since + 1):
            if any(words in status.message for status in message.status):
                return i
        return None

    rig.wait(number, f"/diagnostics say {words!r}")
    return number()


def manually(rig, caller):
    """Activate a node that does not start by itself."""
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(rig.connected, "all are connected")


def test_two_failures_are_counted_and_a_good_pair_forgives_them(rig, stream):
    rig.start()
    for _ in range(3):
        rig.engine.fail = True
        stream.pairs(2)
        model_says(rig, "RuntimeError: out of memory")
        rig.engine.fail = False
        stream.pair()
    counts = rig.account("visible")
    assert (counts["rejected"], counts["rejected.inference_failed"], counts["fused"]) == (6, 6, 3)
    assert rig.node.phase == "active"


def test_three_failures_in_a_row_deactivate_the_node(rig, stream, caller):
    rig.start(parameters={"autostart": False}, ready=False)
    manually(rig, caller)
    rig.engine.fail = True
    assert stream.pairs(3)["rejected"] == 3
    rig.wait_phase("inactive")
    values = model_says(rig, "deactivated: 3 pairs failed in a row", "RuntimeError: out of memory")
    assert values["state"] == "inactive" and "trying again" not in rig.status("model")[0].message
    assert rig.node._recovery._alarm._due is None, "it does not start by itself"
    assert stream.pair()["inactive"] == 1
    rig.engine.fail = False
    assert caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert stream.pair()["fused"] == 1
    model_says(rig, "active", level=OK)


def test_with_autostart_it_tries_again_with_growing_delays(rig, stream):
    rig.start()
    rig.node._recovery.backoff = Backoff(0.25, 1.0)
    rig.engine.fail = True
    reason = "RuntimeError: out of memory"
    heard = 0
    for delay in ("0.25 s", "0.5 s", "1 s"):
        stream.pairs(3)
        words = f"3 pairs failed in a row, the last by {reason}; trying again in {delay}"
        heard = told(rig, words, heard)
        rig.wait_phase("active")
        rig.wait(rig.connected, "all are connected again")
    rig.engine.fail = False
    assert stream.pair()["fused"] == 1
    model_says(rig, "active", level=OK)
    rig.engine.fail = True
    stream.pairs(3)
    told(rig, "trying again in 0.25 s", heard)
    rig.wait_phase("active")


def test_a_transition_by_hand_ends_the_attempts(rig, stream, caller):
    rig.start()
    rig.node._recovery.backoff = Backoff(60.0)
    rig.engine.fail = True
    stream.pairs(3)
    model_says(rig, "trying again in 60 s")
    rig.wait(lambda: rig.node._recovery._alarm._due is not None, "the alarm is set")
    assert caller.transition("cleanup")
    assert rig.node._recovery._alarm._due is None
    rig.engine.fail = False
    assert caller.transition("configure") and caller.transition("activate")
    rig.wait(rig.connected, "all are connected")
    assert stream.pair()["fused"] == 1


def test_cuda_out_of_memory_is_named_and_counted(rig, stream, fake_loader, out_of_memory):
    rig.start(fake_loader)
    engine = fake_loader.engines[0]
    fuse = engine.fuse
    failing(engine, out_of_memory)
    assert stream.pair()["rejected.cuda_out_of_memory"] == 1
    model_says(rig, "CUDA out of memory", "20.00 MiB", "model.fallback_to_cpu")
    engine.fuse = fuse
    assert stream.pair()["fused"] == 1
    assert len(fake_loader.asked) == 1, "nothing was loaded"


def test_out_of_cuda_memory_the_cpu_takes_over_until_a_reload(
    rig, stream, caller, fake_loader, out_of_memory
):
    rig.start(
        fake_loader,
        {
            "model.fallback_to_cpu": True,
            "model.device": "cuda:0",
            "model.runtime": "cuda-graphs",
            "model.precision": "float16",
            "model.threads": 2,
        },
    )
    assert caller.set_vocabulary("sky", "car").success
    first, second = fake_loader.engines[0], fake_loader.engines[0].vocabularies[0]
    other = Parameter("model.weights", value="/not/yet/reloaded.safetensors")
    assert rig.node.set_parameters_atomically([other]).successful
    failing(second, out_of_memory)
    assert stream.pair()["rejected.cuda_out_of_memory"] == 1
    values = model_says(
        rig, "on the CPU", "CUDA out of memory", "~/reload_model", level=WARN
    )
    assert (values["device_requested"], values["device"]) == ("cuda:0", "cpu")
    asked = fake_loader.asked[1]
    assert (asked["device"], asked["runtime"], asked["precision"]) == ("cpu", "auto", "float32")
    assert (asked["threads"], asked["weights"]) == (2, None), "the same weights"
    counts = stream.pair()
    assert (counts["fused"], counts["rejected"]) == (1, 1)
    rig.wait(lambda: rig.messages["entities"], "the labels have come")
    assert rig.messages["entities"][-1].vocabulary_hash == "sky-car", "the chosen vocabulary"
    rig.wait(lambda: second.closed, "the engine without memory is closed")
    assert first.closed and rig.node.phase == "active"
    response = caller.reload()
    assert response.success and "cuda:0" in response.message
    assert fake_loader.asked[2]["precision"] == "float16"
    model_says(rig, "active", level=OK)
    assert stream.pair()["fused"] == 2


def test_no_fallback_from_an_engine_on_the_cpu(rig, stream, fake_loader, out_of_memory):
    rig.start(fake_loader, {"model.fallback_to_cpu": True, "model.device": "cpu"})
    failing(fake_loader.engines[0], out_of_memory)
    stream.pairs(3)
    model_says(rig, "deactivated: 3 pairs failed in a row")
    assert len(fake_loader.asked) == 1


def test_a_fallback_that_fails_ends_in_deactivation(
    rig, stream, caller, fake_loader, out_of_memory
):
    rig.start(
        fake_loader, {"model.fallback_to_cpu": True, "autostart": False}, ready=False
    )
    manually(rig, caller)
    failing(fake_loader.engines[0], out_of_memory)
    fake_loader.refusal = RuntimeError("no memory at all")
    stream.pair()
    rig.wait(lambda: rig.node._fallback._failed, "the fallback has failed")
    stream.pairs(3)
    rig.wait_phase("inactive")
    assert len(fake_loader.asked) == 2, "it is tried once an activation"


def test_out_of_cuda_memory_in_configure(rig, stream, caller, out_of_memory, fake_loader):
    fake_loader.refusal = out_of_memory
    rig.start(fake_loader, ready=False)
    rig.wait(lambda: rig.messages["diagnostics"], "diagnostics come")
    model_says(rig, "configuring failed: CUDA out of memory", "model.fallback_to_cpu")
    assert rig.node.phase == "unconfigured"
    parameter = Parameter("model.fallback_to_cpu", value=True)
    assert rig.node.set_parameters_atomically([parameter]).successful

    load = fake_loader.load

    def on_the_cpu(*, device, **arguments):
        fake_loader.refusal = None if device == "cpu" else out_of_memory
        return load(device=device, **arguments)

    rig.node._slot.factory = on_the_cpu
    manually(rig, caller)
    assert stream.pair()["fused"] == 1
    model_says(rig, "on the CPU", level=WARN)


def test_preparing_for_a_new_image_size_is_not_stuck(rig, stream, capfd):
    rig.start(parameters={"diagnostics.stuck_after": 0.3})
    begun, go_on, fuse = threading.Event(), threading.Event(), rig.engine.fuse

    def prepare(*images):
        rig.engine.preparing_until = time.monotonic() + 60.0
        begun.set()
        assert go_on.wait(60)
        rig.engine.preparing_until = time.monotonic()
        return fuse(*images)

    rig.engine.fuse = prepare
    rig.send_pair(START)
    assert begun.wait(8)
    rig.wait(lambda: float(rig.status("model")[1]["busy_s"]) > 1.0, "it is busy for long")
    assert rig.status("model")[0].level == OK
    go_on.set()
    rig.settled(thermal=1, visible=1)
    assert "stuck" not in capfd.readouterr().err


def test_a_stuck_worker_is_an_error_until_it_comes_back(rig, stream, capfd):
    rig.start(parameters={"diagnostics.stuck_after": 0.3})
    begun, go_on, fuse = threading.Event(), threading.Event(), rig.engine.fuse

    def stuck(*images):
        begun.set()
        assert go_on.wait(60)
        return fuse(*images)

    rig.engine.fuse = stuck
    rig.send_pair(START)
    assert begun.wait(8)
    values = model_says(rig, "the worker is stuck", "diagnostics.stuck_after: 0.3")
    assert float(values["busy_s"]) >= 0.3
    rig.send_pair(START + 100 * MS)
    rig.send_pair(START + 200 * MS)
    rig.wait(lambda: rig.account("visible")["superseded"] == 1, "the newest pair waits")
    rig.wait(lambda: rig.node._watchdog._stuck, "the watchdog has noticed")
    go_on.set()
    rig.settled(thermal=3, visible=3)
    assert rig.account("thermal")["fused"] == 2
    values = model_says(rig, "active", level=OK)
    assert float(values["busy_s"]) == 0.0
    rig.wait(lambda: not rig.node._watchdog._stuck, "the watchdog has noticed that as well")
    log = capfd.readouterr().err
    assert log.count("the worker is stuck: busy") == 1
    assert log.count("the worker is not stuck any more") == 1
