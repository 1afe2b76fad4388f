"""summary.json of an evaluated bag: account, rates, fusion beside the cameras, best and worst."""

from __future__ import annotations

import json

import numpy as np
import pytest

from egmt_ros.errors import DataError
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.replay.fusion_over_frames import SUMS, TELLING, MetricMean, verdict
from egmt_ros.evaluation.replay.summary import SUMMARY, summarise

METHODS = ("ours", "thermal", "visible", "mean")
SECOND = 1_000_000_000


def scored(frames: int, lift: dict[str, float] | None = None) -> dict[str, list[float | None]]:
    """Every metric of every method: alike but for noise, `lift` added by "<method>.<metric>"."""
    rng = np.random.default_rng(5)
    base = rng.normal(0.5, 0.1, frames)
    return {
        f"{method}.{metric}": list(
            base + rng.normal(0, 0.01, frames) + (lift or {}).get(f"{method}.{metric}", 0.0)
        )
        for method in METHODS
        for metric in COLUMNS
    }


def test_a_whole_summary_is_saved(replay_folder, tmp_path):
    unused = [
        ("thermal", 1, "unpaired", "gap"), ("thermal", 2, "unpaired", "gap"),
        ("visible", 3, "rejected", "encoding"),
    ]  # fmt: skip
    result = replay_folder(
        tmp_path / "out", 40, scores={"person": [0.9] * 40}, metrics=scored(40), unused=unused
    )
    summary = summarise(result)
    summary.save(tmp_path)
    saved = json.loads((tmp_path / SUMMARY).read_text())
    assert saved["consistent"] is True and saved["problems"] == [] and saved["frames"] == 40
    assert saved["account"]["thermal"]["received"] == 42
    assert saved["account"]["visible"]["rejected"] == 1
    assert saved["reasons"] == {
        "thermal": {"unpaired.gap": 2}, "visible": {"rejected.encoding": 1}
    }  # fmt: skip
    assert saved["rates"]["fused"]["hz"] == pytest.approx(10.0)
    assert saved["pair_gap_ms"]["p95"] == 1.5
    assert saved["timing_ms"]["fuse_ms"]["count"] == 40
    assert set(saved["fusion"]) == set(METHODS) and set(saved["fusion"]["ours"]) == set(COLUMNS)
    assert saved["run"]["bag"]["sha256"] == "0" * 64
    assert saved == json.loads(json.dumps(summary.to_dict()))


def test_a_folder_that_cannot_be_written_is_named(replay_folder, tmp_path):
    summary = summarise(replay_folder(tmp_path / "out", 1))
    with pytest.raises(DataError, match=f"gone.*{SUMMARY} cannot be written"):
        summary.save(tmp_path / "gone")


def test_account_and_list_that_differ_are_a_problem(replay_folder, tmp_path):
    account = {
        side: {"received": 5, "fused": 3, "unpaired": 2} for side in ("thermal", "visible")
    }
    unused = [("thermal", 1, "unpaired", ""), ("thermal", 2, "unpaired", "")]
    result = replay_folder(tmp_path, 3, unused=unused, account=account)
    summary = summarise(result)
    assert not summary.consistent
    assert summary.problems == (
        "/visible/image_raw: 2 frames are unpaired by the account, but 0 by the list of unused"
        " frames",
    )


def test_fused_is_told_from_the_cameras(replay_folder, tmp_path):
    lift = {f"ours.{metric}": 0.1 for metric in TELLING} | {"ours.scd": -0.1}
    lift |= {"visible.cc_min": 0.1, "ours.clipped": 0.2}
    summary = summarise(replay_folder(tmp_path, 60, metrics=scored(60, lift)))
    against = summary.differences["thermal"]
    assert against["vif_min"].verdict == "better" and against["scd"].verdict == "worse"
    assert against["vif_min"].mean == pytest.approx(0.1, abs=0.01)
    assert 0.09 < against["vif_min"].low < against["vif_min"].mean < against["vif_min"].high < 0.11
    assert against["clipped"].verdict == "worse"  # less of it is better
    assert against["en"].verdict is None  # noise lifts it
    tells, sums = summary.answers
    assert tells.tells and tells.metrics == TELLING and not sums.tells and sums.metrics == SUMS
    assert tells.better_than == {"thermal": "yes", "visible": "yes"}
    assert sums.better_than["thermal"] == "no"
    assert "against the thermal image the fused one is better in VIFmin, Qmin" in tells.sentence
    assert "do not decide" in sums.sentence and "worse in SCD" in sums.sentence


