"""The node's life: states, services, parameters at run time, diagnostics, clocks."""

from __future__ import annotations

import sys
import threading
import time

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000
SUCCESS = TransitionCallbackReturn.SUCCESS


def call(rig, kind, name, request, timeout=8.0):
    client = rig.tester.create_client(kind, f"{rig.base}/{name}")
    rig.wait(client.service_is_ready, f"service {name} is there")
    future = client.call_async(request)
    rig.wait(future.done, f"service {name} answers", timeout)
    return future.result()


def transition(rig, label):
    from lifecycle_msgs.srv import ChangeState

    request = ChangeState.Request()
    request.transition.label = label
    return call(rig, ChangeState, "change_state", request).success


def test_three_rounds_of_the_life_cycle(rig):
    rig.start(parameters={"autostart": False}, ready=False)
    fused = 0
    for round_ in range(3):
        assert transition(rig, "configure") and rig.node.phase == "inactive"
        rig.wait(
            lambda: all(c.get_subscription_count() == 1 for c in rig.cameras.values()),
            "the node is subscribed",
        )
        rig.send_pair(START + round_ * 1000 * MS)
        rig.wait(
            lambda n=round_ + 1: rig.account("visible")["inactive"] == n
            and rig.account("thermal")["inactive"] == n,
            "frames are counted as inactive",
        )
        assert transition(rig, "activate") and rig.node.phase == "active"
        rig.wait(rig.connected, "all are connected")
        for i in range(2):
            rig.send_pair(START + round_ * 1000 * MS + (i + 1) * 100 * MS)
            fused += 1
            rig.wait(lambda n=fused: len(rig.messages["image"]) == n, f"{fused} images")
        assert transition(rig, "deactivate") and rig.node.phase == "inactive"
        assert transition(rig, "cleanup") and rig.node.phase == "unconfigured"
        assert rig.engine.closed
        assert rig.engine.loads == round_ + 1
    rig.settled(thermal=9, visible=9)
    assert rig.account("visible")["fused"] == 6
    rig.wait(lambda: rig.reported("thermal")["fused"] == 6, "diagnostics go on")
    assert len(rig.messages["vocabulary"]) == 3


def test_a_transition_that_the_state_does_not_allow_is_refused(rig):
    rig.start()
    assert not transition(rig, "configure")
    assert not transition(rig, "activate")
    assert not transition(rig, "cleanup")
    assert rig.node.phase == "active"
    rig.send_pair(START)
    rig.wait(lambda: rig.messages["image"], "the node goes on fusing")


def test_bad_weights_leave_the_node_unconfigured_and_it_says_why(rig, fake_engine):
    from egmt_ros.errors import CheckpointError

    engine = fake_engine()

    def damaged(**kwargs):
        raise CheckpointError("weights /x/model.safetensors are damaged: fetch them again")

    load, engine.load = engine.load, damaged
    rig.start(engine, ready=False)
    rig.wait(
        lambda: rig.messages["diagnostics"] and rig.status("model")[0].level == b"\x02",
        "diagnostics report an error",
    )
    status, values = rig.status("model")
    assert "weights /x/model.safetensors are damaged" in status.message
    assert values["state"] == "unconfigured"
    assert not transition(rig, "configure")
    rig.node._slot.factory = load
    assert transition(rig, "configure") and transition(rig, "activate")
    rig.wait(rig.connected, "all are connected")
    rig.send_pair(START)
    rig.wait(lambda: rig.messages["image"], "the node fuses")


def test_a_cuda_device_that_is_missing_is_an_error(rig):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    from egmt_ros.ros.node import load_engine

    engine = type("Engine", (), {"load": staticmethod(load_engine)})
    rig.start(engine, {"model.device": "cuda:3"}, ready=False)
    rig.wait(
        lambda: rig.messages["diagnostics"]
        and "cuda:3" in rig.status("model")[0].message
        and rig.status("model")[0].level == b"\x02",
        "diagnostics name the device",
        timeout=20,
    )
    assert rig.node.phase == "unconfigured"


def test_configure_hands_the_model_parameters_to_the_engine(rig):
    rig.start(
        parameters={
            "model.weights": "/w.safetensors",
            "model.device": "cpu",
            "model.threads": 2,
            "model.runtime": "torch",
            "model.precision": "bfloat16",
            "model.warm_up_width": 96,
            "model.warm_up_height": 64,
        }
    )
    assert rig.engine.loaded_with == ("/w.safetensors", "cpu", 2)
    assert rig.engine.executed_with == ("torch", "bfloat16")
    assert rig.engine.warmed_up == (96, 64)
    _, values = rig.status("model")
    assert values["device"] == "cpu" and values["model_id"] == rig.engine.model_id
    assert values["runtime"] == "fake"


