"""summary.json: the account adds up or says that it does not; latencies, rates, agreement."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import OUTCOMES
from egmt_ros.evaluation.report.agreement import agreement_with_truth
from egmt_ros.evaluation.report.fates import NOT_FUSED, frame_fates
from egmt_ros.evaluation.report.recording import Label, LabelArray, Recording, Sent, Vocabulary
from egmt_ros.evaluation.report.summary import end_to_end, summarise
from egmt_ros.pipeline.accounting import Outcome


def test_exact_account_is_consistent(replay_recording, replay_session, tmp_path):
    recording = replay_recording(frames=30, unpaired=3)
    summary = summarise(replay_session(recording), recording)
    summary.save(tmp_path / "summary.json")
    saved = json.loads((tmp_path / "summary.json").read_text())
    assert saved["consistent"] is True and saved["problems"] == []
    visible = saved["inputs"]["visible"]
    assert (visible["sent"], visible["received"], visible["lost"]) == (30, 30, 0)
    assert (visible["fused"], visible["unpaired"]) == (27, 3)
    assert saved["outputs"] == {
        "published": 27, "images": 27, "label_arrays": 27, "stamps_intact": True}
    assert saved["latency_ms"]["release_to_publish"]["count"] == 27
    assert saved["latency_ms"]["pair_gap"]["p50"] == 4.0
    assert saved["latency_ms"]["wait_for_partner"] == {"p50": 1.5, "p95": 20.0}
    assert saved["rates_hz"]["visible"] == pytest.approx(30.0, rel=1e-3)
    for name in ("python", "torch", "numpy", "opencv", "rclpy", "rmw", "egmt_ros"):
        assert name in saved["versions"]
    assert saved["machine"]["cores"] >= 1
    assert saved["model"]["model_id"] == "egmt-base@abc"


@pytest.mark.parametrize(
    ("counter", "value", "said"),
    [
        ("unpaired", 4, "add up to 31"),
        ("received", 31, "received 31 of 30"),
        ("received", 26, "add up to 30"),
        ("fused", 26, "the node counts 26 fused pairs"),
    ],
)
def test_wrong_account_is_told(replay_recording, replay_session, counter, value, said):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    account = {side: dict(counters) for side, counters in session.account.items()}
    account["visible"][counter] = value
    summary = summarise(replace(session, account=account), recording)
    assert not summary.consistent
    assert any(said in problem for problem in summary.problems)


def test_frames_in_flight_at_the_end_are_a_problem(replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    account = {side: dict(counters) for side, counters in session.account.items()}
    account["thermal"].update(unpaired=2, in_flight=1)
    (problem,) = summarise(replace(session, account=account), recording).problems
    assert problem == "/thermal/image_raw: 1 frames were in flight at the end"
    (problem,) = summarise(replace(session, drained=False), recording).problems
    assert "still coming or in flight" in problem


def test_a_count_that_differs_from_what_was_written_down_is_a_problem(
        replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    recording.sent["thermal"].pop()
    (problem,) = summarise(session, recording).problems
    assert "counts 30 sent frames, but wrote down 29" in problem


def test_the_outcomes_are_those_that_the_node_counts():
    assert sorted(OUTCOMES) == sorted(outcome.value for outcome in Outcome)


def test_frames_lost_before_the_node_are_counted(replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    account = {side: dict(counters) for side, counters in session.account.items()}
    account["thermal"].update(received=28, unpaired=1)
    summary = summarise(replace(session, account=account), recording)
    assert summary.consistent
    assert summary.inputs["thermal"].lost == 2
    assert summary.inputs["thermal"].not_fused() == {"lost": 2, "unpaired": 1}


def test_outputs_that_the_recorder_missed_are_told(replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    del recording.arrays[3], recording.images[3]
    summary = summarise(session, recording)
    assert summary.consistent
    assert "27 fused pairs" in summary.notes[-1] and "26 images" in summary.notes[-1]


def test_without_diagnostics_nothing_is_claimed(replay_recording, replay_session):
    recording = replay_recording()
    summary = summarise(replay_session(recording, account={}), recording)
    assert not summary.consistent
    assert any("no diagnostics" in problem for problem in summary.problems)


def test_changed_stamp_is_found(replay_recording, replay_session):
    recording = replay_recording()
    recording.arrays[4] = replace(recording.arrays[4], thermal_stamp=12345)
    summary = summarise(replay_session(recording), recording)
    assert not summary.outputs.stamps_intact and not summary.consistent


def test_end_to_end_is_taken_from_the_newest_pass():
    array = LabelArray(105, 100, 105, 8, 8, "m", (), received=9_000_000)
    recording = Recording(
        sent={"thermal": [Sent(100, 0, 1_000_000), Sent(100, 1, 7_000_000)],
              "visible": [Sent(105, 0, 1_500_000), Sent(105, 1, 5_000_000),
                          Sent(105, 2, 11_000_000)]},
        arrays=[array], images=[(105, 9_500_000)])
    travel = end_to_end(recording)
    assert travel["reference_to_image"] == [4.5]
    assert travel["last_frame_to_image"] == [2.5]


def test_distribution():
    distribution = Distribution.of([float(v) for v in range(101)])
    assert (distribution.p50, distribution.p95, distribution.p99) == (50.0, 95.0, 99.0)
    assert (distribution.max, distribution.count) == (100.0, 101)
    assert Distribution.of([]) is None


def _array(stamp: int, *present: str) -> LabelArray:
    labels = tuple(Label(name, 0.9, name in present) for name in ("person", "car", "dog"))
    return LabelArray(stamp, stamp, stamp, 8, 8, "m", labels)


def test_agreement_counts_by_hand():
    vocabulary = Vocabulary(("person", "car", "dog"))
    truth = {1: frozenset({"person", "ghost"}), 2: frozenset({"person"}), 3: frozenset({"car"})}
    arrays = [_array(1, "person", "car"), _array(2), _array(3, "car"), _array(99, "dog")]
    agreement = agreement_with_truth(arrays, truth, vocabulary)
    assert agreement.frames == 3
    entries = {entry.name: entry for entry in agreement.entities}
    assert (entries["person"].precision, entries["person"].recall) == (1.0, 0.5)
    assert (entries["car"].precision, entries["car"].recall) == (0.5, 1.0)
    assert "dog" not in entries
    assert agreement.precision == pytest.approx(2 / 3)
    assert agreement.recall == pytest.approx(2 / 3)
    assert agreement.unnamed == ["ghost"]
    assert agreement_with_truth(arrays, None, vocabulary) is None


def test_labels_are_counted(replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    labels = {entry.name: entry for entry in summarise(
        replay_session(recording), recording).labels}
    assert (labels["person"].frames_present, labels["person"].switches) == (15, 2)
    assert (labels["car"].frames_present, labels["car"].switches) == (27, 0)
    assert labels["traffic light"].frames_present == 0


def test_fate_is_named_only_where_it_is_known(replay_recording, replay_session):
    recording = replay_recording(frames=30, unpaired=3)
    session = replay_session(recording)
    fates = frame_fates(recording, summarise(session, recording).inputs)
    assert fates["visible"] == ["fused"] * 27 + ["unpaired"] * 3
    account = {side: dict(counters) for side, counters in session.account.items()}
    account["visible"].update(unpaired=1, superseded=2)
    mixed = summarise(replace(session, account=account), recording)
    assert frame_fates(recording, mixed.inputs)["visible"][-3:] == [NOT_FUSED] * 3


def test_each_pass_of_a_loop_has_its_own_fates(replay_recording, replay_session):
    recording = replay_recording(frames=10, unpaired=2, loops=3)
    fates = frame_fates(recording, summarise(replay_session(recording), recording).inputs)
    for side in ("thermal", "visible"):
        assert fates[side] == (["fused"] * 8 + ["unpaired"] * 2) * 3
