"""The made-up evaluations of the other tests are what `load_result` reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from egmt_ros.evaluation.replay.result import load_result


def test_made_up_folder_is_read_back(scene_folder: Callable[..., Path], tmp_path: Path):
    result = load_result(
        scene_folder(tmp_path / "a", frames=40, missing={3, 4}, metrics_every=2,
                      lift={"qabf": 0.2}, changed={"sync.max_gap": 0.02})
    )  # fmt: skip
    assert len(result.frames) == len(result.scores) == len(result.truth) == len(result.timing) == 38
    assert len(result.unused) == 4
    assert np.isfinite(result.frames.values["ours.qabf"]).sum() == 19
    assert result.run.changed == {"sync.max_gap": 0.02}
    assert np.nanmean(result.frames.values["ours.qabf"] - result.frames.values["ours.vif"]) > 0.15


def test_two_made_up_folders_share_their_scene(scene_folder: Callable[..., Path], tmp_path: Path):
    one, other = (load_result(scene_folder(tmp_path / str(s), seed=s)) for s in (1, 2))
    vif = np.corrcoef(one.frames.values["ours.vif"], other.frames.values["ours.vif"])[0, 1]
    assert 0.8 < vif < 1
    assert (one.frames.keys["stamp"] == other.frames.keys["stamp"]).all()
    assert not (one.scores.values["person"] == other.scores.values["person"]).all()
    assert (one.truth.values["person"] == other.truth.values["person"]).all()