def test_diagnostics_go_on_while_the_model_loads(rig, fake_engine):
    engine = fake_engine()
    load = engine.load

    def slowly(**kwargs):
        time.sleep(1.0)
        return load(**kwargs)

    engine.load = slowly
    rig.start(engine)
    phases = [
        {item.key: item.value for item in message.status[3].values}["state"]
        for message in rig.messages["diagnostics"]
    ]
    assert phases.count("configuring") >= 3
    names = [status.name for status in rig.messages["diagnostics"][-1].status]
    expected = (
        "thermal input", "visible input", "pairing", "model", "process", "outputs", "registration",
    )  # fmt: skip
    assert {f"egmt_fusion: {name}" for name in expected} <= set(names)
    assert {s.hardware_id for s in rig.messages["diagnostics"][-1].status} == {"/egmt_fusion"}


def test_sim_time_without_a_clock_still_starts_reports_and_fuses(rig):
    rig.start(parameters={"use_sim_time": True})
    before = len(rig.messages["diagnostics"])
    rig.send_pair(START, gap=2 * MS)
    rig.wait(lambda: rig.messages["image"], "the pair is released and fused")
    rig.wait(lambda: len(rig.messages["diagnostics"]) > before + 2, "diagnostics go on")
    stamp = rig.messages["diagnostics"][-1].header.stamp
    assert (stamp.sec, stamp.nanosec) == (0, 0)


def test_enable_service(rig):
    from std_srvs.srv import SetBool

    rig.start()
    assert call(rig, SetBool, "enable", SetBool.Request(data=False)).success
    rig.send_pair(START)
    rig.settled(thermal=1, visible=1)
    assert rig.account("visible")["disabled"] == rig.account("thermal")["disabled"] == 1
    assert call(rig, SetBool, "enable", SetBool.Request(data=True)).success
    rig.send_pair(START + 100 * MS)
    rig.wait(lambda: rig.messages["image"], "the node fuses again")
    rig.settled(thermal=2, visible=2)


def test_switched_off_before_it_is_activated(rig):
    from std_srvs.srv import SetBool

    rig.start()
    for enabled in (False, False):
        assert call(rig, SetBool, "enable", SetBool.Request(data=enabled)).success
    assert transition(rig, "deactivate") and transition(rig, "activate")
    rig.send_pair(START)
    rig.settled(thermal=1, visible=1)
    assert rig.account("visible")["disabled"] == rig.account("thermal")["disabled"] == 1
    for enabled in (True, True):
        assert call(rig, SetBool, "enable", SetBool.Request(data=enabled)).success
    rig.send_pair(START + 100 * MS)
    rig.wait(lambda: rig.messages["image"], "the node fuses")
    rig.settled(thermal=2, visible=2)


def test_deactivating_brings_every_frame_to_an_outcome(rig, fake_engine):
    engine = fake_engine(delay=0.3)
    rig.start(engine)
    rig.send_pair(START)
    rig.wait(lambda: engine.begun == 1, "the first pair is being fused")
    for i in range(1, 3):
        rig.send_pair(START + i * 40 * MS)
    rig.send("thermal", START + 3 * 40 * MS)
    rig.wait(lambda: rig.account("thermal")["received"] == 4, "frames are received")
    rig.wait(lambda: rig.account("visible")["received"] == 3, "frames are received")
    assert rig.node.trigger_deactivate() == SUCCESS
    rig.settled(thermal=4, visible=3)
    assert rig.account("visible")["fused"] >= 1
    rig.wait(
        lambda: len(rig.messages["image"]) == rig.account("visible")["fused"],
        "what is counted as fused was published",
    )


def test_a_start_value_that_is_refused_stops_the_node_from_being_made(ros_context, fake_engine):
    from egmt_ros.errors import ConfigError
    from egmt_ros.ros.node import FusionNode

    overrides = [
        Parameter("sync.max_gap", value=-1.0),
        Parameter("sync.policy", value="latest"),
        Parameter("output.depth", value="five"),
    ]
    with pytest.raises(ConfigError) as refusal:
        FusionNode(
            engine_factory=fake_engine().load, context=ros_context, parameter_overrides=overrides
        )
    for word in ("sync.max_gap", "-1.0", "sync.policy", "output.depth", "'five'"):
        assert word in str(refusal.value)


