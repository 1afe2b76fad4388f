"""The watch on the registration over DDS: a shifted camera is told of on /diagnostics."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from egmt_ros.evaluation.scene.street import StreetScene

MS = 1_000_000
START = 1_700_000_000_000_000_000
WIDTH, HEIGHT = 320, 240
PERIOD = {"registration.check_period": 0.001}


@pytest.fixture(scope="module")
def street():
    scene = StreetScene(1, WIDTH, HEIGHT, "dusk")
    return scene.render_thermal(2.0), scene.render_visible(2.0)


class Watched:
    """A rig whose cameras see the street, and what is told of the registration."""

    def __init__(self, rig):
        self.rig = rig
        self.sent = 0

    def fuse(self, thermal, visible):
        self.sent += 1
        stamp = START + self.sent * 100 * MS
        self.rig.send("thermal", stamp, thermal)
        self.rig.send("visible", stamp, visible)
        self.rig.settled(thermal=self.sent, visible=self.sent)

    def status(self):
        return self.rig.status("registration")

    def fuse_until(self, state, pair, pairs=30):
        for _ in range(pairs):
            self.fuse(*pair)
            self.rig.node._watch.wait()
            if self.rig.node._watch.finding.state == state:
                break
        self.rig.wait(
            lambda: self.status()[1]["residual"] == state, f"diagnostics say {state}"
        )


def test_a_mount_that_shifts_while_the_node_runs_is_a_warning(rig, street):
    thermal, visible = street
    watched = Watched(rig)
    rig.start(parameters=PERIOD)
    rig.wait(lambda: watched.status()[1].get("residual") == "unknown", "nothing is known yet")
    watched.fuse_until("aligned", street)
    status, values = watched.status()
    assert status.level == b"\0" and float(values["residual_px"]) < 1.0
    assert "residual" in status.message and float(values["limit_px"]) == 2.5
    across = np.float32([[1, 0, 6], [0, 1, 0]])
    shifted = cv2.warpAffine(thermal, across, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    watched.fuse_until("shifted", (shifted, visible))
    rig.wait(lambda: float(watched.status()[1]["confidence"]) > 0.5, "most checks agree")
    status, values = watched.status()
    assert status.level == b"\1" and float(values["right_px"]) == pytest.approx(6, abs=0.7)
    for words in ("px right", "limit 2.5 px", "mount", "egmt calibrate"):
        assert words in status.message
    # The remedy: a homography that takes it back. What was found before is forgotten.
    from rclpy.parameter import Parameter

    remedy = {"registration.mode": "homography", "registration.homography": "1 0 -6 0 1 0 0 0 1"}
    set_now = [Parameter(name, value=value) for name, value in remedy.items()]
    assert rig.node.set_parameters_atomically(set_now).successful
    watched.fuse_until("aligned", (shifted, visible))
    assert watched.status()[0].level == b"\0"
    assert rig.account("thermal")["fused"] == watched.sent


def test_nothing_in_common_is_unknown_and_no_warning(rig):
    watched = Watched(rig)
    rig.start(parameters=PERIOD)
    rng = np.random.default_rng(0)
    for _ in range(9):
        noise = rng.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
        watched.fuse(np.ascontiguousarray(noise[..., 0]), np.ascontiguousarray(noise[..., 1:]))
        rig.node._watch.wait()
    rig.wait(lambda: int(watched.status()[1]["checks"]) >= 5, "they were looked at")
    status, values = watched.status()
    assert status.level == b"\0" and values["residual"] == "unknown"
    assert "residual_px" not in values


def test_it_is_off_with_a_period_of_0_and_while_inactive(rig, street):
    from rclpy.parameter import Parameter

    watched = Watched(rig)
    rig.start(parameters={"registration.check_period": 0})
    watched.fuse(*street)
    assert rig.node._watch._thread is None
    rig.wait(lambda: watched.status()[1].get("residual") == "off", "it is off")
    assert rig.node.set_parameters([Parameter("registration.check_period", value=0.001)])
    watched.fuse_until("aligned", street)
    rig.node.executor.create_task(rig.node.trigger_deactivate)
    rig.wait_phase("inactive")
    rig.wait(lambda: watched.status()[1].get("residual") == "off", "it is off again")
