"""The node over real DDS: what goes in, what comes out, and that every frame is accounted for."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

MS = 1_000_000
START = 1_700_000_000_000_000_000


def stamp_of(stamp):
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def fused_stamps(rig):
    return [stamp_of(message.header.stamp) for message in rig.messages["image"]]


def wait_images(rig, count):
    rig.wait(
        lambda: len(rig.messages["image"]) >= count and len(rig.messages["entities"]) >= count,
        f"{count} images and label arrays have come",
    )


def test_image_and_labels_carry_the_source_stamps_and_the_account_adds_up(rig):
    rig.start(parameters={"sync.wait": 0.3})
    stamps = [START + i * 33 * MS for i in range(6)]
    for i, stamp in enumerate(stamps):
        rig.send_pair(stamp, gap=2 * MS)
        wait_images(rig, i + 1)
    assert fused_stamps(rig) == stamps
    for image, labels, stamp in zip(
        rig.messages["image"], rig.messages["entities"], stamps, strict=True
    ):
        assert image.header == labels.header
        assert image.header.frame_id == "visible_optical_frame"
        assert (image.width, image.height, image.encoding) == (64, 64, "bgr8")
        assert stamp_of(labels.visible_stamp) == stamp
        assert stamp_of(labels.thermal_stamp) == stamp + 2 * MS
        assert (labels.width, labels.height, labels.mode) == (64, 64, labels.FUSED)
        assert labels.model_id == rig.engine.model_id
        assert math.isnan(labels.threshold) and math.isnan(labels.thermal_min_celsius)
    rig.settled(thermal=6, visible=6)
    assert rig.account("thermal")["fused"] == rig.account("visible")["fused"] == 6
    rig.wait(lambda: rig.reported("visible")["fused"] == 6, "diagnostics say so as well")


def test_labels_are_the_present_ones_best_first_with_their_region(rig):
    rig.start()
    rig.send_pair(START)
    wait_images(rig, 1)
    labels = rig.messages["entities"][0].labels
    assert [(label.name, label.index, label.present) for label in labels] == [
        ("person", 0, True),
        ("tree", 2, True),
    ]
    person = labels[0]
    assert person.score == pytest.approx(0.9)
    assert person.region_source == person.REGION_ATTENTION
    region = person.region
    assert (region.x_offset, region.y_offset, region.width, region.height) == (1, 2, 3, 4)
    assert person.region_mass == pytest.approx(0.7)
    assert person.thermal_share == pytest.approx(0.25)


def test_an_empty_array_is_published_when_nothing_is_present(rig, fake_engine):
    rig.start(fake_engine(scores=(0.1, 0.2, 0.3)))
    rig.send_pair(START)
    wait_images(rig, 1)
    assert rig.messages["entities"][0].labels == []


def test_publish_all_threshold_and_max_labels(rig):
    from rclpy.parameter import Parameter

    rig.start(parameters={"entities.publish_all": True})

    def labels_with(count, **parameters):
        results = rig.node.set_parameters(
            [Parameter(f"entities.{name}", value=value) for name, value in parameters.items()]
        )
        assert all(result.successful for result in results)
        rig.send_pair(START + count * 100 * MS)
        wait_images(rig, count)
        message = rig.messages["entities"][-1]
        return message.threshold, [(label.name, label.present) for label in message.labels]

    _, labels = labels_with(1)
    assert labels == [("person", True), ("tree", True), ("car", False)]
    threshold, labels = labels_with(2, threshold=0.15)
    assert threshold == pytest.approx(0.15)
    assert labels == [("person", True), ("tree", True), ("car", True)]
    _, labels = labels_with(3, max_labels=1)
    assert labels == [("person", True)]


def test_the_vocabulary_is_latched_and_precedes_the_arrays(rig):
    from egmt_msgs.msg import EntityVocabulary
    from rclpy.qos import DurabilityPolicy, QoSProfile

    rig.start()
    (vocabulary,) = rig.messages["vocabulary"]
    assert vocabulary.names == ["person", "car", "tree"]
    assert list(vocabulary.thresholds) == [0.5, 0.5, 0.5]
    assert vocabulary.vocabulary_hash == rig.engine.vocabulary_hash
    late = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    topic = f"{rig.base}/output/vocabulary"
    rig.tester.create_subscription(EntityVocabulary, topic, late.append, latched)
    rig.wait(lambda: late, "a late joiner gets the vocabulary")


def test_attention_and_timing_are_published_for_a_subscriber(rig):
    from egmt_msgs.msg import EntityAttention
    from std_msgs.msg import Float64

    rig.start()
    rig.send_pair(START)
    wait_images(rig, 1)
    got = {"attention": [], "processing_time_ms": [], "pipeline_latency_ms": [], "pair_gap_ms": []}
    topic = f"{rig.base}/output/attention"
    rig.tester.create_subscription(EntityAttention, topic, got["attention"].append, 10)
    for name in list(got)[1:]:
        topic = f"{rig.base}/debug/{name}"
        rig.tester.create_subscription(Float64, topic, got[name].append, 10)
    base = rig.base
    topics = [f"{base}/output/attention", *(f"{base}/debug/{name}" for name in list(got)[1:])]
    rig.wait(
        lambda: all(rig.node.count_subscribers(topic) == 1 for topic in topics),
        "the node sees the subscribers",
    )
    rig.send_pair(START + 100 * MS, gap=3 * MS)
    rig.wait(lambda: all(got.values()), "each topic has a message")
    attention = got["attention"][-1]
    assert list(attention.indices) == [0, 1, 2]
    assert (attention.rows, attention.cols) == (2, 3)
    assert bytes(attention.data) == b"\xff" * 18
    assert stamp_of(attention.header.stamp) == START + 100 * MS
    assert got["pair_gap_ms"][-1].data == pytest.approx(3.0)
    assert got["pipeline_latency_ms"][-1].data >= got["processing_time_ms"][-1].data > 0.0


def test_bad_frames_are_rejected_counted_by_reason_and_do_not_stop_the_node(rig):
    rig.start(parameters={"thermal.range_mode": "frame"})
    colour = np.full((64, 64, 3), 50, np.uint8)
    bad = [
        {"width": 0, "height": 0},
        {"step": 10},
        {"data": b"123"},
        {"encoding": "bayer_unheard_of8"},
    ]
    for i, changes in enumerate(bad):
        rig.send("visible", START + i * MS, colour, **changes)
        rig.wait(
            lambda n=i + 1: rig.account("visible")["rejected"] == n, f"rejected: {changes}"
        )
    rig.settled(visible=len(bad))
    hot = np.full((64, 64), 20.0, np.float32)
    hot[:32] = math.nan
    rig.send_pair(START + 50 * MS, pixels=hot, encoding="32FC1")
    rig.wait(lambda: rig.account("thermal")["rejected"] == 1, "an image half NaN is rejected")
    hot[:32] = 30.0
    rig.send_pair(START + 150 * MS, pixels=hot, encoding="32FC1")
    wait_images(rig, 1)
    rig.settled(thermal=2, visible=len(bad) + 2)
    assert fused_stamps(rig) == [START + 150 * MS]
    assert rig.account("visible")["rejected"] == len(bad) + 1
    rig.wait(lambda: rig.reported("visible")["fused"] == 1, "diagnostics are up to date")
    reasons = {
        key: int(value)
        for key, value in rig.status("visible input")[1].items()
        if key.startswith("rejected.")
    }
    assert sum(reasons.values()) == len(bad) + 1
    assert len(reasons) == len(bad) + 1, f"each has its own reason: {reasons}"
    assert reasons["rejected.partner_rejected"] == 1


def test_an_exception_in_the_engine_rejects_the_pair_and_is_an_error(rig):
    rig.start()
    rig.engine.fail = True
    rig.send_pair(START)
    rig.wait(lambda: rig.account("visible")["rejected"] == 1, "the pair is rejected")
    rig.wait(
        lambda: any(
            status.level == status.ERROR and "out of memory" in status.message
            for message in rig.messages["diagnostics"]
            for status in message.status
        ),
        "diagnostics report the error",
    )
    rig.engine.fail = False
    rig.send_pair(START + 100 * MS)
    wait_images(rig, 1)
    rig.settled(thermal=2, visible=2)
    rig.wait(lambda: rig.status("model")[0].level == b"\x00", "the model is well again")


def test_a_slow_engine_is_superseded_by_the_newest_pair(rig, fake_engine):
    engine = fake_engine(delay=0.5)
    rig.start(engine)
    rig.send_pair(START)
    rig.wait(lambda: engine.begun == 1, "the first pair is being fused")
    for i in range(1, 8):
        rig.send_pair(START + i * 40 * MS)
        rig.wait(lambda n=i + 1: rig.account("visible")["received"] == n, f"{i + 1} are received")
    rig.settled(thermal=8, visible=8)
    wait_images(rig, rig.account("visible")["fused"])
    assert rig.account("visible")["superseded"] >= 5
    assert fused_stamps(rig)[0] == START
    assert fused_stamps(rig)[-1] == START + 7 * 40 * MS
    assert rig.account("thermal") == rig.account("visible")


def test_frames_without_a_partner_are_unpaired(rig):
    rig.start()
    for i in range(3):
        rig.send("thermal", START + i * 100 * MS)
    rig.send("visible", START + 900 * MS)
    rig.settled(thermal=3, visible=1)
    assert rig.account("thermal")["unpaired"] == 3
    assert rig.account("visible")["unpaired"] == 1
    assert rig.messages["image"] == []


def test_a_bag_that_loops_goes_on_fusing(rig):
    rig.start()
    stamps = [START + i * 2000 * MS for i in range(4)]
    for round_ in range(3):
        for i, stamp in enumerate(stamps):
            rig.send_pair(stamp)
            wait_images(rig, round_ * 4 + i + 1)
    assert fused_stamps(rig) == stamps * 3
    rig.settled(thermal=12, visible=12)
    assert rig.account("visible")["fused"] == 12
    rig.wait(lambda: rig.status("pairing")[1]["resets"] == "2", "both jumps back are told")


def test_one_thermal_frame_may_serve_several_visible_ones(rig):
    rig.start(parameters={"sync.reuse_thermal": True})
    rig.send("thermal", START)
    for i in range(3):
        rig.send("visible", START + i * 10 * MS)
    wait_images(rig, 1)
    rig.settled(thermal=1, visible=3)
    assert rig.account("thermal")["fused"] == 1
    counts = rig.account("visible")
    assert counts["fused"] + counts["superseded"] == 3


def test_16_bit_and_float_thermal_and_rgb_visible(rig):
    rig.start(parameters={"thermal.fixed_min": 7000.0, "thermal.fixed_max": 9000.0})
    raw = np.full((64, 64), 8000, np.uint16)
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[..., 0] = 255  # red
    rig.send("thermal", START, raw, "mono16")
    rig.send("visible", START, rgb, "rgb8")
    wait_images(rig, 1)
    big_endian = raw.astype(">u2").view(np.uint8).reshape(64, 128)
    rig.send(
        "thermal", START + 100 * MS, big_endian, "16UC1", is_bigendian=1, width=64, step=128
    )
    rig.send("visible", START + 100 * MS, rgb, "rgb8")
    wait_images(rig, 2)
    rig.send("thermal", START + 200 * MS, raw.astype(np.float32), "32FC1")
    rig.send("visible", START + 200 * MS, np.full((64, 64), 9, np.uint8), "mono8")
    wait_images(rig, 3)
    kinds = [(array.dtype.str, float(array[0, 0])) for array in rig.engine.thermal]
    assert kinds == [("<u2", 8000.0), ("<u2", 8000.0), ("<f4", 8000.0)]
    assert {(limits.low, limits.high) for limits in rig.engine.ranges} == {(7000.0, 9000.0)}
    images = rig.messages["image"]
    assert [image.encoding for image in images] == ["bgr8", "bgr8", "mono8"]
    assert struct.unpack_from("3B", images[0].data) == (0, 0, 255), "blue, green, red"


def test_registration_scale_resizes_to_the_reference(rig):
    from rclpy.parameter import Parameter

    rig.start()
    small = np.full((48, 60), 100, np.uint8)
    rig.send_pair(START, pixels=small)
    rig.wait(lambda: rig.account("visible")["rejected"] == 1, "sizes that differ are rejected")
    rig.wait(
        lambda: "registration.mode" in rig.status("visible input")[1]["last_reject"],
        "the reason names the parameter",
    )
    (result,) = rig.node.set_parameters([Parameter("registration.mode", value="scale")])
    assert result.successful
    rig.send_pair(START + 100 * MS, pixels=small)
    wait_images(rig, 1)
    assert rig.engine.thermal[-1].shape == (64, 64)
    assert (rig.messages["image"][0].width, rig.messages["image"][0].height) == (64, 64)


def test_registration_homography_warps_the_thermal_image(rig, tmp_path):
    from rclpy.parameter import Parameter

    path = tmp_path / "homography.yaml"
    path.write_text("homography: [1, 0, 16, 0, 1, 0, 0, 0, 1]\nthermal_size: [40, 64]\n")
    rig.start()
    values = [("registration.mode", "homography"), ("registration.homography", str(path))]
    parameters = [Parameter(name, value=value) for name, value in values]
    (refused,) = rig.node.set_parameters(parameters[:1])
    assert not refused.successful and "registration.homography is empty" in refused.reason
    assert rig.node.set_parameters_atomically(parameters).successful
    path.unlink()  # the node has read it
    rig.send_pair(START, pixels=np.full((64, 40), 100, np.uint8))
    wait_images(rig, 1)
    assert rig.engine.thermal[-1].shape == (64, 64)
    rig.send_pair(START + 100 * MS, pixels=np.full((64, 41), 100, np.uint8))
    rig.wait(lambda: rig.account("visible")["rejected"] == 1, "another size is rejected")
    rig.wait(
        lambda: "calibrated for 40x64" in rig.status("visible input")[1]["last_reject"],
        "the reason names the size",
    )


def test_thermal_can_be_the_reference(rig):
    rig.start(parameters={"output.reference": "thermal", "registration.mode": "scale"})
    rig.send_pair(START, gap=5 * MS, pixels=np.full((48, 60), 100, np.uint8))
    wait_images(rig, 1)
    image, labels = rig.messages["image"][0], rig.messages["entities"][0]
    assert image.header == labels.header
    assert image.header.frame_id == "thermal_optical_frame"
    assert stamp_of(image.header.stamp) == START + 5 * MS
    assert (image.width, image.height) == (60, 48)
    assert stamp_of(labels.visible_stamp) == START


def test_bad_frames_and_failures_in_turn_do_not_stop_the_worker(rig, capfd):
    rig.start(parameters={"thermal.range_mode": "frame"})
    nan = np.full((64, 64), math.nan, np.float32)

    def send(number, **kwargs):
        rig.send_pair(START + number * 100 * MS, **kwargs)
        rig.settled(thermal=number, visible=number)

    send(1, pixels=nan, encoding="32FC1")  # found bad in the worker's thread, which warns
    rig.engine.fail = True
    send(2)  # an error
    rig.engine.fail = False
    send(3)
    wait_images(rig, 1)
    send(4, pixels=nan, encoding="32FC1")
    send(5)
    wait_images(rig, 2)
    assert fused_stamps(rig) == [START + 300 * MS, START + 500 * MS]
    counts = rig.account("thermal")
    assert (counts["fused"], counts["rejected"]) == (2, 3)
    assert counts["rejected.inference_failed"] == 1
    log = capfd.readouterr().err
    assert log.count("thermal image rejected") == log.count("a pair could not be fused") == 1


def test_fifty_equal_bad_frames_are_one_line_and_counted(rig, capfd):
    rig.start(parameters={"input.visible.depth": 100})
    for i in range(50):
        rig.send("visible", START + i * MS, step=10)
        rig.wait(lambda n=i + 1: rig.account("visible")["rejected"] == n, f"{i + 1} rejected")
    lines = [line for line in capfd.readouterr().err.splitlines() if "image rejected" in line]
    assert len(lines) == 1, lines
    rig.wait(lambda: rig.reported("visible")["rejected"] == 50, "diagnostics count them")
