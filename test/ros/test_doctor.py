"""`egmt doctor` over real Fast DDS, and where no ROS is installed."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from egmt_ros import cli
from egmt_ros.doctor.finding import Level


@pytest.fixture
def pump(rig):
    """Cameras that send at about 20 Hz until the test ends."""
    stop = threading.Event()

    def send() -> None:
        stamp = 1_000_000_000
        while not stop.wait(0.05):
            rig.send_pair(stamp)
            stamp += 50_000_000

    thread = threading.Thread(target=send)
    yield thread.start
    stop.set()
    if thread.ident is not None:
        thread.join()


def doctor(capsys, *arguments: str) -> tuple[int, list[str]]:
    status = cli.main(["doctor", *arguments])
    return status, capsys.readouterr().out.splitlines()


def about(lines: list[str], name: str) -> list[str]:
    """Lines of this name, without it: "ok published by /tester"."""
    return [
        " ".join(line.replace(f"{name}: ", "", 1).split())
        for line in lines
        if line[9:].startswith(f"{name}: ")
    ]


def test_a_publisher_of_the_wrong_qos_is_named_with_the_parameter(rig, pump, capsys) -> None:
    rig.start(parameters={"input.thermal.qos": "reliable"}, ready=False)
    rig.wait_phase("active")
    pump()
    status, lines = doctor(capsys, "--seconds", "10")
    assert status == 1
    thermal = about(lines, "/egmt_fusion/input/thermal/image")
    assert len(thermal) == 2
    assert thermal[0] == "ok published by /tester"
    assert thermal[1].startswith(
        "problem reliability: /egmt_fusion requests reliable, /tester offers best_effort"
        " -> set input.thermal.qos: sensor_data"
    )
    # The other input fits, and both are heard by the doctor, who asks for less.
    assert about(lines, "/egmt_fusion/input/visible/image") == ["ok published by /tester"]
    for side in ("thermal", "visible"):
        (rate,) = about(lines, f"/egmt_fusion/input/{side}/image rate")
        assert rate.startswith("ok ") and 5 < float(rate.split()[1]) < 25
    assert about(lines, "diagnostics, model") == ["ok active"]
    assert "0 problems" not in lines[-1]


def test_a_running_node_that_fits_has_no_problem(rig, pump) -> None:
    from egmt_ros.doctor.graph import check_graph
    from egmt_ros.ros.graph_check import look

    rig.start()
    pump()
    findings = check_graph(look("/egmt_fusion", 8.0, 1.0, rig.context))
    assert [finding for finding in findings if finding.level is Level.PROBLEM] == []
    levels = {finding.name: finding.level for finding in findings}
    assert levels["/egmt_fusion/output/image rate"] is Level.OK
    assert levels["/egmt_fusion/output/entities rate"] is Level.OK
    found = {finding.name: finding.found for finding in findings}
    assert found["/egmt_fusion/output/image"] == "1 subscriber (/tester)"


def test_remapped_inputs_are_known_by_the_diagnostics(ros_context, rig) -> None:
    from egmt_ros.ros.graph_check import look

    rig.start(
        parameters={"input.visible.qos": "reliable"}, ready=False,
        namespace="front", cli_args=["--ros-args", "-r", "~/input/visible/image:=/camera"],
    )  # fmt: skip
    rig.wait_phase("active")
    seen = look("egmt_fusion", 8.0, 1.0, rig.context)
    assert seen.nodes == ("/front/egmt_fusion",)
    roles = {topic.name: topic.role for topic in seen.topics}
    assert roles["/camera"] == "~/input/visible/image"
    assert roles["/front/egmt_fusion/input/thermal/image"] == "~/input/thermal/image"
    assert {topic.ours.reliability for topic in seen.topics if topic.name == "/camera"} == {
        "reliable"
    }
    assert "/egmt_fusion/input/thermal/image" in seen.image_topics  # the rig's cameras


def test_a_node_that_is_not_configured_and_an_output_that_does_not_fit(rig) -> None:
    from egmt_ros.doctor.graph import check_graph
    from egmt_ros.ros.graph_check import look

    node = rig.start(parameters={"autostart": False, "output.qos": "sensor_data"},
                     ready=False)  # fmt: skip
    seen = look("/egmt_fusion", 8.0, 1.0, rig.context)
    problems = [finding for finding in check_graph(seen) if finding.level is Level.PROBLEM]
    assert [finding.name for finding in problems] == ["inputs"]
    assert "ros2 lifecycle set /egmt_fusion configure" in problems[0].remedy
    node.trigger_configure()
    seen = look("/egmt_fusion", 8.0, 1.0, rig.context)
    remedies = {finding.name: finding.remedy for finding in check_graph(seen)
                if "requests reliable" in finding.found}  # fmt: skip
    assert "set output.qos: reliable" in remedies["/egmt_fusion/output/image"]


WITHOUT_ROS = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("rclpy", "egmt_msgs"):
            raise ImportError(f"No module named {name!r}")

sys.meta_path.insert(0, Refuse())
from egmt_ros.cli import main
sys.exit(main(["doctor"]))
"""


def test_it_works_without_ros(monkeypatch) -> None:
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROS], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (ros,) = about(done.stdout.splitlines(), "ROS")
    assert ros.startswith("warning rclpy cannot be imported") and "make setup" in ros
    assert about(done.stdout.splitlines(), "weights")[0].startswith("ok egmt-base@")
    assert "node:" not in done.stdout


def test_unusable_arguments_are_refused(capsys) -> None:
    assert cli.main(["doctor", "--seconds", "0"]) == 1
    assert "--seconds is 0" in capsys.readouterr().err


def test_missing_weights_and_device_are_problems(capsys) -> None:
    arguments = ("--no-graph", "--weights", "/none.safetensors", "--device", "cuda:99")
    status, lines = doctor(capsys, *arguments)
    assert status == 1
    assert about(lines, "weights")[0].startswith("problem weights /none.safetensors")
    assert about(lines, "device")[0].startswith("problem model.device is 'cuda:99'")
    assert about(lines, "node") == []
