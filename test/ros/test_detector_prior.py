"""The example node over real DDS: what reaches the detector, and what does not."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("egmt_msgs.msg", reason="egmt_msgs is not built")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from egmt_msgs.msg import EntityLabel, EntityLabelArray, EntityVocabulary  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest  # noqa: E402

from egmt_ros.errors import ConfigError, MissingDependencyError  # noqa: E402
from egmt_ros.ros import qos  # noqa: E402
from egmt_ros.ros.detector_prior import DetectorPriorNode  # noqa: E402

MS = 1_000_000
START = 1_700_000_000_000_000_000
NAMES = ["person", "car", "tree"]
RELIABLE = qos.stream("reliable", 50)


def stamp_of(message):
    return message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


class Bench:
    """The node, a fusion node and a detector that are played by the tester."""

    def __init__(self, rig, make_image):
        self.rig, self.make_image = rig, make_image
        tester = rig.tester
        for key, kind in (
            ("image", Image),
            ("camera_info", CameraInfo),
            ("classes", DiagnosticArray),
        ):
            tester.create_subscription(
                kind, f"/detector_prior/output/{key}", rig.messages[f"prior_{key}"].append, RELIABLE
            )
        self.image = tester.create_publisher(
            Image, "/detector_prior/input/image", qos_profile_sensor_data
        )
        self.labels = tester.create_publisher(
            EntityLabelArray, "/detector_prior/input/entities", RELIABLE
        )
        self.vocabulary = tester.create_publisher(
            EntityVocabulary, "/detector_prior/input/vocabulary", qos.latched()
        )

    def start(self, remap=None, **parameters):
        values = {"classes": ["person", "car"], "gate.probe": 0.0, "wait": 5.0, **parameters}
        remaps = [
            word for own, topic in (remap or {}).items() for word in ("-r", f"{own}:={topic}")
        ]
        self.node = DetectorPriorNode(
            context=self.rig.node_context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
            cli_args=["--ros-args", *remaps],
        )
        self.rig.nodes.append(self.node)
        self.rig._spinners.append(self.rig._spin(self.node, self.rig.node_context))
        inputs = () if remap else (self.image, self.labels, self.vocabulary)
        publishers = (*inputs, self.node._image, self.node._camera_info, self.node._class_status)
        self.rig.wait(
            lambda: all(one.get_subscription_count() == 1 for one in publishers),
            "detector_prior is connected",
        )

    def know(self, vocabulary_hash="v1", names=NAMES):
        self.vocabulary.publish(
            EntityVocabulary(
                vocabulary_hash=vocabulary_hash, names=names, thresholds=[0.5] * len(names)
            )
        )
        self.rig.wait(
            lambda: (
                self.node._matcher._vocabulary is not None
                and self.node._matcher._vocabulary.vocabulary_hash == vocabulary_hash
            ),
            f"vocabulary {vocabulary_hash} is known",
        )

    def send_image(self, stamp, encoding="bgr8"):
        pixels = np.arange(64 * 96 * 3, dtype=np.uint32).astype(np.uint8).reshape(64, 96, 3)
        self.pixels = pixels
        self.image.publish(self.make_image(pixels, encoding, stamp, "camera"))

    def send_labels(self, stamp, *names, vocabulary_hash="v1"):
        array = EntityLabelArray(width=96, height=64, vocabulary_hash=vocabulary_hash)
        array.header.stamp.sec, array.header.stamp.nanosec = divmod(stamp, 1_000_000_000)
        for name in names:
            region = RegionOfInterest(x_offset=32, y_offset=16, width=16, height=32)
            array.labels.append(
                EntityLabel(
                    index=NAMES.index(name), name=name, score=0.9, present=True, region=region,
                    region_source=EntityLabel.REGION_ATTENTION, region_mass=0.9,
                )
            )  # fmt: skip
        self.labels.publish(array)

    def advised(self, count):
        """{class: (reason, values)} of the newest advice, once there are so many."""
        statuses = self.rig.messages["prior_classes"]
        self.rig.wait(lambda: len(statuses) == count, f"{count} advices")
        return {
            status.name: (status.message, {item.key: item.value for item in status.values})
            for status in statuses[-1].status
        }

    def shown(self, count):
        images, infos = self.rig.messages["prior_image"], self.rig.messages["prior_camera_info"]
        self.rig.wait(lambda: len(images) == len(infos) == count, f"{count} images are shown")
        return images[-1], infos[-1]


@pytest.fixture
def bench(rig, make_image):
    return Bench(rig, make_image)


def test_beside_the_fusion_node_the_fused_image_passes_with_its_advice(bench, rig):
    rig.start()
    fusion = "/egmt_fusion/output"
    bench.start(
        {f"~/input/{name}": f"{fusion}/{name}" for name in ("image", "entities", "vocabulary")},
        classes=["Pedestrian", "car"],
    )
    rig.wait(lambda: bench.node._classes[0].entities == ("person",), "the vocabulary has come")
    # Fused images also go to the rig's listener; the prior's must have been found as well.
    rig.wait(
        lambda: (
            rig.node._outputs._image.get_subscription_count() == 2
            and rig.node._outputs._entities.get_subscription_count() == 2
        ),
        "the fusion node has found detector_prior",
    )
    rig.send_pair(START)
    advice = bench.advised(1)
    assert advice["Pedestrian"][0] == "present" and advice["Pedestrian"][1]["run"] == "true"
    assert float(advice["Pedestrian"][1]["threshold"]) == pytest.approx(0.2689, abs=1e-4)
    assert float(advice["Pedestrian"][1]["score"]) == pytest.approx(0.9)
    assert advice["car"] == ("absent", {"run": "false", "threshold": "0.5", "score": ""})
    image, info = bench.shown(1)
    assert image == rig.messages["image"][0]
    assert image.header == info.header == rig.messages["prior_classes"][0].header
    assert (info.width, info.height, info.roi.width, info.roi.height) == (64, 64, 64, 64)


def test_the_detector_sees_only_frames_with_something_to_find(bench, rig):
    bench.start(**{"gate.hold": 0.1})
    bench.know()
    frames = [("person",), (), (), (), ("tree",), ("car",)]
    expected = ["present", "held", "absent", "absent", "absent", "absent"]
    for i, names in enumerate(frames):
        stamp = START + i * 100 * MS
        bench.send_image(stamp)
        bench.send_labels(stamp, *names)
        assert bench.advised(i + 1)["person"][0] == expected[i]
    bench.shown(3)
    stamps = [round((stamp_of(m) - START) / (100 * MS)) for m in rig.messages["prior_image"]]
    assert stamps == [0, 1, 5]


def test_the_crop_is_cut_out_and_says_where_it_was(bench, rig):
    bench.start(crop_image=True, **{"crop.min_size": 8})
    bench.know()
    bench.send_image(START)
    bench.send_labels(START, "person")
    image, info = bench.shown(1)
    roi = info.roi
    assert (roi.x_offset, roi.y_offset, roi.width, roi.height) == (28, 8, 24, 48)
    assert (image.width, image.height, image.step) == (24, 48, 72)
    pixels = np.frombuffer(image.data, np.uint8).reshape(48, 24, 3)
    assert (pixels == bench.pixels[8:56, 28:52]).all()
    # Bayer images cannot be cut: they pass whole.
    bench.send_image(START + 10 * MS, encoding="bayer_rggb8")
    bench.send_labels(START + 10 * MS, "person")
    image, info = bench.shown(2)
    assert (image.width, image.encoding, info.roi.width) == (96, "bayer_rggb8", 96)


def test_labels_of_another_vocabulary_wait_for_it_or_are_not_used(bench, rig):
    bench.start(wait=0.4, **{"gate.hold": 0.0})
    bench.know("v1")
    # Those of the new one come before it: the image waits.
    bench.send_image(START)
    bench.send_labels(START, vocabulary_hash="v2")
    rig.wait(lambda: bench.node._matcher._arrays, "the labels are there")
    bench.know("v2")
    assert bench.advised(1)["person"][0] == "absent"
    # Those of the old one: the detector runs as if there were no labels.
    bench.send_image(START + 100 * MS)
    bench.send_labels(START + 100 * MS, vocabulary_hash="v1")
    assert bench.advised(2)["person"] == (
        "no labels", {"run": "true", "threshold": "0.5", "score": ""},
    )  # fmt: skip
    # A vocabulary without people: they are always looked for.
    bench.know("v3", ["tree"])
    bench.send_image(START + 200 * MS)
    bench.send_labels(START + 200 * MS, vocabulary_hash="v3")
    assert bench.advised(3)["person"][0] == "unknown class"
    bench.shown(2)


def test_without_labels_an_image_waits_until_the_time_is_up_or_the_next_one_comes(bench, rig):
    bench.start(wait=0.3)
    bench.know()
    for i in range(3):
        bench.send_image(START + i * 100 * MS)
    bench.shown(3)
    bench.send_labels(START + 1000 * MS)
    rig.wait(lambda: bench.node._matcher._arrays, "the labels are there")
    bench.send_image(START)  # too old for them
    assert bench.advised(4)["person"][0] == "no labels"
    assert [stamp_of(m) - START for m in rig.messages["prior_image"][:3]] == [0, 100 * MS, 200 * MS]


def test_a_bad_parameter_is_refused_at_the_start_and_any_change_later(bench, rig):
    with pytest.raises(ConfigError, match="gate.hold is 'long'"):
        bench.start(**{"gate.hold": "long"})
    bench.start(**{"gate.hold": 2})
    assert bench.node._wanted.settings.gate.hold == 2
    (result,) = bench.node.set_parameters([Parameter("gate.hold", value=1.0)])
    assert not result.successful and "read-only" in result.reason
    assert bench.node.describe_parameter("gate.hold").description.endswith(" s.")


def test_vision_msgs_are_published_where_they_are_installed(bench, rig):
    vision_msgs = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    bench.start(vision_msgs=True)
    received = rig.messages
    for name, kind, profile in (
        ("classification", vision_msgs.Classification, RELIABLE),
        ("proposals", vision_msgs.Detection2DArray, RELIABLE),
        ("label_info", vision_msgs.LabelInfo, qos.latched()),
        ("vision_info", vision_msgs.VisionInfo, qos.latched()),
    ):
        topic = f"/detector_prior/output/{name}"
        rig.tester.create_subscription(kind, topic, received[name].append, profile)
    outputs = bench.node._vision
    rig.wait(
        lambda: (
            outputs._proposals.get_subscription_count() == 1
            and outputs._classification.get_subscription_count() == 1
        ),
        "listeners are connected",
    )
    bench.know()
    bench.send_labels(START, "person")
    names = ("classification", "proposals", "label_info", "vision_info")
    rig.wait(lambda: all(received[name] for name in names), "all four have come")
    (result,) = received["classification"][0].results
    assert result.class_id == "0" and result.score == pytest.approx(0.9)
    box = received["proposals"][0].detections[0].bbox
    assert (box.center.position.x, box.center.position.y, box.size_x) == (40.0, 32.0, 16.0)
    assert [one.class_name for one in received["label_info"][0].class_map] == NAMES
    assert received["vision_info"][0].database_location == "/detector_prior/output/label_info"


def test_vision_msgs_that_are_missing_are_an_error_that_names_the_package(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "vision_msgs", None)
    with pytest.raises(MissingDependencyError, match="apt install ros-.*-vision-msgs"):
        bench.start(vision_msgs=True)


# The process ---------------------------------------------------------------------------------

NODE = [sys.executable, "-m", "egmt_ros.ros.detector_prior_node"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_process_runs_until_a_signal(bench, rig, name, tmp_path):
    log, stamps = tmp_path / "log", itertools.count(START, MS)
    with log.open("w") as file:
        child = subprocess.Popen(NODE, stdout=file, stderr=subprocess.STDOUT)
    bench.vocabulary.publish(EntityVocabulary(vocabulary_hash="v1", names=NAMES))

    def works():
        assert child.poll() is None, log.read_text()
        bench.send_image(next(stamps))  # again, until both sides have found each other
        time.sleep(0.05)
        # The classes that no entity means are named.
        return rig.messages["prior_image"] and "motorcycle" in log.read_text()

    try:
        rig.wait(works, "an image passes and the vocabulary is known", 20)
        child.send_signal(getattr(signal, name))
        assert child.wait(15) == 0, log.read_text()
    finally:
        child.kill()
        child.wait()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-p", "gate.hold:=-1.0"], "detector_prior: gate.hold is -1.0: expected a number"),
        (["-p", "classes:=[person, person]"], "'person' twice"),
        (["--params-file", "/nowhere.yaml"], "/nowhere.yaml"),
    ],
)
def test_what_cannot_start_ends_with_a_clear_line_and_status_2(ros_domain, arguments, words):
    command = [*NODE, "--ros-args", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2, ended.stderr
    assert words in ended.stderr and "Traceback" not in ended.stderr


def test_without_ros_one_line_says_what_is_missing_and_what_to_do():
    program = (
        "import sys; sys.modules['rclpy'] = None\n"
        "from egmt_ros.ros.detector_prior_node import main; sys.exit(main([]))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("detector_prior: the node needs rclpy") and "make setup" in line