@pytest.mark.parametrize(
    "metric, low, high, expected",
    [
        ("vif", 0.1, 0.2, "better"), ("vif", -0.2, -0.1, "worse"),
        ("vif", -0.1, 0.1, "cannot be told"), ("vif", 0.0, 0.0, "cannot be told"),
        ("vif", None, None, "cannot be told"), ("clipped", -0.2, -0.1, "better"),
        ("sf", 0.1, 0.2, None),
    ],
)  # fmt: skip
def test_verdicts(metric, low, high, expected):
    assert verdict(metric, MetricMean(0.1, low, high, 9)) == expected


def test_cameras_that_were_not_scored_are_said(replay_folder, tmp_path):
    metrics = {k: v for k, v in scored(20).items() if k.split(".")[0] in ("ours", "mean")}
    tells, _ = summarise(replay_folder(tmp_path, 20, metrics=metrics)).answers
    assert "the thermal image was not scored" in tells.sentence
    assert tells.better_than == {"thermal": "cannot be told", "visible": "cannot be told"}


def test_worst_and_best_frames_lie_apart(replay_folder, tmp_path):
    frames = 100
    metrics = {f"ours.{m}": [float(i) for i in range(frames)] for m in TELLING}
    summary = summarise(replay_folder(tmp_path, frames, metrics=metrics))
    apart = frames // 24
    assert [p.frame for p in summary.worst] == [i * apart for i in range(6)]
    assert [p.frame for p in summary.best] == [99 - i * apart for i in range(6)]
    assert summary.worst[0].place == 0.0 and summary.best[0].place == 1.0
    assert summary.worst[2].values == dict.fromkeys(TELLING, 8.0)


def test_metrics_of_some_frames_only(replay_folder, tmp_path):
    metrics = scored(30)
    for column in metrics.values():
        column[:] = [v if i % 3 == 0 else None for i, v in enumerate(column)]
    summary = summarise(replay_folder(tmp_path, 30, metrics=metrics, metrics_every=3))
    assert summary.fusion["ours"]["vif"].count == 10
    assert summary.differences["mean"]["vif"].count == 10
    assert {p.frame % 3 for p in (*summary.worst, *summary.best)} == {0}


@pytest.mark.parametrize("frames", [0, 1])
def test_hardly_any_frame(replay_folder, tmp_path, frames):
    result = replay_folder(
        tmp_path, frames, scores={"person": [0.9] * frames}, metrics=scored(frames),
        timing={"fuse_ms": [3.0] * frames},
    )  # fmt: skip
    summary = summarise(result)
    assert summary.rates["fused"].hz is None and summary.rates["fused"].frames == frames
    vif = summary.fusion["ours"]["vif"]
    assert vif.count == frames and vif.low is None and (vif.mean is None) == (frames == 0)
    assert [p.frame for p in summary.worst] == [0] * frames and summary.best == ()
    assert (summary.pair_gap_ms is None) == (frames == 0)
    assert summary.answers[0].better_than["thermal"] == "cannot be told"
    assert json.loads(json.dumps(summary.to_dict(), allow_nan=False))["frames"] == frames


def test_without_metrics(replay_folder, tmp_path):
    summary = summarise(replay_folder(tmp_path, 10, scores={"person": [0.1] * 10}))
    assert summary.fusion == {} and summary.differences == {} and summary.answers == ()
    assert summary.worst == () and summary.best == () and summary.truth is None


def test_rates_of_pauses_and_loops(replay_folder, tmp_path):
    once = [SECOND + i * SECOND // 10 for i in range(11)]
    pause = [once[-1] + 60 * SECOND + i * SECOND // 10 for i in range(11)]
    summary = summarise(replay_folder(tmp_path, [*once, *pause, *once]))
    fused, thermal = summary.rates["fused"], summary.rates["thermal"]
    assert fused.hz == pytest.approx(10.0) and fused.period_ms == pytest.approx(100.0)
    assert (fused.frames, fused.pauses, fused.jumps_back) == (33, 1, 1)
    assert fused.longest_gap_ms == pytest.approx(60e3)
    assert (thermal.frames, thermal.pauses, thermal.jumps_back) == (22, 1, 0)
