"""Ground truth of a bag or an annotation file, matched to the frames of a replay: truth.csv."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_types import ENTITIES
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.bags.truth_messages import (
    PARTIAL,
    TRUTH_TOPIC,
    WHOLE,
    TruthLabel,
    truth_message,
)
from egmt_ros.evaluation.replay.tables import FRAMES, TRUTH, read_table
from egmt_ros.evaluation.replay.truth import Truth, nearest, write_truth
from egmt_ros.evaluation.replay.truth_sources import (
    truth_from_bag,
    truth_from_file,
    truth_vocabulary,
)

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
VOCABULARY = truth_vocabulary(["person", "bicycle", "car"])




def array(stamp, labels, model_id=WHOLE):
    """EntityLabelArray of {name: thermal_share of what is there, or None: said to be absent}."""
    listed = [
        TruthLabel(0, name, share is not None, math.nan if share is None else share)
        for name, share in labels.items()
    ]
    return truth_message(listed, stamp, "camera", (64, 64), model_id)


def truth_bag(path, arrays, topic=TRUTH_TOPIC):
    write_bag(path, [BagMessage(topic, ENTITIES, START + i, m) for i, m in enumerate(arrays)],
              topics={topic: ENTITIES})  # fmt: skip
    return path


def frames_of(replay_folder, path, stamps):
    replay_folder(path, stamps)
    return read_table(path / FRAMES)


def test_what_an_array_does_not_list_is_absent_or_with_partial_unknown(replay_folder, tmp_path):
    bag = truth_bag(
        tmp_path / "bag",
        [
            array(START, {"person": 1.0, "car": None}),
            array(START + SECOND, {"person": 0.5, "car": None}, PARTIAL),
            array(START + 2 * SECOND, {}, PARTIAL),
            array(START + 3 * SECOND, {}, "someone"),
        ],
    )
    truth = truth_from_bag(bag, TRUTH_TOPIC, VOCABULARY)
    assert truth.entities == ("person", "bicycle", "car")
    assert truth.present.tolist() == [[1, 0, 0], [1, -1, 0], [-1, -1, -1], [0, 0, 0]]
    assert truth.shares[:2, 0].tolist() == [1.0, 0.5] and np.isnan(truth.shares[:, 1:]).all()
    stamps = [START + i * SECOND for i in range(4)]
    frames = frames_of(replay_folder, tmp_path / "out", stamps)
    (note,) = write_truth(tmp_path / "out", truth, frames)
    assert note == (
        "Ground truth: topic /ground_truth/entities, of 4 of 4 fused frames, by the nearest stamp"
        " within 500 ms, half a period."
    )
    lines = (tmp_path / "out" / TRUTH).read_text().splitlines()
    assert lines == [
        "frame,stamp,person,person.thermal_share,bicycle,bicycle.thermal_share,car,"
        "car.thermal_share",
        f"0,{stamps[0]},1,1,0,,0,",
        f"1,{stamps[1]},1,0.5,,,0,",
        f"2,{stamps[2]},,,,,,",
        f"3,{stamps[3]},0,,0,,0,",
    ]


def test_aliases_are_resolved_and_unknown_names_told(tmp_path):
    bag = truth_bag(
        tmp_path / "bag",
        [array(START, {"bike": 1.0, "bicycle": 0.0, "unicorn": 1.0, "deer": None})],
    )
    truth = truth_from_bag(bag, TRUTH_TOPIC, VOCABULARY)
    assert truth.present.tolist() == [[0, 1, 0]] and truth.shares[0, 1] == 0.5
    assert truth.notes == (
        "The ground truth names what the vocabulary lacks: deer, unicorn; it was left out.",
    )


def test_the_later_array_of_a_stamp_counts_where_it_knows(tmp_path):
    bag = truth_bag(
        tmp_path / "bag",
        [
            array(START, {"person": 1.0, "car": 0.0}),
            array(START, {"person": None}, PARTIAL),
        ],
    )
    truth = truth_from_bag(bag, TRUTH_TOPIC, VOCABULARY)
    assert truth.present.tolist() == [[0, 0, 1]] and truth.keys.tolist() == [START]


def test_a_missing_topic_or_another_type_is_named(tmp_path):
    bag = truth_bag(tmp_path / "bag", [], topic="/other")
    with pytest.raises(BagError, match=f"no topic {TRUTH_TOPIC}"):
        truth_from_bag(bag, TRUTH_TOPIC, VOCABULARY)
    assert len(truth_from_bag(bag, "/other", VOCABULARY).keys) == 0


def test_a_damaged_message_ends_the_truth(tmp_path):
    messages = [BagMessage(TRUTH_TOPIC, ENTITIES, START, array(START, {"person": 1.0})),
                BagMessage(TRUTH_TOPIC, ENTITIES, START + 1, b"\0\1\0\0\7")]  # fmt: skip
    for name, chosen in (("whole", messages), ("bad", messages[1:])):
        write_bag(tmp_path / name, chosen)
    truth = truth_from_bag(tmp_path / "whole", TRUTH_TOPIC, VOCABULARY)
    assert len(truth.keys) == 1 and f"ends at stamp {START}: a message of bag" in truth.notes[0]
    with pytest.raises(BagError, match="a message of bag .* is not a valid"):
        truth_from_bag(tmp_path / "bad", TRUTH_TOPIC, VOCABULARY)


def captions(*names):
    entities = {"infrared": ["person"], "visible": ["person", "bike"]}
    return {name: {"captioned_by": "me", "infrared": "", "visible": "", "entities": entities,
                   "unsure": ["car"]} for name in names}  # fmt: skip


def saved(path, content):
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    "names", [("0", "2"), (str(START), str(START + 2 * SECOND)), ("1700000000.0", "1700000002.25")]
)
def test_captions_by_number_stamp_and_seconds(replay_folder, tmp_path, names):
    truth = truth_from_file(saved(tmp_path / "captions.json", captions(*names)), VOCABULARY)
    assert truth.entities == ("person", "bicycle")  # car: unsure, so nothing is known
    frames = frames_of(replay_folder, tmp_path, [START + i * SECOND for i in range(4)])
    (note,) = write_truth(tmp_path, truth, frames)
    assert "captions.json, of 2 of 4 fused frames" in note
    table = read_table(tmp_path / TRUTH)
    assert np.nan_to_num(table.values["person"], nan=-1).tolist() == [1, -1, 1, -1]
    assert table.values["person.thermal_share"][0] == 0.5
    assert table.values["bicycle.thermal_share"][2] == 0.0
    assert "car" not in table.values


def test_labels_that_people_made(replay_folder, tmp_path):
    saved(tmp_path / "labels_meta.json", {"annotated_vocabulary": ["person", "bike", "deer"]})
    boxes = {"0": {"infrared": {"person": 1}, "visible": {}}}
    saved(tmp_path / "labels_by_modality.json", boxes)
    content = {"0": ["person", "deer"], "1": [], "night": ["person"]}
    truth = truth_from_file(saved(tmp_path / "mine.json", content), VOCABULARY)
    assert truth.entities == ("person", "bicycle")
    assert truth.present.tolist() == [[1, 0], [0, 0]] and truth.shares[0, 0] == 1.0
    lacks, left_out = truth.notes
    assert "lacks: deer;" in lacks
    assert left_out == "mine.json: left out, as no time or number: night."
    frames = frames_of(replay_folder, tmp_path, 3)
    assert "2 of 3 fused frames, by frame number" in write_truth(tmp_path, truth, frames)[0]


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "not valid JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "names no pair at all; expected pairs named by stamp"),
        (json.dumps(captions("street_0001")), "names 'street_0001'; expected pairs named by stamp"),
        (json.dumps(captions("99999999999999999999")), "expected pairs named by stamp"),
        (json.dumps(captions("7", "007")), "'007' and '7' are the same frame"),
        (json.dumps(captions("7", str(START))), f"'{START}', a stamp, and '7', a frame number"),
        ('{"0": {"infrared": "a car"}}', "no entities"),
    ],
)
def test_a_bad_annotation_file_is_told(tmp_path, content, message):
    path = tmp_path / "captions.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        truth_from_file(path, VOCABULARY)


def test_a_missing_annotation_file_is_told(tmp_path):
    with pytest.raises(DataError, match="no annotation file .*gone.json"):
        truth_from_file(tmp_path / "gone.json", VOCABULARY)


def test_truth_of_another_bag_is_told(replay_folder, tmp_path):
    frames = frames_of(replay_folder, tmp_path, [START, START + SECOND])
    for name, kind in (("7", "frame numbers"), (str(START - SECOND), "stamps in ns")):
        truth = truth_from_file(saved(tmp_path / "captions.json", captions(name)), VOCABULARY)
        with pytest.raises(DataError, match=f"of no fused frame: its {kind} go from {name}"):
            write_truth(tmp_path, truth, frames)
    empty = Truth("topic /t", (), np.zeros(0, np.int64), False, np.zeros((0, 0), np.int8),
                  np.zeros((0, 0)))  # fmt: skip
    with pytest.raises(DataError, match="topic /t holds nothing"):
        write_truth(tmp_path, empty, frames)
    assert not (tmp_path / TRUTH).exists()


def test_without_frames_the_table_is_empty(replay_folder, tmp_path):
    truth = truth_from_file(saved(tmp_path / "captions.json", captions("0")), VOCABULARY)
    write_truth(tmp_path, truth, frames_of(replay_folder, tmp_path, 0))
    assert len(read_table(tmp_path / TRUTH)) == 0


def test_one_frame_is_matched_by_the_periods_of_the_truth(replay_folder, tmp_path):
    names = [str(START + i * SECOND // 10) for i in range(3)]
    truth = truth_from_file(saved(tmp_path / "captions.json", captions(*names)), VOCABULARY)
    frames = frames_of(replay_folder, tmp_path, [START + SECOND // 10 + 40_000_000])
    assert "within 50 ms" in write_truth(tmp_path, truth, frames)[0]


def test_truth_drawn_on_the_other_camera_is_matched_by_its_stamps(replay_folder, tmp_path):
    frames = frames_of(replay_folder, tmp_path, [START + i * SECOND for i in range(5)])
    frames.keys["visible_stamp"] = frames.keys["stamp"] + 200 * SECOND  # the clocks differ
    names = [str(s) for s in frames.keys["visible_stamp"]]
    truth = truth_from_file(saved(tmp_path / "captions.json", captions(*names)), VOCABULARY)
    (note,) = write_truth(tmp_path, truth, frames)
    assert "of 5 of 5 fused frames, by the nearest visible stamp within" in note


def test_a_looped_bag_has_its_truth_in_every_pass(replay_folder, tmp_path):
    once = [START + i * SECOND for i in range(3)]
    frames = frames_of(replay_folder, tmp_path, [*once, *once])
    truth = truth_from_file(
        saved(tmp_path / "captions.json", captions(*map(str, once))), VOCABULARY
    )
    assert "6 of 6" in write_truth(tmp_path, truth, frames)[0]


@given(
    st.lists(st.integers(0, 200), max_size=20),
    st.lists(st.integers(0, 200), max_size=12, unique=True),
    st.integers(0, 30),
)
def test_nearest_equals_a_search_of_all(stamps, keys, tolerance):
    keys = sorted(keys)
    found = nearest(np.array(stamps, np.int64), np.array(keys, np.int64), tolerance)
    for stamp, row in zip(stamps, found.tolist(), strict=True):
        best = min(range(len(keys)), key=lambda i: (abs(keys[i] - stamp), i), default=-1)
        within = best >= 0 and abs(keys[best] - stamp) <= tolerance
        assert row == (best if within else -1)
