"""Quality of service over real DDS: profiles, overrides, and what is told of those that misfit."""

from __future__ import annotations

import pytest

from egmt_ros.errors import ConfigError

qos = pytest.importorskip("egmt_ros.ros.qos", reason="rclpy is not installed")

MS = 1_000_000
START = 1_700_000_000_000_000_000
THERMAL = "/egmt_fusion/input/thermal/image"
IMAGE = "/egmt_fusion/output/image"
BASE = "/egmt_fusion"


def profile(name, depth=0, **changes):
    made = qos.stream(name, depth)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def subscribed(rig, topic):
    rig.wait(lambda: rig.tester.count_subscribers(topic), f"{topic} is discovered")
    (info,) = rig.tester.get_subscriptions_info_by_topic(topic)
    return info.qos_profile


def published(rig, topic):
    rig.wait(lambda: rig.tester.count_publishers(topic), f"{topic} is discovered")
    (info,) = rig.tester.get_publishers_info_by_topic(topic)
    return info.qos_profile


def wait_status(rig, name, level, *words):
    def holds():
        if not rig.messages["diagnostics"]:
            return False
        status = rig.status(name)[0]
        return status.level == level and all(word in status.message for word in words)

    rig.wait(holds, f"{name} is {level} with {words}")
    return rig.status(name)[0].message


def test_the_profiles():
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    made = {name: qos.stream(name) for name in ("sensor_data", "reliable", "default")}
    assert {name: one.depth for name, one in made.items()} == {
        "sensor_data": 5, "reliable": 5, "default": 10,
    }  # fmt: skip
    reliable = ReliabilityPolicy.RELIABLE
    assert [name for name, one in made.items() if one.reliability == reliable] == [
        "reliable", "default",
    ]  # fmt: skip
    assert {one.durability for one in made.values()} == {DurabilityPolicy.VOLATILE}
    assert qos.stream("default", 3).depth == 3


def test_the_parameters_choose_profile_and_depth(rig):
    from rclpy.qos import ReliabilityPolicy

    parameters = {"input.thermal.qos": "default", "input.visible.depth": 2, "output.depth": 7}
    rig.start(parameters={**parameters, "output.qos": "sensor_data"}, ready=False)
    rig.wait_phase("active")
    thermal, visible = (
        rig.node._inputs._subscribers[side].qos_profile for side in rig.node._inputs.states
    )
    assert (thermal.reliability, thermal.depth) == (ReliabilityPolicy.RELIABLE, 10)
    assert (visible.reliability, visible.depth) == (ReliabilityPolicy.BEST_EFFORT, 2)
    assert published(rig, IMAGE).reliability == ReliabilityPolicy.BEST_EFFORT
    assert published(rig, f"{BASE}/output/entities").reliability == ReliabilityPolicy.RELIABLE
    assert subscribed(rig, THERMAL).reliability == ReliabilityPolicy.RELIABLE


def test_ros_overrides_the_qos_of_one_topic(rig):
    from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

    rig.start(
        parameters={
            f"qos_overrides.{THERMAL}.subscription.reliability": "reliable",
            f"qos_overrides.{THERMAL}.subscription.depth": 3,
            f"qos_overrides.{IMAGE}.publisher.durability": "transient_local",
        },
        ready=False,
    )
    rig.wait_phase("active")
    assert subscribed(rig, THERMAL).reliability == ReliabilityPolicy.RELIABLE
    visible = subscribed(rig, f"{BASE}/input/visible/image")
    assert visible.reliability == ReliabilityPolicy.BEST_EFFORT
    assert published(rig, IMAGE).durability == DurabilityPolicy.TRANSIENT_LOCAL
    # The outputs begin with one profile, of which an override changes a copy.
    attention = published(rig, f"{BASE}/output/attention")
    assert attention.durability == DurabilityPolicy.VOLATILE
    name = f"qos_overrides.{THERMAL}.subscription.depth"
    assert rig.node.get_parameter(name).value == 3