def test_changes_are_checked_then_applied_or_refused(rig):
    rig.start()

    def change(**values):
        parameters = [Parameter(k.replace("__", "."), value=v) for k, v in values.items()]
        return rig.node.set_parameters_atomically(parameters)

    refused = change(sync__max_gap=0.2, entities__threshold=3.0)
    assert not refused.successful and "entities.threshold" in refused.reason
    assert rig.node.get_parameter("sync.max_gap").value == 0.05
    refused = change(model__device="cpu")
    assert not refused.successful and "cleanup" in refused.reason
    assert not change(autostart=False).successful
    assert not change(sync__policy="latest").successful
    refused = change(thermal__fixed_min=1.0)
    assert not refused.successful and "thermal.fixed_max" in refused.reason
    assert not rig.node.set_parameters([Parameter("sync.wait", Parameter.Type.NOT_SET)])[
        0
    ].successful
    assert change(sync__max_gap=1).successful, "an integer for a double"
    rig.send("thermal", START + 800 * MS)
    rig.send("visible", START)
    rig.wait(lambda: rig.messages["image"], "the new gap is in force")


def test_qos_is_what_the_contract_says(rig):
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    rig.start(parameters={"input.thermal.qos": "reliable", "output.depth": 2}, ready=False)
    rig.wait_phase("active")
    best_effort, reliable = ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE

    topics = ("input/thermal/image", "input/visible/image")
    outputs = ("output/image", "output/entities", "output/vocabulary")
    rig.wait(
        lambda: all(rig.tester.count_subscribers(f"{rig.base}/{topic}") for topic in topics)
        and all(rig.tester.count_publishers(f"{rig.base}/{topic}") for topic in outputs),
        "all topics are discovered",
    )

    def subscribed(topic):
        (info,) = rig.tester.get_subscriptions_info_by_topic(f"{rig.base}/{topic}")
        return info.qos_profile

    def published(topic):
        (info,) = rig.tester.get_publishers_info_by_topic(f"{rig.base}/{topic}")
        return info.qos_profile

    assert subscribed("input/visible/image").reliability == best_effort
    assert subscribed("input/thermal/image").reliability == reliable
    for topic in outputs:
        assert published(topic).reliability == reliable, topic
    assert published("output/vocabulary").durability == DurabilityPolicy.TRANSIENT_LOCAL
    assert published("output/entities").durability == DurabilityPolicy.VOLATILE


def test_inputs_that_are_silent_are_a_warning_that_names_the_topic(rig, monkeypatch):
    from egmt_ros.ros.diagnostics import inputs

    monkeypatch.setattr(inputs, "SILENCE", 0.2)
    rig.start()
    rig.wait(lambda: rig.status("thermal input")[0].level == b"\x01", "it is a warning")
    assert "/egmt_fusion/input/thermal/image" in rig.status("thermal input")[0].message


def test_a_camera_with_another_qos_is_a_warning_that_names_the_parameter(rig, monkeypatch):
    from egmt_ros.ros.diagnostics import inputs

    monkeypatch.setattr(inputs, "SILENCE", 0.2)
    rig.start(parameters={"input.visible.qos": "reliable"}, ready=False)
    rig.wait_phase("active")
    rig.wait(
        lambda: rig.messages["diagnostics"]
        and "input.visible.qos" in rig.status("visible input")[0].message,
        "the warning names the parameter",
    )
    _, values = rig.status("visible input")
    assert (values["publishers"], values["matched"]) == ("1", "0")


def test_cameras_whose_stamps_never_meet_are_a_warning(rig):
    rig.start(parameters={"diagnostics.period": 0.5, "sync.wait": 0.1})
    for i in range(4):
        rig.send("thermal", START + i * 100 * MS)
        rig.send("visible", START + i * 100 * MS + 9000 * MS)
    rig.wait(
        lambda: any(
            status.level == b"\x01" and "sync.max_gap" in status.message
            for message in rig.messages["diagnostics"]
            for status in message.status
            if status.name.endswith("pairing")
        ),
        "the pairing warns",
    )


def test_descriptors_tell_range_choices_and_meaning(rig):
    rig.start(ready=False, parameters={"autostart": False})
    gap = rig.node.describe_parameter("sync.max_gap")
    (limits,) = gap.floating_point_range
    assert (limits.from_value, limits.to_value) == (0.0, 10.0)
    assert "seconds" in gap.description
    depth = rig.node.describe_parameter("output.depth")
    assert depth.integer_range[0].to_value == 1000
    assert rig.node.describe_parameter("registration.mode").additional_constraints == (
        "none, scale, homography, camera_info"
    )
    assert rig.node.describe_parameter("autostart").read_only
    assert rig.node.get_parameter("output.depth").value == 0


