"""Faults of time, over real DDS: jumps of stamps and of /clock, order, duplicates, no stamps.

A bag that loops is in `test_node_fusing.py`, and, played by a process, in `test/live`.
"""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

MS = 1_000_000
SECOND = 1000 * MS
HOUR = 3600 * SECOND


def resets(campaign):
    return int(campaign.rig.status("pairing")[1]["resets"])


def test_the_cameras_clock_jumps_ahead_and_back(campaign):
    campaign.start()

    def jump(number):
        before = resets(campaign)
        for step in (HOUR, -2 * HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR):
            campaign.stamp += step
            for _ in range(2):
                campaign.good_pair()
        campaign.rig.wait(lambda: resets(campaign) == before + 2, "the jumps back were seen", 40)

    campaign.repeat(jump)
    counts = campaign.counts()
    assert counts["thermal"]["fused"] == counts["visible"]["fused"] == campaign.sent["visible"]


def test_one_camera_jumps_back_before_the_other(campaign):
    campaign.start()

    def jump(number):
        unpaired = campaign.counts()["visible"]["unpaired"]
        late = campaign.stamp + 100 * MS
        campaign.stamp -= HOUR
        for i in range(3):
            campaign.send("thermal", campaign.stamp + i * 10 * MS)
        campaign.arrived()
        campaign.send("visible", late)  # of the time before: has no partner any more
        campaign.arrived()
        campaign.send("visible", campaign.stamp)
        campaign.wait_count("visible", "unpaired", unpaired + 1)

    campaign.repeat(jump)
    assert resets(campaign) >= 3


def test_frames_out_of_order_and_twice(campaign):
    """Each stamp comes twice, and of each three the last comes first."""
    campaign.start()

    def shuffle(number):
        before = campaign.counts()["visible"]
        base = campaign.stamp
        for group in range(4):
            for i in (2, 0, 1):
                stamp = base + (1 + 3 * group + i) * 20 * MS
                for _ in range(2):
                    campaign.send_pair(stamp)
                    campaign.arrived()
        campaign.stamp = base + 20 * 20 * MS
        assert campaign.counts()["visible"]["received"] == before["received"] + 24

    campaign.repeat(shuffle)
    counts = campaign.counts()
    for side in ("thermal", "visible"):
        # A duplicate has no partner of its own that is new, and a late one none that waits.
        assert counts[side]["unpaired"] + counts[side]["superseded"] > 0
        assert counts[side]["rejected"] == 0


def test_images_come_in_the_order_of_their_stamps(campaign):
    """Whatever order the frames come in, but for a jump back; a stamp that comes twice stays so."""
    campaign.start()
    base = campaign.stamp
    for i in (1, 1, 3, 2, 2, 5, 4, 4, 6, 6):
        campaign.send_pair(base + i * 100 * MS)
        campaign.arrived()
    campaign.stamp = base + 10 * 100 * MS
    campaign.good_pair()
    stamps = campaign.fused()
    assert stamps == sorted(stamps) and len(set(stamps)) >= 5, [s - base for s in stamps]
    campaign.survived()


def test_cameras_that_set_no_stamp(campaign):
    """All stamps are 0, and then they are right: fused, never crashed, never mixed up."""
    campaign.start()

    def zeros(number):
        campaign.forget()
        for _ in range(5):
            campaign.send_pair(0)
            campaign.arrived()
        campaign.rig.wait(lambda: 0 in campaign.fused(), "images of stamp 0 are fused", 40)
        for message in campaign.rig.messages["entities"]:
            assert message.thermal_stamp == message.visible_stamp == message.header.stamp

    campaign.repeat(zeros)


def test_the_nodes_clock_jumps_both_ways(campaign):
    """Simulated time stands still, jumps ahead and back: only stamps of diagnostics follow."""
    from rclpy.qos import QoSProfile
    from rosgraph_msgs.msg import Clock

    rig = campaign.rig
    clock = rig.tester.create_publisher(Clock, "/clock", QoSProfile(depth=1))
    campaign.start(parameters={"use_sim_time": True})
    rig.wait(lambda: clock.get_subscription_count() == 1, "the node listens to /clock")

    def jump(number):
        for seconds in (1_000_000, 2_000_000, 10, 1_500_000):
            message = Clock()
            message.clock.sec = seconds
            clock.publish(message)
            rig.wait(
                lambda s=seconds: rig.messages["diagnostics"][-1].header.stamp.sec == s,
                f"diagnostics are stamped {seconds}", 40,
            )  # fmt: skip
            campaign.good_pair()

    campaign.repeat(jump)
    assert campaign.counts()["visible"]["fused"] == campaign.sent["visible"]
