"""The table of entities, macro AP and its comparisons, and the bootstrap below them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egmt_ros.errors import InputError
from egmt_ros.evaluation.labels.label_bootstrap import (
    grouped_folds,
    percentile_estimate,
    resample_counts,
    scene_groups,
    wilson_estimate,
)
from egmt_ros.evaluation.labels.labels import score_labels

# A busy machine must not fail a test.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = ("person", "car", "sky", "dog")


@pytest.fixture
def split() -> tuple[np.ndarray, np.ndarray]:
    """60 frames: person and car with scores that know something, sky rare, dog unknown."""
    rng = np.random.default_rng(5)
    truth = np.stack(
        [rng.integers(0, 2, 60), rng.integers(0, 2, 60), np.arange(60) < 3, np.full(60, -1)], 1
    )
    truth[:5, 1] = -1
    return truth, np.clip(0.3 * truth + 0.7 * rng.random((60, 4)), 0, 1)


def test_rows_count_what_is_known(split: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = split
    table = score_labels(truth, scores, [0.5] * 4, NAMES, resamples=50)
    car = table.of("car")
    assert car.known == 55 and car.positives == int((truth[:, 1] == 1).sum())
    assert car.prevalence == pytest.approx(car.positives / 55)
    found = scores[:, 1] >= 0.5
    absent = truth[:, 1] == 0
    assert car.specificity == pytest.approx((~found & absent).sum() / absent.sum())
    assert car.ap.low <= car.ap.value <= car.ap.high
    dog = table.of("dog")
    assert (dog.known, dog.prevalence, dog.f1, dog.recall) == (0, None, None, None)
    assert dog.ap.value is None and dog.ap.low is None


def test_macro_is_the_mean_of_the_entities_that_count(
    split: tuple[np.ndarray, np.ndarray],
) -> None:
    table = score_labels(*split, [0.5] * 4, NAMES, resamples=50)
    assert table.macro.entities == ("person", "car", "sky")
    assert table.counted.entities == ("person", "car")  # sky has three positives
    for macro in (table.macro, table.counted):
        rows = [table.of(name) for name in macro.entities]
        assert macro.ap.value == pytest.approx(np.mean([r.ap.value for r in rows]))
        assert macro.prevalence == pytest.approx(np.mean([r.prevalence for r in rows]))
        assert macro.gain.value == pytest.approx(macro.ap.value - macro.prevalence)
        assert macro.gain.low <= macro.gain.value <= macro.gain.high
    assert table.counted.gain.low > 0  # these scores know something


def test_comparison_is_paired(split: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = split
    noise = np.random.default_rng(9).random(scores.shape)
    others = {"same": scores**2, "noise": noise, "level": np.full_like(scores, 0.5)}
    table = score_labels(truth, scores, [0.5] * 4, NAMES, others=others, resamples=200)
    same = table.counted.others["same"].gain  # equal ranks: no difference in any resample
    assert (same.value, same.low, same.high) == pytest.approx((0.0, 0.0, 0.0))
    assert table.counted.others["noise"].gain.low > 0
    level = table.counted.others["level"]  # scores that know nothing reach the prevalence
    assert level.ap.value == pytest.approx(table.counted.prevalence)
    assert level.gain.low == pytest.approx(table.counted.gain.low)
    assert level.gain.high == pytest.approx(table.counted.gain.high)
    assert table.of("car").others["same"] == pytest.approx(table.of("car").ap.value)


def test_seed_and_groups_make_the_interval(split: tuple[np.ndarray, np.ndarray]) -> None:
    truth, scores = split
    first = score_labels(truth, scores, [0.5] * 4, NAMES, resamples=300)
    again = score_labels(truth, scores, [0.5] * 4, NAMES, resamples=300)
    assert first == again and first.groups == 60
    # Each frame ten times over says nothing new: drawn by scene, the interval stays; drawn by
    # frame, it shrinks.
    copies = [np.repeat(a, 10, 0) for a in split]
    scenes = np.repeat(np.arange(60), 10).tolist()
    by_scene = score_labels(*copies, [0.5] * 4, NAMES, groups=scenes, resamples=300)
    by_frame = score_labels(*copies, [0.5] * 4, NAMES, resamples=300)
    assert by_scene.groups == 60
    width = {
        name: table.of("car").ap.high - table.of("car").ap.low
        for name, table in (("first", first), ("scene", by_scene), ("frame", by_frame))
    }
    assert width["scene"] == pytest.approx(width["first"])
    assert width["frame"] < width["first"] / 2


def test_no_entity_counts() -> None:
    table = score_labels(np.array([[1], [1]]), np.array([[0.4], [0.6]]), [0.5], ["car"])
    assert table.macro.entities == () and table.macro.ap.value is None
    assert table.macro.gain.low is None and table.of("car").recall == 0.5


def test_shapes_that_do_not_fit_are_named() -> None:
    truth, scores = np.zeros((3, 2), int), np.zeros((3, 2))
    with pytest.raises(InputError, match=r"scores is \(3, 1\); expected \(3, 2\)"):
        score_labels(truth, scores[:, :1], [0.5] * 2, NAMES[:2])
    with pytest.raises(InputError, match=r"probe is \(2, 2\)"):
        score_labels(truth, scores, [0.5] * 2, NAMES[:2], others={"probe": scores[:2]})
    with pytest.raises(InputError, match="1 thresholds and 3 groups"):
        score_labels(truth, scores, [0.5], NAMES[:2])
    with pytest.raises(InputError, match="0 frames"):
        score_labels(truth[:0], scores[:0], [0.5] * 2, NAMES[:2])


@UNTIMED
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 5))
def test_whole_groups_are_drawn(groups: list[int], seed: int) -> None:
    counts = resample_counts(groups, 7, seed)
    assert counts.shape == (7, len(groups))
    for group in set(groups):
        columns = counts[:, [i for i, g in enumerate(groups) if g == group]]
        assert (columns == columns[:, :1]).all()
    firsts = [groups.index(group) for group in set(groups)]
    assert (counts[:, firsts].sum(1) == len(firsts)).all()


def test_percentiles_by_hand() -> None:
    found = percentile_estimate(0.5, np.concatenate([np.arange(101) / 100, [np.nan]]))
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    assert percentile_estimate(0.5, np.array([np.nan])).low is None


def test_wilson_interval() -> None:
    # Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001, eq. 4.
    found = wilson_estimate(8, 10)
    assert (found.low, found.high) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson_estimate(3, 3).low == pytest.approx(3 / (3 + 1.959964**2), abs=1e-6)
    assert wilson_estimate(0, 0).value is None
    with pytest.raises(InputError, match="4 hits of 3"):
        wilson_estimate(4, 3)


def test_scenes_by_frame_number() -> None:
    names = ["00100N", "00104N", "00109D", "00118D", "00140N", "00130N", "fight", "running"]
    groups = scene_groups(["MSRS"] * 8, names)
    assert groups[0] == groups[1] != groups[2]  # night and day
    assert groups[2] == groups[3]
    assert groups[4] == groups[5]  # in whatever order
    assert len({*groups}) == 5
    assert scene_groups(["A", "B"], ["1", "1"])[0] != scene_groups(["A", "B"], ["1", "1"])[1]
    chain = scene_groups(["A"] * 3, ["FLIR_00008", "FLIR_00018", "FLIR_00029"])
    assert chain[0] == chain[1] != chain[2]  # a step of 10 and one of 11


@UNTIMED
@given(st.lists(st.integers(0, 9), min_size=4, max_size=60), st.integers(2, 4))
def test_folds_keep_scenes_whole(groups: list[int], folds: int) -> None:
    if len(set(groups)) < folds:
        with pytest.raises(InputError, match=f"{folds} folds of {len(set(groups))} scenes"):
            grouped_folds(groups, folds)
        return
    fold = grouped_folds(groups, folds)
    assert set(fold.tolist()) == set(range(folds))
    for group in set(groups):
        assert len({fold[i] for i, g in enumerate(groups) if g == group}) == 1
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= max(groups.count(group) for group in groups)