def test_a_start_value_of_no_parameter_is_told_with_what_was_meant(rig, capfd):
    rig.start(ready=False, parameters={"sync.maxgap": 0.1, "autostart": False})
    rig.wait(lambda: "did you mean sync.max_gap" in capfd.readouterr().err, "the log says so")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_died_is_an_error_and_activating_mends_it(rig, monkeypatch):
    rig.start()
    fuse = rig.engine.fuse
    monkeypatch.setattr(rig.engine, "fuse", lambda *images: sys.exit())  # no Exception
    rig.send_pair(START)
    rig.wait(
        lambda: rig.status("model")[0].level == b"\x02"
        and "worker's thread has ended" in rig.status("model")[0].message,
        "diagnostics report it",
    )
    monkeypatch.setattr(rig.engine, "fuse", fuse)
    assert transition(rig, "deactivate") and transition(rig, "activate")
    rig.wait(rig.connected, "all are connected")
    rig.send_pair(START + 100 * MS)
    rig.wait(lambda: rig.messages["image"], "the node fuses")
    rig.wait(lambda: rig.status("model")[0].level == b"\x00", "the model is well again")


def test_a_pair_that_ends_after_deactivating_is_not_published(rig, monkeypatch):
    from egmt_ros.ros import fusing

    monkeypatch.setattr(fusing, "WORKER_TIMEOUT", 0.2)
    rig.start()
    begun, go_on, fuse = threading.Event(), threading.Event(), rig.engine.fuse

    def stuck(*images):
        begun.set()
        assert go_on.wait(20)
        return fuse(*images)

    monkeypatch.setattr(rig.engine, "fuse", stuck)
    rig.send_pair(START)
    assert begun.wait(8)
    assert transition(rig, "deactivate")
    assert not transition(rig, "activate"), "the model is still occupied"
    rig.wait(lambda: "still occupies the model" in rig.status("model")[0].message, "it is told")
    assert transition(rig, "cleanup")
    assert not rig.engine.closed, "closed under the pair's feet"
    assert rig.account("visible")["in_flight"] == 1
    go_on.set()
    rig.settled(thermal=1, visible=1)
    assert rig.account("visible")["inactive"] == rig.account("thermal")["inactive"] == 1
    assert rig.account("visible")["rejected"] == 0 and rig.messages["image"] == []
    rig.wait(lambda: not rig.node._fusing.occupied, "the old thread has ended")
    assert transition(rig, "configure") and transition(rig, "activate")
    rig.wait(rig.connected, "all are connected")
    rig.send_pair(START + 100 * MS)
    rig.wait(lambda: rig.messages["image"], "the node fuses")


def test_an_activation_that_fails_leaves_the_node_inactive(rig, monkeypatch):
    from egmt_ros.ros import inputs

    def broken(*arguments):
        raise RuntimeError("no pairer")

    pairer = inputs.make_pairer
    monkeypatch.setattr(inputs, "make_pairer", broken)  # the last step
    rig.start(parameters={"autostart": False}, ready=False)
    before = threads_of_workers()
    assert transition(rig, "configure") and not transition(rig, "activate")
    assert rig.node.phase == "inactive"
    assert threads_of_workers() == before
    outputs = vars(rig.node._outputs).values()
    publishers = [item for item in outputs if hasattr(item, "is_activated")]
    assert publishers and not any(publisher.is_activated for publisher in publishers)
    monkeypatch.setattr(inputs, "make_pairer", pairer)
    assert transition(rig, "activate")
    rig.wait(rig.connected, "all are connected")
    rig.send_pair(START)
    rig.wait(lambda: rig.messages["image"], "the node fuses")


def threads_of_workers():
    return [thread for thread in threading.enumerate() if thread.name == "egmt_worker"]


def test_publishers_of_a_configuration_that_failed_are_gone(rig, monkeypatch):
    rig.start(parameters={"autostart": False}, ready=False)
    before = len(list(rig.node.publishers))
    create = rig.node.create_lifecycle_publisher

    def failing(kind, topic, profile, **options):
        if topic.endswith("attention"):
            raise RuntimeError("no more publishers")
        return create(kind, topic, profile, **options)

    monkeypatch.setattr(rig.node, "create_lifecycle_publisher", failing)
    assert not transition(rig, "configure")
    assert rig.node.phase == "unconfigured"
    assert len(list(rig.node.publishers)) == before
    monkeypatch.undo()
    assert transition(rig, "configure") and transition(rig, "activate")


def test_labels_are_reliable_whatever_the_image_is(rig):
    from rclpy.qos import ReliabilityPolicy

    rig.start(parameters={"output.qos": "sensor_data"}, ready=False)
    rig.wait_phase("active")
    found = {}
    for topic in ("output/image", "output/entities"):
        name = f"{rig.base}/{topic}"
        rig.wait(lambda name=name: rig.tester.count_publishers(name), f"{topic} is discovered")
        (info,) = rig.tester.get_publishers_info_by_topic(name)
        found[topic] = info.qos_profile.reliability
    assert found == {
        "output/image": ReliabilityPolicy.BEST_EFFORT,
        "output/entities": ReliabilityPolicy.RELIABLE,
    }
