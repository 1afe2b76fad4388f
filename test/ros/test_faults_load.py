"""Faults of load, over real DDS: bursts, a slow model, a failing one, a camera that dies.

Three failures in a row are in `test_node_recovery.py`.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

MS = 1_000_000


def test_bursts_of_200_frames(campaign, fake_engine):
    """What a queue of depth 5 does not hold is lost on the way; all the rest has an outcome."""
    campaign.start(fake_engine(delay=0.002))

    def burst(number):
        received = campaign.counts()["visible"]["received"]
        for _ in range(100):
            campaign.send_pair()
        campaign.wait_count("visible", "received", received + 5)

    campaign.repeat(burst, lost=True)
    counts = campaign.counts()["visible"]
    assert counts["received"] > 15 and counts["rejected"] == counts["inactive"] == 0


def test_a_model_ten_times_slower_for_a_while(campaign, fake_engine):
    """Pairs are superseded, none waits behind another, and speed comes back by itself."""
    engine = fake_engine(delay=0.02)
    campaign.start(engine)

    def slow(number):
        before = campaign.counts()["visible"]["superseded"]
        begun = engine.begun
        engine.delay = 0.2
        campaign.send_pair()
        campaign.rig.wait(lambda: engine.begun > begun, "the model is at work", 40)
        for _ in range(6):
            campaign.send_pair()
            campaign.arrived()
        newest = campaign.stamp
        campaign.wait_count("visible", "superseded", before + 1)
        campaign.rig.wait(lambda: newest in campaign.fused(), "the newest is fused", 40)
        engine.delay = 0.02

    campaign.repeat(slow)
    assert campaign.counts()["visible"] == campaign.counts()["thermal"]


def _raises(make, *details):
    def fuse(*arguments, **options):
        raise make(*details)  # a new one: it holds what its traceback shows

    return fuse


def _returns(value):
    return lambda *arguments, **options: value


FAILURES = {
    "RuntimeError": _raises(RuntimeError, "CUDA error: an illegal memory access"),
    "MemoryError": _raises(MemoryError),
    "ZeroDivisionError": _raises(ZeroDivisionError, "division by zero"),
    "AssertionError": _raises(AssertionError),
    "OSError": _raises(OSError, 28, "No space left on device"),
    "UnicodeError": _raises(UnicodeDecodeError, "utf-8", b"\xff", 0, 1, "invalid start byte"),
    "StopIteration": _raises(StopIteration),
    "braces": _raises(ValueError, "{not} %s a %d format {0}"),
    "nothing": _returns(None),
    "something else": _returns("no result"),
}


def test_exceptions_of_every_kind_in_the_engine(campaign):
    """Each pair is rejected and counted; the one after it is fused."""
    campaign.start()
    engine = campaign.rig.engine

    def fail(number):
        for name, fuse in FAILURES.items():
            rejected = campaign.counts()["visible"].get("rejected.inference_failed", 0)
            engine.fuse = fuse
            campaign.send_pair()
            campaign.wait_count("visible", "rejected.inference_failed", rejected + 1)
            campaign.wait_count("thermal", "rejected.inference_failed", rejected + 1)
            del engine.fuse
            campaign.good_pair()
            assert campaign.rig.node.phase == "active", name

    campaign.repeat(fail)
    counts = campaign.counts()["visible"]
    assert counts["rejected"] == counts["rejected.inference_failed"] == 3 * len(FAILURES)
    assert int(campaign.rig.status("model")[1]["errors"]) == counts["rejected"]


def test_results_that_cannot_be_published(campaign):
    """An image of a wrong type or shape, scores that are no numbers: the publisher's failure."""
    import dataclasses

    campaign.start()
    engine = campaign.rig.engine
    whole = type(engine).fuse

    def spoiled(**changes):
        return lambda *a, **k: dataclasses.replace(whole(engine, *a, **k), **changes)

    results = [
        spoiled(image=np.zeros((64, 64, 3), np.float64)),
        spoiled(image=np.zeros((64, 64, 2), np.uint8)),
        spoiled(image=np.zeros((0, 0, 3), np.uint8)),
        spoiled(labels=(object(),)),
    ]

    def fail(number):
        for fuse in results:
            rejected = campaign.counts()["visible"]["rejected"]
            engine.fuse = fuse
            campaign.send_pair()
            campaign.wait_count("visible", "rejected", rejected + 1)
            del engine.fuse
            campaign.good_pair()

    campaign.repeat(fail)
    assert campaign.counts()["visible"]["rejected"] == 3 * len(results)


CAMERAS = """
import sys, time
sys.path.insert(0, {tests!r})
import conftest, numpy, rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

rclpy.init()
node = rclpy.create_node("cameras")
publishers = {{
    side: node.create_publisher(Image, f"/egmt_fusion/input/{{side}}/image",
                                qos_profile_sensor_data)
    for side in ("thermal", "visible")
}}
stamp = {stamp}
while True:
    for side, shape, encoding in (("thermal", (64, 64), "mono8"),
                                  ("visible", (64, 64, 3), "bgr8")):
        pixels = numpy.full(shape, 90, numpy.uint8)
        publishers[side].publish(conftest.image_message(pixels, encoding, stamp, side))
    stamp += {step}
    time.sleep(0.01)
"""


def test_a_camera_process_is_killed_and_comes_back(campaign, tmp_path):
    """SIGKILL in the middle of sending, twice; its half-sent pair is no one's."""
    from pathlib import Path

    campaign.start()
    killed = []

    def kill(number):
        campaign.stamp += 1000 * 1000 * MS
        source = CAMERAS.format(
            tests=str(Path(__file__).parent), stamp=campaign.stamp, step=100 * MS
        )
        fused = campaign.counts()["visible"]["fused"]
        log = (tmp_path / f"cameras_{number}").open("w")
        child = subprocess.Popen([sys.executable, "-c", source], stdout=log, stderr=log)
        try:
            campaign.wait_count("visible", "fused", fused + 10)
        finally:
            child.kill()
            killed.append(child.wait())
            log.close()
        campaign.stamp += 1000 * 1000 * MS
        # What that process sent is not known: count it as sent what has come when all is quiet.
        campaign.good_pair()
        for side, counts in campaign.counts().items():
            campaign.sent[side] = counts["received"]

    campaign.repeat(kill)
    assert killed == [-9] * 3
