"""The cameras and the ground truth of a bag are found, or what is unclear is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_topics import find_image_topics, find_truth_topic
from egmt_ros.evaluation.bags.bag_types import (
    COMPRESSED_IMAGE,
    ENTITIES,
    IMAGE,
    header_message,
    image_message,
    typestore,
)
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.bags.truth_messages import TRUTH_TOPIC, TruthLabel, truth_message

T0 = 1_700_000_000_000_000_123
GREY, COLOUR = np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8)


def compressed(image: np.ndarray) -> Any:
    """A PNG whose field `format` says nothing of its colours."""
    data = np.frombuffer(cv2.imencode(".png", image)[1].tobytes(), np.uint8)
    return typestore().types[COMPRESSED_IMAGE](header_message(T0, "camera"), "png", data)


def make_images(path: Path, topics: dict[str, Any]) -> BagSource:
    messages = []
    for name, image in topics.items():
        if isinstance(image, np.ndarray):
            messages.append(BagMessage(name, IMAGE, T0, image_message(image, T0, "camera")))
        else:
            messages.append(BagMessage(name, COMPRESSED_IMAGE, T0, image))
    write_bag(path, messages)
    return BagSource(path)


PACKED_GREY, PACKED_COLOUR = compressed(GREY), compressed(COLOUR)


@pytest.mark.parametrize(
    ("topics", "thermal", "visible"),
    [
        ({"/thermal/image_raw": GREY, "/visible/image_raw": COLOUR}, (0, "name"), (1, "name")),
        ({"/camera/color/image_raw": COLOUR, "/flir_boson/image": GREY}, (1, "name"), (0, "name")),
        ({"/front/image": COLOUR, "/lwir/image": GREY}, (1, "name"), (0, "encoding")),
        ({"/left/image": COLOUR, "/right/image": GREY}, (1, "encoding"), (0, "encoding")),
        ({"/ir/image": GREY, "/cam/image": GREY}, (0, "name"), (1, "left")),
        ({"/rgb/image": COLOUR, "/cam/image": COLOUR}, (1, "left"), (0, "name")),
        ({"/ir/image": GREY, "/rgb/image": COLOUR, "/egmt/output/image": COLOUR},
         (0, "name"), (1, "name")),
        ({"/ir/image/compressed": PACKED_GREY, "/rgb/image/compressed": PACKED_COLOUR},
         (0, "name"), (1, "name")),
        ({"/ir/image": GREY, "/ir/image/compressed": PACKED_GREY, "/rgb/image": COLOUR,
          "/rgb/image/compressed": PACKED_COLOUR}, (0, "name"), (2, "name")),
        ({"/ir/image_raw": GREY, "/ir/image_rect/compressed": PACKED_GREY,
          "/rgb/image/compressed": PACKED_COLOUR}, (0, "name"), (2, "name")),
        ({"/a/image/compressed": PACKED_GREY, "/b/image/compressed": PACKED_COLOUR},
         (0, "encoding"), (1, "encoding")),
    ],
)  # fmt: skip
def test_image_topics_are_found(tmp_path, topics, thermal, visible):
    names = list(topics)
    with make_images(tmp_path / "bag", topics) as bag:
        found = find_image_topics(bag)
        types = {topic.name: topic.msgtype for topic in bag.topics}
    for topic, (index, how) in zip(found, (thermal, visible), strict=True):
        assert topic.name == names[index] and topic.msgtype == types[topic.name]
        assert how in topic.how


def test_unclear_image_topics_are_listed(tmp_path):
    with make_images(tmp_path / "a", {"/a/image": COLOUR, "/b/image": COLOUR}) as bag:
        with pytest.raises(BagError, match="thermal.*--thermal-topic.*/a/image"):
            find_image_topics(bag)
    three = {"/ir/image": GREY, "/rgb_left/image": COLOUR, "/rgb_right/image": COLOUR}
    with make_images(tmp_path / "b", three) as bag:
        with pytest.raises(BagError, match="several visible.*rgb_left.*--visible-topic"):
            find_image_topics(bag)
        assert find_image_topics(bag, visible="/rgb_left/image").thermal.name == "/ir/image"
    write_bag(tmp_path / "c", [], topics={"/ir/image": IMAGE, "/rgb/image": IMAGE})
    with BagSource(tmp_path / "c") as bag:
        with pytest.raises(BagError, match="no message, so no thermal.*/ir/image"):
            find_image_topics(bag)
        with pytest.raises(BagError, match="/ir/image .*holds no message.*--thermal-topic"):
            find_image_topics(bag, "/ir/image")


def test_named_topics_must_be_there_and_be_images(tmp_path):
    topics = {"/ir/image": GREY, "/rgb/image": COLOUR, "/other/image": GREY}
    with make_images(tmp_path / "bag", topics) as bag:
        found = find_image_topics(bag, thermal="/other/image")
        assert (found.thermal.name, found.thermal.how) == ("/other/image", "named")
        assert (found.visible.name, found.visible.how) == ("/rgb/image", "found by name")
        with pytest.raises(BagError, match="no topic /gone.*/ir/image"):
            find_image_topics(bag, thermal="/gone")
        with pytest.raises(BagError, match="named for both cameras"):
            find_image_topics(bag, "/ir/image", "/ir/image")
    write_bag(tmp_path / "labels", [], topics={"/labels": ENTITIES, "/rgb/image": IMAGE})
    with BagSource(tmp_path / "labels") as bag:
        with pytest.raises(BagError, match=f"/labels .*{ENTITIES}; {IMAGE} or {COMPRESSED_IMAGE}"):
            find_image_topics(bag, "/labels", "/rgb/image")


def test_an_image_that_cannot_be_read_is_no_reason_against_the_others(tmp_path):
    broken = typestore().types[COMPRESSED_IMAGE](
        header_message(T0, "camera"), "jpeg", np.zeros(9, np.uint8)
    )
    with make_images(tmp_path / "bag", {"/a": broken, "/b": COLOUR, "/ir": GREY}) as bag:
        assert [topic.name for topic in find_image_topics(bag)] == ["/ir", "/b"]


@pytest.mark.parametrize(
    ("topics", "expected", "how"),
    [
        ({"/fusion/labels": "egmt@1", TRUTH_TOPIC: "x"}, TRUTH_TOPIC, "name"),
        ({"/fusion/labels": "egmt@1", "/my_truth": "x"}, "/my_truth", "name"),
        ({"/fusion/labels": "egmt@1", "/labels": "ground_truth_partial"}, "/labels", "model_id"),
        ({"/fusion/labels": "egmt@1"}, None, None),
        ({"/egmt_fusion/output/entities": "ground_truth"}, None, None),
    ],
)
def test_the_truth_is_known_by_its_name_or_by_what_it_calls_itself(
    tmp_path, topics, expected, how
):
    with make_arrays(tmp_path / "bag", topics) as bag:
        found = find_truth_topic(bag)
        if expected is None:
            assert found is None
        else:
            assert (found.name, found.msgtype) == (expected, ENTITIES) and how in found.how
        named = find_truth_topic(bag, "/fusion/labels") if "/fusion/labels" in topics else None
        assert named is None or named.how == "named"
        assert find_truth_topic(bag, "") is None
        with pytest.raises(BagError, match="no topic /gone"):
            find_truth_topic(bag, "/gone")


def test_several_truths_are_named(tmp_path):
    with make_arrays(tmp_path / "bag", {"/one/truth": "x", "/other/truth": "x"}) as bag:
        with pytest.raises(BagError, match="/one/truth, /other/truth; name one.*--truth-topic"):
            find_truth_topic(bag)


def make_arrays(path: Path, topics: dict[str, str]) -> BagSource:
    label = TruthLabel(0, "person", True)
    write_bag(path, [
        BagMessage(name, ENTITIES, T0, truth_message([label], T0, "camera", (64, 48), model))
        for name, model in topics.items()
    ])  # fmt: skip
    return BagSource(path)
