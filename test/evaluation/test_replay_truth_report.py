"""Labels beside the ground truth: examples that were worked out by hand, and what is undefined."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import DataError
from egmt_ros.evaluation.labels.label_table import label_table
from egmt_ros.evaluation.replay.label_delay import delay, flicker, onsets, turns
from egmt_ros.evaluation.replay.labels_over_time import label_states
from egmt_ros.evaluation.replay.result import load_result
from egmt_ros.evaluation.replay.summary import summarise
from egmt_ros.evaluation.replay.truth_report import truth_report

SECOND = 1_000_000_000
TENTH = 0.1


def at_10_hz(frames: int) -> np.ndarray:
    return np.full(max(0, frames - 1), TENTH)


def read(text: str) -> np.ndarray:
    """"1" there, "0" not, "." unknown."""
    return np.array([{"1": 1, "0": 0, ".": -1}[c] for c in text], np.int8)


def test_delay_of_a_worked_example():
    #             0         1         2
    truth = read("110011110011001110.11101")
    label = read("010000110000111110011111")
    # From the start: 0-1, labelled. Onsets: 4 -> 6, 0.2 s; 10-11 missed; 14 at once; 23 at once.
    # After the unknown frame 18 its coming was not seen: 19-21, labelled.
    found = onsets(truth, label, at_10_hz(24))
    assert found.delays == pytest.approx((0.2, 0.0, 0.0))
    assert (found.missed, found.at_start, found.at_start_found) == (1, 2, 2)
    figures = delay([found])
    assert (figures.onsets, figures.found, figures.missed, figures.at_start) == (4, 3, 1, 2)
    assert figures.median_s.value == pytest.approx(0.0) and figures.median_s.count == 3
    assert figures.p95_s.value == pytest.approx(0.18)


def test_an_entity_that_is_there_when_time_jumps_did_not_come_then():
    truth, label = read("0011"), read("0011")
    found = onsets(truth, label, np.array([TENTH, np.nan, TENTH]))
    assert (found.delays, found.missed, found.at_start) == ((), 0, 1)
    assert delay([found]).median_s.reason == "no onset was seen"
    missed = onsets(truth, read("0000"), at_10_hz(4))
    assert missed.missed == 1
    assert delay([missed]).p95_s.reason == "no onset was labelled"


def test_flicker_of_a_worked_example():
    #             0         1         2
    truth = read("000001111111111000.0000000")
    label = read("001000011100111000100000.1")
    # Wrong: 2 (0.1 s), 5-6 (0.2 s), 10-11 (0.2 s), and 25, whose beginning and end were not seen.
    # Frames 18 and 24 are left out, so that 2 steps to and from each do not count: 21 steps.
    # The label changes at 2, 3, 7, 10, 12 and 15, the truth at 5 and 15.
    found = turns(truth, label, at_10_hz(26))
    assert (found.switches, found.truth_switches) == (6, 2)
    assert found.seconds == pytest.approx(2.1)
    assert (found.wrong, found.short, found.cut) == (4, 3, 1)
    figures = flicker([found])
    assert figures.per_minute.value == pytest.approx(6 / 2.1 * 60)
    assert figures.excess_per_minute.value == pytest.approx(4 / 2.1 * 60)
    assert (figures.short_share.value, figures.short_share.count) == (1.0, 3)


def test_a_wrong_label_of_half_a_second_is_no_flicker():
    truth = read("0000000000000000")
    label = read("0111110001111000")  # 0.5 s and 0.4 s
    figures = flicker([turns(truth, label, np.full(15, 0.125))])  # 0.625 s and 0.5 s
    assert (figures.wrong_flips, figures.short_flips) == (2, 0)
    figures = flicker([turns(truth, label, at_10_hz(16))])
    assert figures.short_share.value == pytest.approx(0.5)


def test_flicker_without_anything_to_count():
    nothing = turns(read("1"), read("1"), at_10_hz(1))
    figures = flicker([nothing])
    assert figures.per_minute.value is None
    assert figures.per_minute.reason == "no two neighbouring frames are known"
    assert figures.short_share.reason == "no label was wrong"
    assert flicker([turns(read("00"), read("11"), at_10_hz(2))]).short_share.reason == (
        "no wrong label was seen from beginning to end"
    )
    assert flicker([]).wrong_flips == 0


def columns(truth: str, shares: str) -> dict[str, list[float | None]]:
    """Cells of truth.csv of "person"; shares "t", "v", "b" or " " for unknown."""
    share = {"t": 1.0, "v": 0.0, "b": 0.5, " ": None}
    return {
        "person": [None if c == "." else float(c) for c in truth],
        "person.thermal_share": [share[c] for c in shares],
    }


def test_measures_of_a_worked_example(replay_folder, tmp_path):
    truth = "11110000.1"
    shares = "ttvb     b"
    person = [0.9, 0.3, 0.8, 0.7, 0.6, 0.2, 0.1, 0.1, 0.95, 0.4]
    result = replay_folder(
        tmp_path, 10, scores={"person": person}, truth=columns(truth, shares)
    )
    report = truth_report(result)
    (row,) = report.entities
    assert (row.known, row.positives) == (9, 5)
    assert (row.true_positive, row.false_positive, row.false_negative, row.true_negative) == (
        3, 1, 2, 3)  # fmt: skip
    values = {name: figure.value for name, figure in row.measures.items()}
    assert values["precision"] == pytest.approx(3 / 4)
    assert values["recall"] == pytest.approx(3 / 5)
    assert values["f1"] == pytest.approx(6 / 9)
    # By score: 0.9 0.8 0.7 there, 0.6 not, 0.4 0.3 there.
    assert values["ap"] == pytest.approx((1 + 1 + 1 + 4 / 5 + 5 / 6) / 5)
    counts = {name: figure.count for name, figure in row.measures.items()}
    assert counts == {"ap": 9, "f1": 6, "precision": 4, "recall": 5}
    assert row.measures["recall"].low <= 0.6 <= row.measures["recall"].high
    shown = {way: (figure.value, figure.count) for way, figure in row.recall_shown.items()}
    assert shown == {"thermal only": (0.5, 2), "visible only": (1.0, 1), "both": (0.5, 2)}
    assert report.frames == 10 and report.frames_known == 9
    assert report.macro["ap"].value == pytest.approx(values["ap"]) and report.macro["ap"].count == 1
    assert report.most_wrong == (1, 4, 9)


def test_macro_is_over_the_entities_for_which_a_measure_is_defined(replay_folder, tmp_path):
    truth = {"person": [1, 1, 0, 0], "car": [0, 0, 0, 0], "dog": [1, 1, 1, 1], "cat": [None] * 4}
    scores = {"person": [0.9, 0.1, 0.1, 0.1], "car": [0.1] * 4, "dog": [0.9, 0.9, 0.9, 0.1],
              "cat": [0.9] * 4, "unspoken": [0.9] * 4}  # fmt: skip
    report = truth_report(replay_folder(tmp_path, 4, scores=scores, truth=truth))
    assert [e.name for e in report.entities] == ["person", "car", "dog", "cat"]
    reasons = {
        e.name: {m: f.reason for m, f in e.measures.items() if f.value is None}
        for e in report.entities
    }
    unknown = "the truth is known of no frame that has labels"
    assert reasons == {
        "person": {},
        "car": {
            "ap": "it is never there", "f1": "it is never there and never labelled",
            "precision": "it is never labelled", "recall": "it is never there",
        },
        "dog": {"ap": "it is always there"},
        "cat": dict.fromkeys(("ap", "f1", "precision", "recall"), unknown),
    }  # fmt: skip
    assert report.macro["recall"].value == pytest.approx((0.5 + 0.75) / 2)
    assert (report.macro["recall"].count, report.macro["ap"].count) == (2, 1)
    assert {f.reason for f in report.recall_shown.values()} == {
        "no frame is known to show it so"
    }
    assert all(f.value is not None or f.reason for e in report.entities
               for f in (*e.measures.values(), *e.recall_shown.values()))  # fmt: skip


def test_scores_of_what_is_present_alone_give_no_ap(replay_folder, tmp_path):
    scores = {"person": [0.9, None, 0.8], "car": [0.9, 0.9, 0.9]}
    report = truth_report(
        replay_folder(tmp_path, 3, scores=scores, truth={"person": [1, 0, 0]})
    )
    (row,) = report.entities
    assert row.measures["ap"].value is None
    assert row.measures["ap"].reason.startswith("1 of 3 known frames lack its score")
    assert row.measures["precision"].value == 0.5 and row.true_negative == 1


def test_an_interval_of_frames_that_are_all_alike_is_not_given(replay_folder, tmp_path):
    truth = {"person": [1, 0] * 10}
    report = truth_report(
        replay_folder(tmp_path, 20, scores={"person": [0.9, 0.1] * 10}, truth=truth)
    )
    recall = report.entities[0].measures["recall"]
    assert (recall.value, recall.low, recall.high) == (1.0, None, None)


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_frame(replay_folder, tmp_path, frames):
    result = replay_folder(
        tmp_path, frames, scores={"person": [0.9] * frames}, truth={"person": [1] * frames}
    )
    report = summarise(result).truth
    (row,) = report.entities
    assert row.measures["recall"].value == (1.0 if frames else None)
    assert row.delay.at_start == frames and row.flicker.per_minute.value is None
    assert report.macro["ap"].reason == "it is defined for no entity"
    saved = json.loads(json.dumps(summarise(result).to_dict(), allow_nan=False))
    assert saved["truth"]["entities"][0]["measures"]["ap"]["value"] is None


def test_no_entity_in_common(replay_folder, tmp_path):
    result = replay_folder(tmp_path, 3, scores={"person": [0.9] * 3}, truth={})
    report = truth_report(result)
    assert report.entities == () and report.frames_known == 0 and report.most_wrong == ()
    assert report.delay.onsets == 0 and report.flicker.per_minute.value is None


def test_tables_of_different_replays_are_told(replay_folder, tmp_path):
    replay_folder(tmp_path / "a", 3, scores={"person": [0.9] * 3}, truth={"person": [1] * 3})
    replay_folder(tmp_path / "b", 4, scores={"person": [0.9] * 4})
    (tmp_path / "a" / "truth.csv").rename(tmp_path / "b" / "truth.csv")
    with pytest.raises(DataError, match="truth.csv has 3 rows; expected 4"):
        summarise(load_result(tmp_path / "b"))


def test_a_replay_that_broke_off_is_read_as_far_as_all_tables_go(replay_folder, tmp_path):
    replay_folder(tmp_path, 3, scores={"person": [0.9] * 3}, complete=False)
    lines = (tmp_path / "scores.csv").read_text().splitlines(keepends=True)
    (tmp_path / "scores.csv").write_text("".join(lines[:-1]) + lines[-1][:4])
    result = load_result(tmp_path)
    assert len(result.frames) == len(result.scores) == len(result.timing) == 2
    assert summarise(result).frames == 2


def test_measures_equal_those_of_the_label_evaluation(scene_folder, tmp_path):
    result = load_result(scene_folder(tmp_path, frames=120))
    report = truth_report(result)
    names = list(result.run.entities)
    table = label_table(
        np.stack([result.truth.values[n] for n in names], 1).astype(int),
        np.stack([result.scores.values[n] for n in names], 1),
        [result.run.thresholds[n] for n in names],
        names,
    )
    for row in report.entities:
        assert row.measures["ap"].value == pytest.approx(table[row.name]["ap"])
        assert row.measures["f1"].value == pytest.approx(table[row.name]["f1"])
        assert row.positives == table[row.name]["positives"]
    assert report.macro["ap"].value == pytest.approx(np.mean([r["ap"] for r in table.values()]))
    assert report.macro["f1"].low < report.macro["f1"].value < report.macro["f1"].high
    assert report.recall_shown["thermal only"].count == report.entities[0].positives
    assert report == truth_report(result)  # the draws are the same every time


@given(st.lists(st.tuples(st.sampled_from("01."), st.sampled_from("01.")), max_size=40))
def test_counts_add_up(rows):
    truth, label = (read("".join(row[i] for row in rows)) for i in (0, 1))
    seconds = at_10_hz(len(rows))
    found = onsets(truth, label, seconds)
    text = "".join(row[0] for row in rows)
    assert len(found.delays) + found.missed == text.count("01")
    coming = text.replace("0", " ").replace(".", " ").split()
    assert len(found.delays) + found.missed + found.at_start == len(coming)
    changes = turns(truth, label, seconds)
    assert changes.short + changes.cut <= changes.wrong
    pairs = [
        (a, b) for a, b in zip(rows, rows[1:], strict=False) if "." not in (*a, *b)
    ]
    assert changes.seconds == pytest.approx(TENTH * len(pairs))
    assert changes.switches == sum(a[1] != b[1] for a, b in pairs)
    assert changes.truth_switches == sum(a[0] != b[0] for a, b in pairs)


def test_a_frame_without_labels_is_not_known(replay_folder, tmp_path):
    scores = {"person": [0.9, None, 0.9], "car": [0.1, None, 0.1]}
    result = replay_folder(tmp_path, 3, scores=scores, truth={"person": [1, 1, 1]})
    assert label_states(result)["person"].tolist() == [1, -1, 1]
    (row,) = truth_report(result).entities
    assert (row.known, row.false_negative) == (2, 0)
