"""The ground truth of a replay as it was asked for: found, written, or said why not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_types import ENTITIES
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.bags.truth_messages import TRUTH_TOPIC, TruthLabel, truth_message
from egmt_ros.evaluation.replay.console import lines
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.run import load_run
from egmt_ros.evaluation.replay.summary import summarise
from egmt_ros.evaluation.replay.truth_figures import Figure
from egmt_ros.evaluation.replay.truth_of_replay import add_truth, check_truth, truth_topic

STAMP = 1_700_000_000_000_000_000


def bag(path: Path, *topics: str, stamp: int = STAMP) -> Path:
    message = truth_message([TruthLabel(0, "person", True, 0.5)], stamp, "camera", (64, 64))
    messages = [BagMessage(topic, ENTITIES, stamp, message) for topic in topics]
    write_bag(path, messages, topics={"/egmt_fusion/output/entities": ENTITIES})
    return path


@pytest.fixture
def out(replay_folder, tmp_path: Path) -> Path:
    return replay_folder(tmp_path / "out", 3, scores={"person": [0.9] * 3}).folder


def test_a_topic_is_found_and_written(out, tmp_path):
    source = bag(tmp_path / "bag", "/my/Truth")
    request = ReplayRequest(source, out)
    check_truth(request)
    add_truth(request)
    result = load_result(out)
    assert result.run.topics["truth"] == {
        "name": "/my/Truth", "type": ENTITIES, "how": "found by name"
    }  # fmt: skip
    assert result.run.topics["thermal"]["name"] == "/thermal/image_raw"
    assert "of 1 of 3 fused frames" in result.run.notes[-1] and result.run.problems == ()
    assert result.truth.values["person"][0] == 1.0
    assert summarise(result).truth.entities[0].positives == 1


def test_labels_of_a_node_are_no_truth(out, tmp_path):
    source = bag(tmp_path / "bag", "/egmt_fusion/output/entities")
    add_truth(ReplayRequest(source, out))
    assert load_result(out).truth is None and "truth" not in load_run(out).topics
    add_truth(ReplayRequest(source, out, truth_topic="/egmt_fusion/output/entities"))
    assert load_run(out).topics["truth"]["how"] == "named" and load_result(out).truth is not None


def test_the_topic_that_is_asked_for_or_the_usual_one_is_taken(tmp_path):
    source = bag(tmp_path / "bag", "/a/truth", TRUTH_TOPIC)
    assert truth_topic(source, None).name == TRUTH_TOPIC
    assert truth_topic(source, "/a/truth").name == "/a/truth"
    assert truth_topic(source, "") is None
    with pytest.raises(BagError, match="has no topic /gone"):
        truth_topic(source, "/gone")
    with pytest.raises(BagError, match="several .*: /a/truth, /b/truth; name one with --truth"):
        check_truth(ReplayRequest(bag(tmp_path / "two", "/a/truth", "/b/truth"), tmp_path))


def test_a_file_goes_before_a_topic(out, tmp_path):
    entry = {"entities": {"infrared": ["person"], "visible": []}}
    path = tmp_path / "captions.json"
    path.write_text(json.dumps({"1": entry}))
    request = ReplayRequest(bag(tmp_path / "bag", TRUTH_TOPIC), out, truth_file=path)
    check_truth(request)
    add_truth(request)
    result = load_result(out)
    assert result.truth.values["person.thermal_share"][1] == 1.0
    assert "truth" not in result.run.topics and "captions.json" in result.run.notes[-1]
    with pytest.raises(DataError, match="no annotation file"):
        check_truth(ReplayRequest(request.bag, out, truth_file=tmp_path / "gone.json"))


def test_truth_of_another_time_is_a_problem_and_the_rest_is_kept(out, tmp_path):
    add_truth(ReplayRequest(bag(tmp_path / "fits", TRUTH_TOPIC), out))
    source = bag(tmp_path / "bag", TRUTH_TOPIC, stamp=STAMP // 2)
    add_truth(ReplayRequest(source, out))
    result = load_result(out)
    assert result.truth is None and len(result.frames) == 3
    (problem,) = result.run.problems
    assert problem.startswith(f"ground truth: topic {TRUTH_TOPIC} is of no fused frame")
    assert not summarise(result).consistent


def test_the_console_says_what_the_truth_says(scene_folder, tmp_path):
    result = load_result(scene_folder(tmp_path, frames=60, skill=0.1))
    summary = summarise(result)
    said = "\n".join(lines(result, summary))
    assert "against the ground truth of 60 of 60 frames, mean of the entities: ap 0." in said
    assert "recall of what is shown by thermal only" in said
    assert " of 3 that came into view were labelled, after" in said
    assert "By VIFmin, Qmin, SSIMmin, CCmin" in said
    never = replace(summary.truth.delay, found=0, median_s=Figure(None))
    said = "\n".join(lines(result, replace(summary, truth=replace(summary.truth, delay=never))))
    assert "0 of 3 that came into view were labelled\n" in said
