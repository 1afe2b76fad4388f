"""Fusion without a network: cases worked by hand, and the guided filter against its definition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from egmt_ros.evaluation.fusion.classical import METHODS, laplacian, maximum, mean
from egmt_ros.evaluation.fusion.guided_filter import guided_filter, guided_filter_fusion
from egmt_ros.evaluation.fusion.pair_metrics import measure
from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible, to_grey

ROADSCENE = Path(__file__).parents[3] / "shared" / "data" / "RoadScene" / "test"


def test_classical_methods_by_hand() -> None:
    a, b = np.full((32, 32), 10, np.uint8), np.full((32, 32), 30, np.uint8)
    assert (mean(a, b) == 20).all()
    assert (maximum(a, b) == 30).all()
    assert (laplacian(a, b) == 20).all()
    a[8:24, 8:24] = 250
    fused = laplacian(a, b)
    assert fused[12:20, 12:20].mean() - fused[:4].mean() > 100


@pytest.mark.parametrize("method", list(METHODS))
def test_two_equal_sources_are_their_fusion(method: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (57, 70), np.uint8)
    fused = METHODS[method](image, image)
    assert fused.dtype == np.uint8
    assert np.abs(fused.astype(int) - image).max() <= 1


def filtered_by_definition(
    guide: np.ndarray, image: np.ndarray, radius: int, epsilon: float
) -> np.ndarray:
    """He, Sun and Tang, equations 5, 6 and 8, window by window."""
    slopes, offsets = np.zeros_like(guide), np.zeros_like(guide)

    def window(row: int, column: int) -> tuple[slice, slice]:
        return (
            slice(max(row - radius, 0), row + radius + 1),
            slice(max(column - radius, 0), column + radius + 1),
        )

    for place in np.ndindex(guide.shape):
        i, p = guide[window(*place)], image[window(*place)]
        slopes[place] = ((i * p).mean() - i.mean() * p.mean()) / (i.var() + epsilon)
        offsets[place] = p.mean() - slopes[place] * i.mean()
    found = np.zeros_like(guide)
    for place in np.ndindex(guide.shape):
        around = window(*place)
        found[place] = slopes[around].mean() * guide[place] + offsets[around].mean()
    return found


@pytest.mark.parametrize(("radius", "epsilon"), [(2, 1e-2), (7, 1e-6), (45, 0.3)])
def test_guided_filter_equals_its_definition(radius: int, epsilon: float) -> None:
    guide, image = np.random.default_rng(1).random((2, 14, 19))
    found = guided_filter(guide, image, radius, epsilon)
    np.testing.assert_allclose(found, filtered_by_definition(guide, image, radius, epsilon))


def test_guided_filter_keeps_the_edges_of_the_guide_alone() -> None:
    step = np.zeros((40, 40))
    step[:, 20:] = 1.0
    kept = guided_filter(step, step, 5, 1e-4)
    assert kept[:, 19].max() < 0.01 and kept[:, 20].min() > 0.99
    smoothed = guided_filter(np.full_like(step, 0.5), step, 5, 1e-4)
    assert 0.4 < smoothed[20, 19] < 0.6


def test_guided_filter_fusion_takes_detail_from_where_it_is() -> None:
    """Texture left in the thermal, right in the visible image, on flat grounds of one level."""
    texture = np.random.default_rng(2).integers(60, 200, (96, 128), np.uint8)
    thermal, visible = np.full_like(texture, 130), np.full_like(texture, 130)
    thermal[:, :64], visible[:, 64:] = texture[:, :64], texture[:, 64:]
    fused = guided_filter_fusion(thermal, visible).astype(int)
    away_from_the_seam = np.r_[0:44, 84:128]
    assert np.abs(fused - texture)[:, away_from_the_seam].mean() < 8
    assert np.abs(mean(thermal, visible) - texture.astype(int)).mean() > 15


# An independent implementation on the same 28 pairs.
GUIDED_FILTER_ROADSCENE = {
    **{"vif": 0.852, "qabf": 0.650, "scd": 1.278, "ssim": 1.336},
    **{"vif_min": 0.164, "q_min": 0.370, "ssim_min": 0.465, "cc_min": 0.118},
    **{"mi": 2.87, "en": 7.51, "sd": 50.50, "sf": 15.13, "ag": 5.83},
}


def test_guided_filter_fusion_scores_as_elsewhere() -> None:
    if not ROADSCENE.is_dir():
        pytest.skip("../shared is not here")
    scores = []
    for _, thermal_path, visible_path in match_pairs(ROADSCENE / "ir", ROADSCENE / "vi"):
        thermal, visible = read_thermal(thermal_path), to_grey(read_visible(visible_path))
        scores.append(measure(thermal, visible, guided_filter_fusion(thermal, visible)))
    for name, expected in GUIDED_FILTER_ROADSCENE.items():
        found = np.mean([row[name] for row in scores])
        assert found == pytest.approx(expected, rel=2e-3, abs=2.5e-3), name
