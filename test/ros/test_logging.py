"""A problem of every frame is one line in the log, not one a frame."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

import egmt_ros

START = 1_000_000_000_000
MS = 1_000_000
PACKAGE = Path(egmt_ros.__file__).parent

# What runs for each frame: in the callbacks, in the pairing, and in the worker's thread.
PER_FRAME = (
    "node_core/matching", "node_core/outgoing", "node_core/processing", "ros/camera_info",
    "ros/conversions", "ros/debug_outputs", "ros/inputs", "ros/job", "ros/messages",
    "ros/outputs", "ros/transforms",
)  # fmt: skip
SEVERITIES = {"debug", "info", "warn", "warning", "error", "fatal", "exception", "critical"}


@pytest.mark.parametrize("name", PER_FRAME)
def test_what_runs_for_each_frame_logs_through_the_throttle(name):
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    direct = [
        f"{name}.py:{node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in SEVERITIES
        and "log" in ast.unparse(node.func.value).lower()
    ]
    assert direct == []


def lines_of(log):
    """Warnings and errors of the node."""
    return [line for line in log.splitlines() if re.search(r"\[(WARN|ERROR|FATAL)\]", line)]


def test_a_fault_of_every_frame_is_one_line(rig, capfd):
    from sensor_msgs.msg import CameraInfo

    rig.start()
    rig.node._throttle._period = 1e9  # however long this takes
    info = rig.tester.create_publisher(CameraInfo, f"{rig.base}/input/visible/camera_info", 10)
    rig.wait(lambda: info.get_subscription_count() == 1, "the node listens to the calibration")
    info.publish(CameraInfo(width=7, height=7))
    rig.wait(lambda: rig.node._outputs._camera_info._newest, "it has come")
    good, other = np.full((64, 64), 100, np.uint8), np.full((70, 64), 100, np.uint8)
    for number in range(30):
        # In turn refused in the callbacks, refused in the worker's thread, and fused.
        changes = {"step": 3} if number % 3 == 0 else {}
        stamp = START + number * 100 * MS
        rig.send("thermal", stamp, other if number % 3 == 1 else good, **changes)
        rig.send("visible", stamp, **changes)
        rig.settled(thermal=number + 1, visible=number + 1)
    for side in ("thermal", "visible"):
        counts = rig.account(side)
        assert (counts["fused"], counts["rejected"]) == (10, 20)
        assert (counts["rejected.step_too_small"], counts["rejected.size_mismatch"]) == (10, 10)
    lines = lines_of(capfd.readouterr().err)
    for words in ("thermal image rejected", "visible image rejected", "pair rejected", "7x7 pix"):
        assert sum(words in line for line in lines) == 1, (words, lines)
    assert len(lines) == 4, lines


def test_what_fails_behind_a_published_pair_is_logged_and_no_failure_of_the_pair(rig, capfd):
    rig.start()
    rig.node._throttle._period = 1e9  # however long this takes
    offered = []

    def refuse(*arguments):
        raise RuntimeError("no room for debug outputs")

    def offer(sources):
        offered.append(sources)
        raise ValueError("the watch sees nothing")

    rig.node._outputs.publish_debug = refuse
    rig.node._watch.offer = offer
    for number in range(4):  # more than deactivate the node
        rig.send_pair(START + number * 100 * MS)
        rig.settled(thermal=number + 1, visible=number + 1)
    rig.wait(lambda: len(offered) == 4, "all four were shown to the watch")
    for side in ("thermal", "visible"):
        assert (rig.account(side)["fused"], rig.account(side)["rejected"]) == (4, 0)
    assert rig.node.phase == "active" and rig.node._state.errors == 0
    rig.wait(lambda: len(rig.messages["image"]) == 4, "all four are published")
    log = capfd.readouterr().err
    for words in ("but its debug outputs could not be published: RuntimeError: no room for debug",
                  "but it could not be shown to the watch of the registration: ValueError"):
        assert log.count(words) == 1, log  # the others are held back by the throttle
    assert log.count("Traceback") == 2


def test_the_trace_of_a_failure_is_shown_once(rig, capfd):
    rig.start()
    rig.engine.fail = True
    for number in range(2):
        rig.send_pair(START + number * 100 * MS)
        rig.settled(thermal=number + 1, visible=number + 1)
    rig.node._throttle._period = 0.0
    rig.engine.fail = False
    rig.send_pair(START + 200 * MS)
    rig.settled(thermal=3, visible=3)
    rig.engine.fail = True
    rig.send_pair(START + 300 * MS)
    rig.settled(thermal=4, visible=4)
    log = capfd.readouterr().err
    assert log.count("a pair could not be fused") == 2
    assert "(1 more like this since the last line)" in log
    assert log.count("Traceback") == 1
