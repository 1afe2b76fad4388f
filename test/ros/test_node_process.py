"""The node as a process of its own, as ros2 run, ros2 launch and `egmt node` start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

MS = 1_000_000
START = 1_700_000_000_000_000_000

# The real process with a small engine: what is tested here is the process, not the network.
PROGRAM = """
import sys
sys.path.insert(0, {tests!r})
import conftest
from egmt_ros.ros import node
node.load_engine = conftest.FakeEngine({delay}).load
node.FusionNode.__init__.__kwdefaults__["engine_factory"] = node.load_engine
{run}
"""
AS_MODULE = "from egmt_ros.ros import fusion_node; sys.exit(fusion_node.main(sys.argv))"
AS_COMMAND = "from egmt_ros import cli; sys.exit(cli.main(sys.argv[1:]))"


@pytest.fixture
def process(tmp_path):
    """Starts the node's process; whatever is left is killed by its pid."""
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    started = []

    def start(*arguments, run=AS_MODULE, delay=0.0, program=None):
        if program is None:
            source = PROGRAM.format(tests=os.path.dirname(__file__), run=run, delay=delay)
            program = [sys.executable, "-c", source]
        log = (tmp_path / f"log_{len(started)}").open("w+")
        child = subprocess.Popen(
            [*program, *arguments], stdout=log, stderr=subprocess.STDOUT, cwd=tmp_path
        )
        child.log = lambda: (tmp_path / os.path.basename(log.name)).read_text()
        started.append(child)
        return child

    yield start
    for child in started:
        if child.poll() is None:
            child.kill()
        child.wait()


def ended(child, timeout=60.0):
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        pytest.fail(f"the process did not end:\n{child.log()}")


def wait_active(rig, child):
    def active():
        assert child.poll() is None, child.log()
        return rig.messages["diagnostics"] and rig.status("model")[1]["state"] == "active"

    rig.wait(active, "the node is active")
    rig.wait(rig.connected, "all are connected")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_fusing_ends_it_cleanly_with_the_account_settled(rig, process, name):
    rig.listen()
    child = process("--ros-args", "-p", "diagnostics.period:=0.5", delay=0.1)
    wait_active(rig, child)
    for i in range(4):
        rig.send_pair(START + i * 40 * MS)
    rig.wait(lambda: rig.messages["image"], "an image has come")
    child.send_signal(getattr(signal, name))
    assert ended(child) == 0, child.log()
    assert "Traceback" not in child.log()
    rig.wait(
        lambda: rig.status("model")[1]["state"] == "finalized", "the last diagnostics have come"
    )
    counts = rig.reported("visible")
    assert counts["received"] == 4 and counts["in_flight"] == 0
    assert counts["fused"] == len(rig.messages["image"]) == len(rig.messages["entities"])


@pytest.mark.parametrize("moment", [0.3, 0.8, 1.2])
def test_a_signal_while_starting_ends_it_cleanly(ros_domain, process, moment):
    child = process()
    time.sleep(moment)
    blocked = _blocks_signals(child.pid)
    child.send_signal(signal.SIGINT)
    if blocked:
        assert ended(child) == 0, child.log()
        assert "Traceback" not in child.log()
        return
    # Before main() it is a KeyboardInterrupt amid the imports, and some of them swallow it.
    try:
        child.wait(5.0)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
        assert ended(child) == 0, child.log()


def _blocks_signals(pid):
    with open(f"/proc/{pid}/status") as file:
        mask = next(line for line in file if line.startswith("SigBlk"))
    return bool(int(mask.split()[1], 16) & (1 << (signal.SIGINT - 1)))


def test_params_file_and_arguments_under_a_namespace(rig, process, tmp_path):
    rig.base = "/front/fusion"
    rig.listen()
    params = tmp_path / "mine.yaml"
    params.write_text(
        "/**:\n  ros__parameters:\n    diagnostics: {period: 0.2}\n"
        "    entities: {publish_all: true}\n"
    )
    child = process(
        "--ros-args", "--params-file", str(params), "-p", "entities.max_labels:=2",
        "-r", "__ns:=/front", "-r", "__node:=fusion",
    )
    wait_active(rig, child)
    rig.send_pair(START)
    rig.wait(lambda: rig.messages["entities"], "labels have come")
    assert len(rig.messages["entities"][0].labels) == 2
    assert rig.messages["diagnostics"][-1].status[0].hardware_id == "/front/fusion"


