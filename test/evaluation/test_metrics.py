"""Fusion metrics: cases worked by hand, libraries, and the reference values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from egmt_ros.evaluation.fusion.metrics import (
    correlation,
    edge_preservation,
    scd,
    scd_at_equal_contrast,
    score_pair,
    ssim,
    vif,
)
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS, MINIMUM_SIDE, measure
from egmt_ros.pipeline.image_files import images_by_stem, read_visible, to_grey

SHARED = Path(__file__).parents[3] / "shared"
# Values of an independent evaluator for the two synthetic images below.
REFERENCE = {
    "mean": (
        *(0.514957, 0.421809, 1.308031, 1.307373, 0.217155, 0.416253, 0.594907, 0.746210),
        *(2.172895, 6.907854, 34.009163, 14.053561, 4.087892),
    ),
    "max": (
        *(0.563098, 0.558426, 1.108836, 1.199080, 0.217530, 0.482903, 0.544736, 0.587419),
        *(5.393517, 7.156118, 38.344491, 14.926882, 5.042901),
    ),
    "copy of A": (
        *(1.065508, 0.595842, 0.669555, 1.188486, 0.065508, 0.150653, 0.188486, 0.144245),
        *(6.056245, 7.307316, 45.751375, 8.126187, 5.451473),
    ),
}
OWN = ("scd_n", "clipped")
"""What that evaluator does not have."""
TITLES = {name: column.title for name, column in COLUMNS.items() if name not in OWN}


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image, np.float32))[None, None]


@pytest.fixture(scope="module")
def sources() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:96, 0:128]
    a = np.round(127 + 90 * np.sin(x / 9) * np.cos(y / 7))
    return a, np.round(((3 * x + 5 * y) % 256) * 0.6 + 40)


@pytest.mark.parametrize("method", list(REFERENCE))
def test_reference_values(sources: tuple[np.ndarray, np.ndarray], method: str) -> None:
    a, b = sources
    fused = {"mean": np.round((a + b) / 2), "max": np.maximum(a, b), "copy of A": a}[method]
    scores = measure(*(image.astype(np.uint8) for image in (a, b, fused)))
    for name, expected in zip(TITLES, REFERENCE[method], strict=True):
        assert scores[name] == pytest.approx(expected, abs=2e-4), name


@pytest.mark.parametrize("dataset", ["MSRS", "RoadScene"])
def test_reference_values_of_real_pairs(dataset: str) -> None:
    path = SHARED / "metric_reference.json"
    if not path.exists():
        pytest.skip("../shared is not here")
    folder = SHARED / "data" / dataset / "test"
    thermal, visible = (images_by_stem(folder / side) for side in ("ir", "vi"))
    reference = json.loads(path.read_text())[dataset]
    assert reference
    for stem, methods in reference.items():
        a, b = (to_grey(read_visible(side[stem])) for side in (thermal, visible))
        fused = np.maximum(a, b)
        found = measure(a, b, fused)
        expected = methods["max"]
        # PSNR and SSIM at data_range 2 are not reported here.
        assert {*TITLES.values(), "CC", "PSNR", "SSIM_L2"} == set(expected)
        for name, title in TITLES.items():
            assert found[name] == pytest.approx(expected[title], abs=3e-4), (stem, title)
        both = [correlation(tensor(image), tensor(fused)).item() for image in (a, b)]
        assert np.mean(both) == pytest.approx(expected["CC"], abs=3e-4)


@pytest.fixture(params=["waves", "noise", "half flat"])
def two_images(request: pytest.FixtureRequest, sources: tuple[np.ndarray, np.ndarray]):
    """Images that differ, as a library and as the metrics take them."""
    rng = np.random.default_rng(0)
    if request.param == "waves":
        return sources
    a, b = rng.integers(0, 256, (2, 70, 93)).astype(float)
    if request.param == "half flat":
        a[:, :50] = 30.0
        b[:40] = 200.0
    return a, b


def test_ssim_equals_scikit_image(two_images: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = two_images
    expected = metrics.structural_similarity(a, b, data_range=255)
    assert ssim(tensor(a), tensor(b)).item() == pytest.approx(expected, abs=1e-5)


def test_vif_equals_sewar(two_images: tuple[np.ndarray, np.ndarray]) -> None:
    """As sewar.vifp: pixel domain, four scales, valid windows, noise variance 2."""
    sewar = pytest.importorskip("sewar")
    for a, b in (two_images, two_images[::-1]):
        assert vif(tensor(a), tensor(b)).item() == pytest.approx(sewar.vifp(a, b), abs=2e-5)


def test_correlation_equals_numpy(two_images: tuple[np.ndarray, np.ndarray]) -> None:
    expected = np.corrcoef(*(image.ravel() for image in two_images))[0, 1]
    assert correlation(*map(tensor, two_images)).item() == pytest.approx(expected, abs=1e-5)


def test_correlations_of_differences_by_hand(sources: tuple[np.ndarray, np.ndarray]) -> None:
    """A sum keeps all of both; the average of A and B differs from B by (A - B) / 2."""
    a, b = (tensor(image) for image in sources)
    assert scd(a, b, a + b).item() == pytest.approx(2.0, abs=1e-5)
    assert scd(a, b, -a - b).item() < 0
    expected = correlation(a, a - b) + correlation(b, b - a)
    assert scd(a, b, (a + b) / 2).item() == pytest.approx(expected.item(), abs=1e-5)


def test_contrast_lifts_scd_and_leaves_scdn(sources: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (tensor(image) for image in sources)
    fused = (0.7 * a + 0.3 * b) * 0.8
    assert scd(a, b, 2 * fused) > scd(a, b, fused) + 0.3
    plain = scd_at_equal_contrast(a, b, fused).item()
    assert scd_at_equal_contrast(a, b, 2 * fused - 40).item() == pytest.approx(plain, abs=1e-4)
    average = (a + b) / 2
    expected = scd(a, b, average).item()
    assert scd_at_equal_contrast(a, b, 3 * average).item() == pytest.approx(expected, abs=1e-4)
    assert np.isfinite(scd_at_equal_contrast(a, b, torch.full_like(a, 9.0)).item())


def test_identity(sources: tuple[np.ndarray, np.ndarray]) -> None:
    a = tensor(sources[0])
    assert vif(a, a).item() == pytest.approx(1.0, abs=1e-4)
    assert ssim(a, a).item() == pytest.approx(1.0, abs=1e-5)
    assert correlation(a, a).item() == pytest.approx(1.0, abs=1e-5)
    assert correlation(a, -a).item() == pytest.approx(-1.0, abs=1e-5)
    assert edge_preservation(a, a, a).qabf.item() > 0.97


def test_flat_images_give_numbers() -> None:
    flat = torch.full((1, 1, 64, 64), 7.0)
    for value in score_pair(flat, flat, flat):
        assert torch.isfinite(value).all()


def test_edges_of_one_source_alone_by_hand() -> None:
    """A vertical edge kept from A; B is flat: Qabf is A's own and B has no weight."""
    a = np.zeros((64, 64))
    a[:, 32:] = 100.0
    found = edge_preservation(tensor(a), tensor(np.zeros_like(a)), tensor(a))
    assert found.qabf.item() == pytest.approx(found.q_thermal.item(), abs=1e-6)
    lost = edge_preservation(tensor(a), tensor(np.zeros_like(a)), tensor(np.full_like(a, 50.0)))
    assert lost.q_thermal.item() < 0.35 < found.q_thermal.item()


def test_metrics_have_gradients(sources: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = (tensor(s) for s in sources)
    fused = ((a + b) / 2).requires_grad_()
    for name, value in score_pair(a, b, fused)._asdict().items():
        (gradient,) = torch.autograd.grad(value.sum(), fused, retain_graph=True)
        assert torch.isfinite(gradient).all() and gradient.abs().max() > 0, name


def test_smallest_image_that_vif_has_windows_for() -> None:
    image = torch.rand(1, 1, MINIMUM_SIDE, MINIMUM_SIDE) * 255
    assert vif(image, image).item() == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(RuntimeError):
        vif(image[..., 1:], image[..., 1:])
