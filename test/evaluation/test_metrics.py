"""Fusion metrics: cases worked by hand, a library, and the reference values."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from egmt_ros.evaluation.fusion.classical import laplacian, maximum, mean
from egmt_ros.evaluation.fusion.metrics import (
    PairScores,
    correlation,
    edge_preservation,
    score_pair,
    ssim,
    vif,
)

SHARED = Path(__file__).parents[3] / "shared"
# Values of an independent evaluator for the two synthetic images below.
REFERENCE = {
    "mean": PairScores(
        0.514957, 0.217155, 0.421809, 0.416253, 1.308031, 1.307373, 0.594907, 0.746210
    ),
    "max": PairScores(
        0.563098, 0.217530, 0.558426, 0.482903, 1.108836, 1.199080, 0.544736, 0.587419
    ),
    "copy of A": PairScores(
        1.065508, 0.065508, 0.595842, 0.150653, 0.669555, 1.188486, 0.188486, 0.144245
    ),
}


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
    scores = score_pair(tensor(a), tensor(b), tensor(fused))
    for name, found, expected in zip(PairScores._fields, scores, REFERENCE[method], strict=True):
        assert found.item() == pytest.approx(expected, abs=2e-4), name


def test_reference_values_of_real_pairs() -> None:
    path = SHARED / "metric_reference.json"
    if not path.exists():
        pytest.skip("../shared is not here")
    folder = SHARED / "data" / "MSRS" / "test"
    names = dict(
        zip(
            PairScores._fields,
            ("VIF", "VIFmin", "Qabf", "Qmin", "SCD", "SSIM", "SSIMmin", "CCmin"),
            strict=True,
        )
    )
    reference = json.loads(path.read_text())["MSRS"]
    assert reference
    for stem, methods in list(reference.items())[:3]:
        a = cv2.imread(str(folder / "ir" / f"{stem}.png"), cv2.IMREAD_GRAYSCALE)
        b = cv2.imread(str(folder / "vi" / f"{stem}.png"), cv2.IMREAD_COLOR)
        b = cv2.cvtColor(b, cv2.COLOR_BGR2GRAY)
        scores = score_pair(tensor(a), tensor(b), tensor(np.maximum(a, b)))
        for field, name in names.items():
            found = getattr(scores, field).item()
            assert found == pytest.approx(methods["max"][name], abs=3e-4), (stem, name)


def test_ssim_equals_scikit_image(sources: tuple[np.ndarray, np.ndarray]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = sources
    expected = metrics.structural_similarity(a, b, data_range=255)
    assert ssim(tensor(a), tensor(b)).item() == pytest.approx(expected, abs=1e-5)


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


def test_classical_methods_by_hand() -> None:
    a, b = np.full((32, 32), 10, np.uint8), np.full((32, 32), 30, np.uint8)
    assert (mean(a, b) == 20).all()
    assert (maximum(a, b) == 30).all()
    assert (laplacian(a, b) == 20).all()
    a[8:24, 8:24] = 250
    fused = laplacian(a, b)
    assert fused[12:20, 12:20].mean() - fused[:4].mean() > 100
