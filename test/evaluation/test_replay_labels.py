"""Labels over the time of a replay: shares, switches, stretches, over pauses and loops too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.evaluation.replay.labels_over_time import labels_over_time, switches
from egmt_ros.evaluation.replay.time_axis import PAUSE_S, Rate, runs, steps

SECOND = 1_000_000_000
TENTH = SECOND // 10


def test_an_entity_that_comes_and_goes(replay_folder, tmp_path):
    # 10 Hz:          0    1    2    3    4    5    6    7
    person = [0.1, 0.5, 0.9, 0.7, 0.4, 0.6, 0.2, 0.2]
    result = replay_folder(tmp_path, 8, scores={"person": person, "car": [0.9] * 8})
    car, found = labels_over_time(result)
    assert (car.name, car.present, car.share, car.switches, car.longest_s) == (
        "car", 8, 1.0, 0, pytest.approx(0.7))  # fmt: skip
    assert (found.present, found.share, found.mean_score) == (4, 0.5, pytest.approx(0.45))
    assert (found.switches, found.first_seen, found.last_seen) == (4, 1, 5)
    assert found.switches_per_minute == pytest.approx(4 / 0.7 * 60)
    assert found.longest_s == pytest.approx(0.2)  # frames 1 to 3


def test_pauses_and_loops_are_no_switches(replay_folder, tmp_path):
    once = [SECOND, SECOND + TENTH, SECOND + 2 * TENTH]
    stamps = [*once, *(s + 100 * SECOND for s in once), *once]
    person = [0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1]  # it changes at the pause and the jump
    (found,) = labels_over_time(replay_folder(tmp_path, stamps, scores={"person": person}))
    assert found.switches == 1
    assert found.switches_per_minute == pytest.approx(1 / 0.6 * 60)
    assert found.longest_s == pytest.approx(0.2)


def test_doubled_stamps_give_no_rate(replay_folder, tmp_path):
    (found,) = labels_over_time(
        replay_folder(tmp_path, [SECOND] * 3, scores={"person": [0.9, 0.1, 0.9]})
    )
    assert found.switches == 2 and found.switches_per_minute is None and found.longest_s == 0.0


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_frame(replay_folder, tmp_path, frames):
    (found,) = labels_over_time(
        replay_folder(tmp_path, frames, scores={"person": [0.9] * frames})
    )
    assert found.present == found.frames == frames and found.switches == 0
    assert found.share == (1.0 if frames else None)
    assert found.switches_per_minute is None
    assert found.longest_s == (0.0 if frames else None)
    assert found.first_seen == found.last_seen == (0 if frames else None)


def test_an_absent_entity(replay_folder, tmp_path):
    (found,) = labels_over_time(replay_folder(tmp_path, 5, scores={"person": [0.1] * 5}))
    assert (found.present, found.share, found.longest_s, found.first_seen) == (0, 0.0, None, None)
    assert found.switches_per_minute == 0.0


def test_a_frame_without_scores_is_left_out_and_an_entity_without_one_is_absent(
    replay_folder, tmp_path
):
    scores = {"person": [0.9, None, 0.9, None], "car": [0.9, None, 0.9, 0.9]}
    car, person = labels_over_time(replay_folder(tmp_path, 4, scores=scores))
    assert (car.frames, car.present, car.share, car.switches) == (3, 3, 1.0, 0)
    assert (person.frames, person.present, person.switches) == (3, 2, 1)  # from frame 2 to 3


def naive_switches(states: list[int], stamps: list[int]) -> int:
    forward = sorted(b - a for a, b in zip(stamps, stamps[1:], strict=False) if b > a)
    half = len(forward) // 2
    middle = 0.0
    if forward:
        middle = forward[half] if len(forward) % 2 else (forward[half - 1] + forward[half]) / 2
    limit = max(PAUSE_S * SECOND, 10 * middle)
    count = 0
    for i in range(1, len(states)):
        step = stamps[i] - stamps[i - 1]
        if step < 0 or step > limit or -1 in (states[i], states[i - 1]):
            continue
        count += states[i] != states[i - 1]
    return count


@given(
    st.lists(
        st.tuples(st.sampled_from([-1, 0, 1]), st.sampled_from([-9, 0, 1, 1, 1, 2, 15, 150])),
        max_size=30,
    )
)
def test_switches_equal_a_naive_count(rows):
    states = [state for state, _ in rows]
    stamps = [int(s) for s in SECOND * 100 + np.cumsum([step for _, step in rows]) * TENTH]
    seconds = steps(np.array(stamps, np.int64))
    count, time = switches(np.array(states, np.int8), seconds)
    assert count == naive_switches(states, stamps)
    assert time >= 0.0 and (count == 0 or np.isfinite(seconds).any())


@given(st.lists(st.tuples(st.integers(-1, 1), st.booleans()), max_size=20))
def test_runs_hold_every_frame_once(rows):
    values = np.array([v for v, _ in rows], np.int8)
    joined = np.array([j for _, j in rows][1:], bool)
    found = runs(values, joined)
    assert [i for start, stop in found for i in range(start, stop)] == list(range(len(rows)))
    for start, stop in found:
        assert len(set(values[start:stop].tolist())) == 1 and joined[start : stop - 1].all()
    for (_, stop), (start, _) in zip(found, found[1:], strict=False):
        assert values[stop - 1] != values[start] or not joined[stop - 1]


def test_slow_frames_are_no_pauses():
    rate = Rate.of(np.arange(5, dtype=np.int64) * 4 * SECOND)
    assert (rate.hz, rate.period_ms, rate.pauses) == (0.25, 4000.0, 0)
