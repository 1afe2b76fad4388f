"""`egmt bag info`: what it tells of good bags, odd ones and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from egmt_ros.cli import main
from egmt_ros.evaluation.bags.bag_facts import Format, bag_facts
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import (
    COMPRESSED_IMAGE,
    ENTITIES,
    IMAGE,
    header_message,
    image_message,
    typestore,
)
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.bags.truth_messages import (
    TRUTH_TOPIC,
    TruthLabel,
    truth_message,
)

MS = 1_000_000
START = 1_760_000_000_000 * MS
THERMAL, VISIBLE = "/thermal/image_raw", "/visible/image_raw"
GREY, COLOUR = np.zeros((48, 64), np.uint8), np.zeros((48, 64, 3), np.uint8)


def write(writer: BagWriter, topic: str, image: np.ndarray, stamp: int, late: int = 2) -> None:
    writer.write(topic, stamp + late * MS, image_message(image, stamp, "camera"))


def two_cameras(path: Path, frames: int = 20) -> Path:
    """Thermal at 10 Hz, visible at 20 Hz, 60 ms later than the thermal for the second half."""
    with BagWriter(path) as writer:
        writer.add_topic(THERMAL, IMAGE, best_effort=True)
        writer.add_topic(VISIBLE, IMAGE)
        for k in range(frames):
            shift = 60 if k >= frames // 2 else 0
            write(writer, THERMAL, GREY, START + 100 * k * MS)
            write(writer, VISIBLE, COLOUR, START + (100 * k + shift) * MS, late=3)
    return path


def test_what_good_images_tell(tmp_path: Path) -> None:
    with BagSource(two_cameras(tmp_path / "bag")) as bag:
        facts = bag_facts(bag)
    thermal, visible = facts.images[THERMAL], facts.images[VISIBLE]
    assert (facts.thermal.name, facts.visible.name, facts.truth) == (THERMAL, VISIBLE, None)
    assert thermal.formats == ((Format("mono8", 64, 48), 20),)
    assert visible.formats == ((Format("bgr8", 64, 48), 20),)
    assert thermal.interval_ms.p50 == thermal.interval_ms.max == 100.0
    assert (visible.interval_ms.p50, visible.interval_ms.max) == (100.0, 160.0)
    assert (visible.jitter_ms.p50, visible.jitter_ms.max) == (0.0, 60.0)
    assert (thermal.delay_ms.max, visible.least_delay_ms) == (2.0, 3.0)
    assert thermal.backward == thermal.repeated == thermal.unstamped == thermal.unreadable == 0
    # The first thermal frame after the gap is 60 ms from its partner, the others 40 from another.
    assert facts.paired == 19 / 20
    assert facts.damage == facts.unclear == ""


def test_what_odd_images_tell(tmp_path: Path) -> None:
    png = cv2.imencode(".png", GREY)[1].reshape(-1)
    compressed = typestore().types[COMPRESSED_IMAGE]
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic(THERMAL, IMAGE)
        writer.add_topic(VISIBLE, COMPRESSED_IMAGE)
        for stamp in (START, START + 100 * MS, START + 40 * MS, START + 40 * MS, 0):
            image = image_message(GREY if stamp > START else GREY[:24], stamp, "camera")
            writer.write(THERMAL, START, image)
        writer.write_raw(THERMAL, START, b"\0\1\0\0no image")
        for data in (png, png[:9], np.frombuffer(b"nothing", np.uint8)):
            header = header_message(START, "camera")
            writer.write(VISIBLE, START, compressed(header, "mono8; png compressed", data))
    with BagSource(tmp_path / "bag") as bag:
        facts = bag_facts(bag)
    thermal, visible = facts.images[THERMAL], facts.images[VISIBLE]
    assert dict(thermal.formats) == {Format("mono8", 64, 48): 3, Format("mono8", 64, 24): 2}
    assert (thermal.backward, thermal.repeated, thermal.unstamped) == (2, 1, 1)
    assert (thermal.frames, thermal.unreadable) == (6, 1)
    assert thermal.furthest_back_ms == pytest.approx((START + 40 * MS) / 1e6)
    assert visible.formats == ((Format("mono8; png compressed", 64, 48), 1),)
    assert (visible.frames, visible.unreadable, visible.interval_ms) == (3, 2, None)


def test_what_would_be_taken_for_the_truth(tmp_path: Path) -> None:
    message = truth_message([TruthLabel(0, "person", True)], START, "camera", (64, 48), "m")
    for name, topics, expected in (
        ("a", ("/fusion/output", "/other_truth", TRUTH_TOPIC), TRUTH_TOPIC),
        ("b", ("/fusion/output", "/my_truth"), "/my_truth"),
        ("c", ("/fusion/output",), None),
        ("d", ("/one/truth", "/other/truth"), None),
    ):
        with BagWriter(tmp_path / name) as writer:
            for topic in topics:
                writer.add_topic(topic, ENTITIES)
                writer.write(topic, START, message)
        with BagSource(tmp_path / name) as bag:
            facts = bag_facts(bag)
        assert (facts.truth and facts.truth.name) == expected
        assert ("several topics that may be the ground truth" in facts.unclear) == (name == "d")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bag = str(two_cameras(tmp_path / "bag"))
    assert main(["bag", "info", bag]) == 0
    said = capsys.readouterr().out
    assert "best effort" in said and "mono8 64x48 (all 20 messages looked at)" in said
    assert "95.0% of the thermal frames have a visible one within 50 ms" in said
    assert f"thermal: {THERMAL} (found by name)" in said and "ground truth: none" in said
    assert main(["bag", "info", bag, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    first = content["topics"][0]
    assert (first["name"], first["count"], first["best_effort"]) == (THERMAL, 20, True)
    assert first["qos"][0] == {
        "history": "keep_last", "depth": 10, "reliability": "best_effort", "durability": "volatile",
    }  # fmt: skip
    assert content["images"][VISIBLE]["formats"] == [
        {"encoding": "bgr8", "width": 64, "height": 48, "frames": 20}
    ]
    assert content["images"][VISIBLE]["jitter_ms"]["max"] == 60.0


def test_a_bag_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        writer.add_topic("/text", "std_msgs/msg/String", latched=True)
        writer.write("/text", START, typestore().types["std_msgs/msg/String"]("hello"))
    assert main(["bag", "info", str(tmp_path / "bag")]) == 0
    said = capsys.readouterr().out
    assert "latched" in said and "not clear: bag" in said and "thermal: none" in said


@pytest.mark.parametrize("how", ["cut", "overwritten"])
def test_what_is_left_of_a_damaged_bag(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    with BagWriter(tmp_path / "bag", compress=True) as writer:
        writer.add_topic(VISIBLE, IMAGE)
        for k in range(6):
            write(writer, VISIBLE, noise, START + 100 * k * MS)
    file = tmp_path / "bag" / "bag.mcap"
    data = file.read_bytes()
    middle = len(data) * 2 // 3
    if how == "cut":
        file.write_bytes(data[:middle])
    else:
        file.write_bytes(data[:middle] + b"\xff" * 400_000 + data[middle + 400_000 :])
    assert main(["bag", "info", str(tmp_path / "bag"), "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert 0 < content["images"][VISIBLE]["frames"] < 6 and content["damage"]
    assert main(["bag", "info", str(tmp_path / "bag")]) == 1
    assert "THIS IS NOT ALL: bag" in capsys.readouterr().out
