"""Fusion by guided filtering, with the parameters of the paper.

Li, Kang and Hu, "Image fusion with guided filtering", IEEE TIP 2013. The guided filter is that of
He, Sun and Tang, "Guided image filtering", IEEE TPAMI 2013, for one-channel guides.
"""

from __future__ import annotations

import cv2
import numpy as np

BASE_WINDOW = 31
"""Side of the average filter that parts base and detail, pixels."""
SALIENCY_WINDOW, SALIENCY_SIGMA = 11, 5.0
BASE_RADIUS, BASE_EPSILON = 45, 0.3
DETAIL_RADIUS, DETAIL_EPSILON = 7, 1e-6


def guided_filter_fusion(thermal: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Fuse two (H, W) uint8 images: base and detail layers, weighted by filtered saliency."""
    sources = [image.astype(np.float64) / 255 for image in (thermal, visible)]
    size = (BASE_WINDOW, BASE_WINDOW)
    bases = [cv2.blur(image, size, borderType=cv2.BORDER_REPLICATE) for image in sources]
    details = [image - base for image, base in zip(sources, bases, strict=True)]
    saliency = [_saliency(image) for image in sources]
    first = (saliency[0] >= saliency[1]).astype(np.float64)
    labels = (first, 1 - first)
    fused = _weighted(bases, sources, labels, BASE_RADIUS, BASE_EPSILON)
    fused += _weighted(details, sources, labels, DETAIL_RADIUS, DETAIL_EPSILON)
    return np.clip(np.round(255 * fused), 0, 255).astype(np.uint8)


def guided_filter(guide: np.ndarray, image: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """Filter `image` so that it follows the edges of `guide`; both (H, W) float64.

    Args:
        guide: Guidance, 0..1.
        image: What is filtered.
        radius: The window has 2 * radius + 1 pixels each way, less what is outside the image.
        epsilon: Variance of the guide, in its units squared, below which a window is smoothed.
    """
    inside = _box_sum(np.ones_like(guide), radius)

    def mean(x: np.ndarray) -> np.ndarray:
        return _box_sum(x, radius) / inside

    mean_guide, mean_image = mean(guide), mean(image)
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = (mean(guide * image) - mean_guide * mean_image) / (variance + epsilon)
    offset = mean_image - slope * mean_guide
    return mean(slope) * guide + mean(offset)


def _box_sum(image: np.ndarray, radius: int) -> np.ndarray:
    size = (2 * radius + 1, 2 * radius + 1)
    return cv2.boxFilter(image, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT)


def _saliency(image: np.ndarray) -> np.ndarray:
    """Local average of the strength of the Laplacian."""
    strength = np.abs(cv2.Laplacian(image, cv2.CV_64F, ksize=1, borderType=cv2.BORDER_REPLICATE))
    window = (SALIENCY_WINDOW, SALIENCY_WINDOW)
    return cv2.GaussianBlur(strength, window, SALIENCY_SIGMA, borderType=cv2.BORDER_REPLICATE)


def _weighted(
    layers: list[np.ndarray],
    guides: list[np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    radius: int,
    epsilon: float,
) -> np.ndarray:
    """The layers' average by filtered label maps, which are made to add up to 1."""
    weights = [
        np.clip(guided_filter(guide, label, radius, epsilon), 0, 1) + 1e-12
        for guide, label in zip(guides, labels, strict=True)
    ]
    return (weights[0] * layers[0] + weights[1] * layers[1]) / (weights[0] + weights[1])