def test_egmt_node_with_remapping_and_the_packages_own_file(rig, process, tmp_path):
    from pathlib import Path

    config = Path(__file__).resolve().parents[2] / "config" / "fusion.yaml"
    rig.base = "/egmt_fusion"
    rig.listen()
    child = process(
        "node", "--params", str(config), "--remap", "~/output/entities:=/labels",
        "--device", "cpu", "--log-level", "warn", run=AS_COMMAND,
    )
    rig.wait(
        lambda: rig.tester.count_publishers("/labels") == 1 or child.poll() is not None,
        "the remapped topic is there",
    )
    assert child.poll() is None, child.log()
    rig.wait(lambda: rig.messages["diagnostics"], "diagnostics have come")
    child.send_signal(signal.SIGINT)
    assert ended(child) == 0, child.log()
    assert "[INFO]" not in child.log()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "sync.max_gap:=-1.0"], ["egmt_fusion: parameter sync.max_gap", "0 to 10"]),
        (["-p", "sync.policy:=latest"], ["sync.policy", "nearest"]),
        (["--params-file", "/nowhere.yaml"], ["/nowhere.yaml"]),
    ],
)
def test_what_cannot_start_ends_with_one_clear_line_and_status_2(
    ros_domain, process, arguments, words
):
    child = process("--ros-args", *arguments)
    assert ended(child) == 2, child.log()
    assert "Traceback" not in child.log()
    for word in words:
        assert word in child.log()


WITHOUT = """
import sys
sys.modules[{package!r}] = None
{run}
"""


@pytest.mark.parametrize("package", ["rclpy", "egmt_msgs"])
@pytest.mark.parametrize("run", [AS_MODULE, AS_COMMAND], ids=["fusion_node", "egmt node"])
def test_without_ros_one_line_says_what_is_missing_and_what_to_do(package, run):
    if package == "egmt_msgs":
        pytest.importorskip("rclpy", reason="rclpy is not installed")
    program = WITHOUT.format(package=package, run=run)
    arguments = ["node"] if run is AS_COMMAND else []
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"egmt_fusion: the node needs {package}")
    assert "make setup" in line and "source" in line


def test_the_real_module_runs(rig, process):
    """Without any stand-in: python -m egmt_ros.ros.fusion_node with the trained network."""
    rig.listen()
    child = process(
        "--ros-args", "-p", "model.device:=cpu", "-p", "model.runtime:=torch",
        "-p", "model.warm_up_width:=0",
        program=[sys.executable, "-m", "egmt_ros.ros.fusion_node"],
    )

    def settled():
        assert child.poll() is None, child.log()
        if not rig.messages["diagnostics"]:
            return False
        status, values = rig.status("model")
        return values["state"] == "active" or status.level == b"\x02"

    rig.wait(settled, "the model is loaded, or diagnostics say why not", timeout=120)
    status, values = rig.status("model")
    if values["state"] == "active":
        assert values["model_id"] and values["device"] == "cpu"
        rig.wait(rig.connected, "all are connected")
        night = np.random.default_rng(1).integers(0, 99, (96, 128), np.uint8)
        scene = np.random.default_rng(2).integers(0, 255, (96, 128, 3), np.uint8)
        rig.send("thermal", START, night)
        rig.send("visible", START, scene)
        rig.wait(lambda: rig.messages["image"] and rig.messages["entities"], "a fused pair")
        assert (rig.messages["image"][0].width, rig.messages["image"][0].height) == (128, 96)
        assert rig.messages["entities"][0].model_id == values["model_id"]
        assert len(rig.messages["vocabulary"][0].names) >= 20
    else:
        assert values["state"] == "unconfigured" and len(status.message) > 30
    child.send_signal(signal.SIGINT)
    assert ended(child) == 0, child.log()
