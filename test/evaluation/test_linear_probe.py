"""The linear probe: its regression against scikit-learn, its choices, and its features."""

from __future__ import annotations

import builtins

import numpy as np
import pytest

from egmt_ros.errors import InputError, MissingDependencyError
from egmt_ros.evaluation.labels.linear_probe import (
    backbone_features,
    choose_strength,
    cross_validate,
    fit_logistic_regression,
    macro_ap,
    pixel_features,
)


@pytest.fixture
def task() -> tuple[np.ndarray, np.ndarray]:
    """80 frames of 6 features; entity 0 follows feature 0, entity 1 is never absent."""
    rng = np.random.default_rng(2)
    features = rng.normal(3.0, 2.0, (80, 6)).astype(np.float32)
    truth = np.ones((80, 2), np.int8)
    truth[:, 0] = features[:, 0] + rng.normal(0, 1.0, 80) > 3.0
    truth[:7, 0] = -1
    return features, truth


@pytest.mark.parametrize("strength", [0.01, 1.0, 10.0])
def test_equal_to_scikit_learn(task: tuple[np.ndarray, np.ndarray], strength: float) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")
    features, truth = task
    model = fit_logistic_regression(features, truth, strength)
    known = truth[:, 0] >= 0
    scaled = (features - features.mean(0, np.float64)) / features.std(0, dtype=np.float64)
    reference = linear.LogisticRegression(C=strength, tol=1e-10, max_iter=10000)
    reference.fit(scaled[known], truth[known, 0])
    expected = reference.predict_proba(scaled)[:, 1]
    assert model.predict(features)[:, 0] == pytest.approx(expected, abs=1e-5)


def test_the_fit_is_a_minimum(task: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = task
    model = fit_logistic_regression(features, truth, 0.5)
    known, target = truth[:, 0] >= 0, truth[:, 0] == 1
    scaled = ((features - model.mean) / model.deviation)[known]
    error = model.predict(features)[known, 0] - target[known]
    assert model.weights[:, 0] + 0.5 * scaled.T @ error == pytest.approx(np.zeros(6), abs=1e-5)
    assert error.sum() == pytest.approx(0.0, abs=1e-5)


def test_constant_features_and_entities_without_negatives(
    task: tuple[np.ndarray, np.ndarray],
) -> None:
    features, truth = task
    flat = np.concatenate([features, np.full((80, 1), 4.0, np.float32)], 1)
    scores = fit_logistic_regression(flat, truth, 1.0).predict(flat)
    assert np.isfinite(scores).all() and ((scores >= 0) & (scores <= 1)).all()
    assert np.ptp(scores[:, 1]) < 1e-9
    assert scores[:, 0] == pytest.approx(
        fit_logistic_regression(features, truth, 1.0).predict(features)[:, 0], abs=1e-5
    )


def test_strength_is_chosen_on_val(task: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = task
    train, val = slice(0, 50), slice(50, 80)
    model, strength, quality = choose_strength(
        features[train], truth[train], features[val], truth[val], [1.0, 1e-3]
    )
    assert set(quality) == {1e-3, 1.0} and quality[strength] == max(quality.values())
    assert macro_ap(truth[val], model.predict(features[val])) == pytest.approx(quality[strength])
    assert quality[strength] > 0.8
    # Ties go to the smaller C: one feature ranks alike under any C.
    one = features[:, :1]
    tied = choose_strength(one[train], truth[train], one[val], truth[val], [1.0, 1e-3])
    assert tied[1] == 1e-3


def test_held_out_scores_know_nothing_of_their_scene() -> None:
    rng = np.random.default_rng(4)
    scenes = np.repeat(np.arange(20), 5)
    # Features tell the scene, and the truth is the scene's own coin: nothing carries over.
    features = np.eye(20)[scenes] + rng.normal(0, 0.01, (100, 20))
    truth = np.repeat(rng.permutation(np.arange(20) % 2), 5)[:, None]
    seen = fit_logistic_regression(features, truth, 1.0).predict(features)
    held_out = cross_validate(features, truth, scenes.tolist(), 1.0)
    assert macro_ap(truth, seen) > 0.99
    assert macro_ap(truth, held_out) < 0.7


def test_what_cannot_be_fitted_is_named(task: tuple[np.ndarray, np.ndarray]) -> None:
    features, truth = task
    with pytest.raises(InputError, match="C is 0"):
        fit_logistic_regression(features, truth, 0)
    with pytest.raises(InputError, match=r"features are \(79, 6\) and truth \(80, 2\)"):
        fit_logistic_regression(features[1:], truth, 1.0)
    features[3, 3] = np.nan
    with pytest.raises(InputError, match="finite"):
        fit_logistic_regression(features, truth, 1.0)


def test_pixel_features_of_any_size() -> None:
    rng = np.random.default_rng(0)
    lengths = set()
    for height, width in ((48, 64), (101, 77)):
        thermal = rng.integers(0, 256, (height, width), np.uint8)
        visible = rng.integers(0, 256, (height, width, 3), np.uint8)
        found = pixel_features(thermal, visible)
        assert found.dtype == np.float32 and np.isfinite(found).all()
        lengths.add(len(found))
    assert lengths == {4 * (2 + 32) + 2 * (64 + 4 * 4 * 9)}
    flat = pixel_features(np.full((48, 64), 51, np.uint8), np.zeros((48, 64, 3), np.uint8))
    assert flat[:2] == pytest.approx([0.2, 0.0])
    assert flat[2:34].tolist() == [float(i == 51 // 8) for i in range(32)]


def test_gradients_fall_into_their_cell_and_orientation() -> None:
    thermal = np.zeros((64, 64), np.uint8)
    thermal[:16, 8:] = 200  # a vertical edge and, below, a horizontal one in the other cells
    found = pixel_features(thermal, np.zeros((64, 64, 3), np.uint8))
    start = 4 * 34 + 64
    cells = found[start : start + 144].reshape(4, 4, 9)
    assert cells[0, 0].argmax() == 0  # gradient along x
    assert cells[0, 3].argmax() == 4  # along y
    assert cells[3].max() == 0.0


def test_backbone_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *arguments: object, **named: object) -> object:
        if name.startswith("efficientnet"):
            raise ImportError(f"{name} is not there in this test")
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingDependencyError, match="train.*extra"):
        backbone_features()


def test_backbone_features() -> None:
    reason = "efficientnet-lite-pytorch is not installed"
    pytest.importorskip("efficientnet_lite_pytorch", reason=reason)
    extract = backbone_features()
    thermal, visible = np.zeros((60, 80), np.uint8), np.zeros((60, 80, 3), np.uint8)
    visible[..., 2] = 255  # BGR: red
    found = extract(thermal, visible)
    assert found.shape == (2560,) and np.isfinite(found).all()
    dark = extract(thermal, np.zeros_like(visible))
    assert (found[:1280] == pytest.approx(dark[:1280], abs=1e-4)) and (
        found[1280:] != dark[1280:]
    ).any()