def test_a_profile_can_be_changed_between_two_configurations(rig):
    from rclpy.parameter import Parameter
    from rclpy.qos import ReliabilityPolicy

    rig.start(ready=False)
    rig.wait_phase("active")
    assert subscribed(rig, THERMAL).reliability == ReliabilityPolicy.BEST_EFFORT
    rig.node.trigger_deactivate()
    rig.node.trigger_cleanup()
    (result,) = rig.node.set_parameters([Parameter("input.thermal.qos", value="reliable")])
    assert result.successful
    rig.node.trigger_configure()
    rig.wait(
        lambda: [
            info.qos_profile.reliability
            for info in rig.tester.get_subscriptions_info_by_topic(THERMAL)
        ] == [ReliabilityPolicy.RELIABLE],
        "the new profile is in force",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "value", "words"),
    [
        ("reliability", "sometimes", "'sometimes': expected one of best_effort, reliable"),
        ("depth", 0, "0: expected an integer from 1"),
        ("depth", "5", "'5': expected an integer"),
    ],
)
def test_an_override_that_cannot_be_used_fails_the_configuration_by_name(
    rig, policy, value, words
):
    name = f"qos_overrides.{THERMAL}.subscription.{policy}"
    rig.start(parameters={name: value, "autostart": False}, ready=False)
    publishers = len(list(rig.node.publishers))
    with pytest.raises(ConfigError, match="qos_overrides"):
        qos.overrides(rig.node, "~/input/thermal/image", "subscription")
    rig.node.trigger_configure()
    assert rig.node.phase == "unconfigured"
    assert len(list(rig.node.publishers)) == publishers, "nothing is left behind"
    message = wait_status(rig, "model", b"\x02", name)
    assert words in message and "Traceback" not in message


def test_a_camera_that_does_not_fit_is_an_error_until_one_does(rig):
    from sensor_msgs.msg import Image

    rig.start(parameters={"input.thermal.qos": "reliable"}, ready=False)
    rig.wait_phase("active")
    message = wait_status(rig, "thermal input", b"\x02", "/tester offers best_effort")
    assert message.startswith(f"{THERMAL}: reliability: this node requests reliable, /tester")
    assert "set input.thermal.qos: sensor_data" in message
    assert rig.status("visible input")[0].level != b"\x02"
    assert rig.status("outputs")[0].level == b"\x00"

    fitting = rig.tester.create_publisher(Image, THERMAL, profile("reliable"))
    rig.wait(lambda: rig.status("thermal input")[0].level != b"\x02", "a fitting camera mends it")
    rig.wait(lambda: fitting.get_subscription_count() == 1, "it is connected")
    rig.tester.destroy_publisher(fitting)
    wait_status(rig, "thermal input", b"\x02", "/tester offers best_effort")
    rig.tester.destroy_publisher(rig.cameras["thermal"])
    rig.wait(lambda: rig.status("thermal input")[0].level != b"\x02", "nobody is left who misfits")


def test_an_override_is_named_where_it_is_what_has_to_change(rig):
    override = f"qos_overrides.{THERMAL}.subscription.reliability"
    rig.start(parameters={override: "reliable"}, ready=False)
    rig.wait_phase("active")
    message = wait_status(rig, "thermal input", b"\x02", THERMAL)
    assert f"{override}: best_effort" in message and "input.thermal.qos" not in message


def test_a_listener_that_does_not_fit_is_an_error_that_names_it(rig, capfd):
    from egmt_msgs.msg import EntityLabelArray
    from rclpy.qos import DurabilityPolicy

    rig.start(parameters={"output.qos": "sensor_data"}, ready=False)
    rig.wait_phase("active")
    # The rig listens reliably; its name may be discovered after its subscription.
    message = wait_status(rig, "outputs", b"\x02", IMAGE, "/tester requests reliable")
    assert "this node offers best_effort" in message and "set output.qos: reliable" in message
    latched = profile("sensor_data", durability=DurabilityPolicy.TRANSIENT_LOCAL)
    topic = f"{BASE}/output/entities"
    rig.tester.create_subscription(EntityLabelArray, topic, print, latched)
    message = wait_status(rig, "outputs", b"\x02", topic)
    assert f"qos_overrides.{topic}.publisher.durability: transient_local" in message
    assert "set output.qos: reliable" in capfd.readouterr().err, "the log says so"


def test_frames_flow_again_when_the_profile_was_mended(rig):
    from rclpy.parameter import Parameter

    rig.start(parameters={"input.thermal.qos": "reliable"}, ready=False)
    rig.wait_phase("active")
    wait_status(rig, "thermal input", b"\x02", "set input.thermal.qos: sensor_data")
    rig.node.trigger_deactivate()
    rig.node.trigger_cleanup()
    rig.node.set_parameters([Parameter("input.thermal.qos", value="sensor_data")])
    rig.node.trigger_configure()
    rig.node.trigger_activate()
    rig.wait(rig.connected, "all are connected")
    assert rig.status("thermal input")[0].level != b"\x02"
    rig.send_pair(START)
    rig.wait(lambda: rig.messages["image"], "the pair is fused")
