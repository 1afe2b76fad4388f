"""Two made-up evaluations side by side: matching, verdicts, what cannot be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from egmt_ros.errors import DataError
from egmt_ros.evaluation.compare.comparison import Comparison, compare, figures_of
from egmt_ros.evaluation.compare.figures import (
    BETTER,
    NEUTRAL,
    SAME,
    UNCLEAR,
    UNMEASURED,
    WORSE,
    Compared,
    Draws,
    Measured,
)
from egmt_ros.evaluation.compare.live_figures import independent
from egmt_ros.evaluation.compare.markdown import markdown
from egmt_ros.evaluation.compare.matching import match
from egmt_ros.evaluation.compare.onsets import onsets_of
from egmt_ros.evaluation.compare.setups import differences
from egmt_ros.evaluation.labels.label_metrics import average_precision, f1
from egmt_ros.evaluation.replay.intervals import Interval
from egmt_ros.evaluation.replay.result import Result, load_result
from egmt_ros.evaluation.replay.tables import Table
from egmt_ros.evaluation.replay.truth_report import truth_report

Folder = Callable[..., Path]
START = 1_700_000_000_000_000_000


def compared(a: Result, b: Result) -> Comparison:
    pair = match(a, b)
    return compare(pair, *figures_of(pair), draws=Draws(200, 0))


def by_name(found: Comparison) -> dict[str, Compared]:
    return {figure.name: figure for figure in found.figures}


def verdicts(found: Comparison) -> dict[str, str]:
    return {figure.name: figure.verdict for figure in found.figures}


@pytest.fixture(scope="module")
def folders(scene_folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Evaluations of one bag: a and its repetition, and b, which is another network."""
    root = tmp_path_factory.mktemp("compare")
    given: dict[str, dict[str, Any]] = {
        "a": {"seed": 1},
        "again": {"seed": 1},
        "b": {
            "seed": 2, "lift": {"qabf": -0.02, "vif": 0.01, "clipped": 0.1, "sd": 0.3},
            "skill": 0.15, "slower": 1.3, "missing": {5, 6, 7, 100},
            "changed": {"thermal.range_mode": "frame"}, "model": {"weights_sha256": "d" * 64},
        },
    }  # fmt: skip
    return {
        name: load_result(scene_folder(root / name, frames=240, **kind))
        for name, kind in given.items()
    }


@pytest.fixture(scope="module")
def other(folders: dict[str, Result]) -> Comparison:
    return compared(folders["a"], folders["b"])


def test_every_figure_gets_its_verdict(other: Comparison):
    found = verdicts(other)
    expected = {
        "metric.vif": BETTER, "metric.qabf": WORSE, "metric.clipped": WORSE, "metric.sd": NEUTRAL,
        "metric.ssim": UNCLEAR, "labels.ap": WORSE, "labels.f1": WORSE,
        "labels.person.recall_thermal_only": WORSE, "labels.person.recall_both": UNMEASURED,
        "labels.car.delay_s": UNMEASURED, "timing.fuse_ms.p50": WORSE,
        "timing.fuse_ms.p95": WORSE, "fused": WORSE, "unused.thermal.unpaired": WORSE,
        "unused.thermal.lost": SAME, "pair_gap_ms": SAME, "switches_per_minute": NEUTRAL,
        "labels.disagreement": NEUTRAL,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_values_are_those_of_the_matched_frames(other: Comparison, folders: dict[str, Result]):
    assert (other.frames.matched, other.frames.only_a, other.frames.only_b) == (236, 4, 0)
    kept = np.delete(np.arange(240), [5, 6, 7, 100])
    a = folders["a"].frames.values["ours.qabf"][kept]
    b = folders["b"].frames.values["ours.qabf"]
    qabf = by_name(other)["metric.qabf"].measured
    assert (qabf.a, qabf.b) == pytest.approx((a.mean(), b.mean()))
    assert qabf.difference.mean == pytest.approx((b - a).mean())
    assert qabf.difference.low < qabf.difference.mean < qabf.difference.high
    fused = by_name(other)["fused"]
    assert (fused.measured.a, fused.measured.b, fused.difference) == (240, 236, -4)
    assert fused.measured.difference.low <= -4 <= fused.measured.difference.high
    times = [np.median(folders[n].timing.values["fuse_ms"][k]) for n, k in
             (("a", kept), ("b", slice(None)))]  # fmt: skip
    found = by_name(other)["timing.fuse_ms.p50"].measured
    assert (found.a, found.b) == pytest.approx(times)
    assert found.difference.mean == pytest.approx(times[1] - times[0])


def test_labels_are_scored_as_in_the_report_of_one_folder(
    other: Comparison, folders: dict[str, Result]
):
    """B has no frame but the matched ones: its figures are those of its own report."""
    report = truth_report(folders["b"])
    found = {name: figure.measured for name, figure in by_name(other).items()}
    for entity in report.entities:
        short = entity.name.replace(" ", "_")
        for measure in ("ap", "f1", "precision", "recall"):
            expected = pytest.approx(entity.measures[measure].value)
            assert found[f"labels.{short}.{measure}"].b == expected
    for measure, figure in report.macro.items():
        assert found[f"labels.{measure}"].b == pytest.approx(figure.value)
    for shown, figure in report.recall_shown.items():
        name = f"labels.recall_{shown.replace(' ', '_')}"
        assert found[name].b == pytest.approx(figure.value)
    scores, truth = folders["b"].scores.values["person"], folders["b"].truth.values["person"]
    assert found["labels.person.ap"].b == pytest.approx(average_precision(truth, scores))
    assert found["labels.person.f1"].b == pytest.approx(f1(truth, scores, 0.5))
    said, absent = scores >= 0.5, truth == 0
    assert found["labels.person.specificity"].b == pytest.approx((~said[absent]).mean())


def test_switches_and_disagreement_are_counted(other: Comparison, folders: dict[str, Result]):
    pair = match(folders["a"], folders["b"])
    states = [side.scores.values["person"] >= 0.5 for side in (pair.a, pair.b)]
    minutes = np.diff(pair.a.scores.keys["stamp"]).sum() / 60e9
    switches = by_name(other)["switches_per_minute.person"].measured
    expected = [(s[1:] != s[:-1]).sum() / minutes for s in states]
    assert (switches.a, switches.b) == pytest.approx(expected)
    assert switches.difference.mean == pytest.approx(expected[1] - expected[0])
    disagreement = by_name(other)["labels.person.disagreement"]
    assert disagreement.difference == pytest.approx((states[0] != states[1]).mean())
    assert disagreement.measured.a is None and disagreement.percent is None


def test_repetition_is_the_same_everywhere(folders: dict[str, Result]):
    found = compared(folders["a"], folders["again"])
    assert set(verdicts(found).values()) == {SAME, UNMEASURED}
    assert found.differences == () and found.warnings == ()
    text = markdown(found)
    assert "Nothing in the set-ups." in text and "better in nothing; worse in nothing" in text


def test_chance_between_equal_networks_is_seldom_taken_for_more(
    scene_folder: Folder, tmp_path: Path
):
    a, b = (load_result(scene_folder(tmp_path / str(s), frames=200, seed=s)) for s in (1, 2))
    found = [v for n, v in verdicts(compared(a, b)).items() if n.startswith(("metric", "timing"))]
    assert found.count(UNCLEAR) >= 8 and found.count(BETTER) + found.count(WORSE) <= 2


def test_set_up_is_laid_side_by_side(other: Comparison):
    found = {d.what: (d.a, d.b) for d in other.differences}
    assert found == {
        "weights sha256": ("c" * 12, "d" * 12),
        "parameter thermal.range_mode": ("fixed", "frame"),
    }


def test_figure_that_hangs_on_few_frames_has_no_interval(folders: dict[str, Result]):
    """Three frames that A finds and B misses: every resample of them says the same."""
    a, b = folders["a"], folders["b"]
    truth = {**b.truth.values, "traffic light": np.zeros(len(b.truth))}
    scores = {**b.scores.values, "traffic light": b.scores.values["traffic light"].copy()}
    truth["traffic light"][80:83] = 1
    scores["traffic light"][80:83] = 0.1
    b = replace(b, truth=Table(b.truth.keys, truth), scores=Table(b.scores.keys, scores))
    found = by_name(compared(replace(a, truth=None), b))
    recall = found["labels.traffic_light.recall"]
    assert recall.measured.difference.count == 3 and np.isnan(recall.measured.difference.low)
    assert recall.difference == -1 and recall.verdict == UNCLEAR
    assert "too few frames for an interval: 3" in recall.measured.reason
    assert np.isnan(found["labels.traffic_light.ap"].measured.difference.low)


def test_sources_that_differ_are_said(other: Comparison):
    assert len(other.warnings) == 1
    assert other.warnings[0].startswith("Other thermal.range_mode: the images differ")


def test_thresholds_in_single_precision_are_no_difference(folders: dict[str, Result]):
    thresholds = dict.fromkeys(folders["a"].run.thresholds, float(np.float32(0.438)))
    versions = {**folders["a"].run.versions, "rmw": ""}
    a = changed(folders["a"], thresholds=dict.fromkeys(thresholds, 0.438))
    b = changed(folders["again"], thresholds=thresholds, versions=versions)
    assert differences(a.run, b.run) == []
    other = changed(b, thresholds={**thresholds, "car": 0.439}, versions={"rmw": "fast"})
    found = {d.what: (d.a, d.b) for d in differences(a.run, other.run)}
    assert found["threshold of car"] == ("0.438", "0.439")
    assert found["version of rmw"] == ("-", "fast")


def test_markdown_says_what_decides(other: Comparison):
    text = markdown(other)
    sections = {part.split("\n", 1)[0]: part for part in text.split("\n## ")}
    assert "| Qabf (`metric.qabf`) |" in sections["Worse in B"]
    assert "| VIF (`metric.vif`) |" in sections["Better in B"]
    assert "| SSIM (`metric.ssim`) |" in sections["Cannot be told"]
    assert "| SD (`metric.sd`) |" in sections["Differs without a verdict"]
    assert "`labels.car.delay_s`" in sections["Not measured"]
    assert "236 matched by their stamps, 4 in A alone, 0 in B alone" in text
    assert "better in `metric.vif`; worse in `metric.qabf`" in text
    row = next(line for line in text.splitlines() if "`fused`" in line and line.startswith("|"))
    assert row == "| fused frames (`fused`) | 240 | 236 | -4 | exact | -1.67 % |  |"


def changed(result: Result, **fields: Any) -> Result:
    return replace(result, run=replace(result.run, **fields))


def test_other_messages_are_compared_with_a_warning(folders: dict[str, Result]):
    b = changed(folders["b"], bag={**folders["b"].run.bag, "sha256": "e" * 64})
    found = compared(folders["a"], b)
    assert any("same messages" in sentence for sentence in found.warnings)
    assert verdicts(found)["unused.thermal.unpaired"] == UNCLEAR
    assert verdicts(found)["metric.qabf"] == WORSE


def test_live_and_offline_are_compared_but_for_times(folders: dict[str, Result]):
    found = compared(folders["a"], changed(folders["b"], kind="live"))
    times = {v for name, v in verdicts(found).items() if name.startswith("timing.")}
    assert times == {UNMEASURED}
    assert any("times are not compared" in sentence for sentence in found.warnings)
    assert "A was replayed offline, B live" in markdown(found)
    assert verdicts(found)["metric.qabf"] == WORSE


def test_other_machine_and_runtime_are_said(folders: dict[str, Result]):
    b = changed(folders["b"], machine={"cpu": "another"}, complete=False, problems=("Lost one.",),
                model={**folders["b"].run.model, "runtime": "openvino"})  # fmt: skip
    sentences = " ".join(compared(folders["a"], b).warnings)
    for part in ("machines differ", "another runtime", "B did not reach the end", "Lost one."):
        assert part in sentences


def test_evaluations_without_metrics_or_truth_say_so(scene_folder: Folder, tmp_path: Path):
    a, b = (
        load_result(scene_folder(tmp_path / str(s), frames=40, seed=s, methods=(), truth=False))
        for s in (1, 2)
    )
    found = by_name(compared(a, b))
    assert found["metric.qabf"].measured.reason == "A and B evaluated without metrics"
    assert found["labels.f1"].measured.reason == "neither has ground truth"
    assert found["labels.disagreement"].verdict in (NEUTRAL, SAME)


def test_thinned_metrics_are_compared_where_both_have_them(scene_folder: Folder, tmp_path: Path):
    a = load_result(scene_folder(tmp_path / "a", frames=60, metrics_every=2))
    b = load_result(scene_folder(tmp_path / "b", frames=60, metrics_every=3, seed=1))
    assert by_name(compared(a, b))["metric.qabf"].measured.difference.count == 10


def test_truth_of_one_serves_both(folders: dict[str, Result]):
    found = compared(replace(folders["a"], truth=None), folders["b"])
    assert any("Only B has ground truth" in note for note in found.notes)
    assert verdicts(found)["labels.f1"] == WORSE


def test_truths_that_differ_are_left_out(folders: dict[str, Result]):
    truth = folders["a"].truth
    values = {**truth.values, "person": truth.values["person"].copy()}
    values["person"][180:190] = 1 - values["person"][180:190]
    found = compared(replace(folders["a"], truth=Table(truth.keys, values)), folders["b"])
    assert any("differ in 10 labels" in note for note in found.notes)


def test_vocabularies_that_differ_are_compared_in_what_they_share(folders: dict[str, Result]):
    b = changed(folders["b"], entities=("car", "person", "dog"),
                thresholds={"car": 0.5, "person": 0.5, "dog": 0.5})  # fmt: skip
    found = by_name(compared(folders["a"], b))
    assert found["labels.person.ap"].verdict == WORSE
    assert "vocabulary of A" in found["labels.traffic_light.ap"].measured.reason
    assert "vocabulary of B" in found["switches_per_minute.dog"].measured.reason


def test_missing_scores_leave_average_precision_out(folders: dict[str, Result]):
    """Labels that list only what is present lack the scores of the others."""
    scores = folders["b"].scores
    thin = {n: np.where(v >= 0.5, v, np.nan) for n, v in scores.values.items()}
    found = by_name(compared(folders["a"], replace(folders["b"], scores=Table(scores.keys, thin))))
    assert "publish_all" in found["labels.person.ap"].measured.reason
    assert found["labels.person.recall"].verdict == WORSE


def test_frames_of_equal_stamp_and_another_partner_do_not_match(folders: dict[str, Result]):
    frames = folders["a"].frames
    thermal = frames.keys["thermal_stamp"].copy()
    thermal[:3] += 33_333_333
    b = replace(folders["a"], frames=Table({**frames.keys, "thermal_stamp": thermal},
                                           {**frames.values}))  # fmt: skip
    found = compared(folders["a"], b)
    assert (found.frames.matched, found.frames.partners, found.frames.only_b) == (237, 3, 3)
    assert "another partner" in markdown(found)


def test_looped_bag_is_matched_in_order(folders: dict[str, Result]):
    twice = np.concatenate([np.arange(240)] * 2)

    def loop(table: Table) -> Table:
        return Table({n: c[twice] for n, c in table.keys.items()},
                     {n: c[twice] for n, c in table.values.items()})  # fmt: skip

    a = folders["a"]
    looped = replace(a, frames=loop(a.frames), scores=loop(a.scores), timing=loop(a.timing),
                     truth=loop(a.truth))  # fmt: skip
    assert len(match(looped, looped)) == 480
    assert match(looped, a).only_a == 240


def test_bags_that_share_no_frame_are_refused(scene_folder: Folder, tmp_path: Path):
    a = load_result(scene_folder(tmp_path / "a", frames=20))
    b = load_result(scene_folder(tmp_path / "b", frames=20, start=START + 10**12))
    with pytest.raises(DataError, match="share no frame: a has 1700000000.004 s to"):
        match(a, b)
    empty = load_result(scene_folder(tmp_path / "c", frames=20, missing=range(20)))
    with pytest.raises(DataError, match="c has no fused frame"):
        match(a, empty)


def test_tables_of_an_interrupted_run_are_cut_to_each_other(folders: dict[str, Result]):
    a = folders["a"]
    short = replace(a, timing=Table({n: c[:230] for n, c in a.timing.keys.items()},
                                    {n: c[:230] for n, c in a.timing.values.items()}))  # fmt: skip
    assert len(match(short, folders["again"])) == 230
    shifted = replace(a, scores=Table({n: c + 1 for n, c in a.scores.keys.items()},
                                      a.scores.values))  # fmt: skip
    with pytest.raises(DataError, match="do not belong together"):
        match(shifted, a)


def test_comings_into_view_are_timed():
    stamps = np.arange(12) * 100_000_000
    truth = np.array([1, 1, 0, 1, 1, 1, 0, 1, -1, 1, 0, 1])
    a = np.array([1, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1], bool)
    b = np.array([1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0], bool)
    found = onsets_of(truth, (a, b), stamps)
    # At the start and after the unknown frame nobody saw it come.
    assert found.stamps.tolist() == [300_000_000, 700_000_000, 1_100_000_000]
    assert found.delays == pytest.approx(
        np.array([[0.1, 0.0], [np.nan, 0.0], [0.0, np.nan]]), nan_ok=True
    )


@pytest.mark.parametrize(
    ("direction", "interval", "exact", "verdict"),
    [(1, (0.1, 0.3), False, BETTER), (-1, (0.1, 0.3), False, WORSE),
     (0, (0.1, 0.3), False, NEUTRAL), (1, (-0.1, 0.5), False, UNCLEAR),
     (1, (np.nan, np.nan), False, UNCLEAR), (-1, (np.nan, np.nan), True, WORSE)],
)  # fmt: skip
def test_verdict_follows_direction_and_interval(
    direction: int, interval: tuple[float, float], exact: bool, verdict: str
):
    figure = Compared("x", "x", direction, Measured(1.0, 1.2, Interval(0.2, *interval, 9), exact))
    assert figure.verdict == verdict
    assert figure.percent == pytest.approx(20.0)


def live(result: Result, cores: float, highest: float | None) -> Result:
    wobble = np.random.default_rng(int(cores * 100)).normal(0, 0.02, 60)
    over_time = [(float(i), cores + wobble[i], 400.0 + wobble[i]) for i in range(60)]
    facts = {"process": {"over_time": over_time, "slope_mib_per_min": cores / 5},
             "highest_rate_hz": highest, "rates_hz": {"fused": 29.5}}  # fmt: skip
    return changed(result, kind="live", live=facts)


def test_live_replays_are_compared_in_what_they_take(folders: dict[str, Result]):
    found = by_name(compared(live(folders["a"], 0.5, 40.0), live(folders["b"], 0.8, None)))
    cores = found["cpu_cores"]
    assert cores.verdict == WORSE and cores.difference == pytest.approx(0.3, abs=0.02)
    assert cores.measured.difference.low > 0.25
    assert found["memory_mib"].verdict == UNCLEAR
    assert found["fused_hz"].verdict == SAME
    assert found["memory_slope"].verdict == UNCLEAR
    assert found["memory_slope"].measured.reason == "one value of each: no interval"
    assert found["unused.thermal.unpaired"].verdict == UNCLEAR
    assert found["highest_rate_hz"].measured.reason == "one of the live replays did not measure it"
    assert found["timing.fuse_ms.p50"].verdict == WORSE
    offline = by_name(compared(folders["a"], live(folders["b"], 0.5, 40.0)))
    assert "A offline" in offline["cpu_cores"].measured.reason


def test_interval_of_independent_series_holds_the_difference():
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = independent(rng.normal(0, 1, 50), rng.normal(0.5, 2, 70), Draws(300, 0))
        held += found.difference.low <= 0.5 <= found.difference.high
    assert 53 <= held < 60
