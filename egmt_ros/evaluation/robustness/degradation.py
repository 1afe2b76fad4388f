"""What happens to cameras: noise, blur, darkness, glare, shifts, inversion, loss.

Every function takes and returns one (H, W) float32 image, 0..1.
"""

from __future__ import annotations

import cv2
import numpy as np


def noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise of a standard deviation, 0..1."""
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + np.float32(deviation) * grain, 0.0, 1.0)


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur; sigma in pixels, above 0."""
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)


def darken(image: np.ndarray, gain: float) -> np.ndarray:
    """Scale towards black; gain 0..1."""
    return image * np.float32(gain)


def over_expose(image: np.ndarray, gain: float) -> np.ndarray:
    """Scale by a gain above 1 and clip at white."""
    return np.minimum(image * np.float32(gain), np.float32(1.0))


def shift(image: np.ndarray, right: int, down: int) -> np.ndarray:
    """Move the content by whole pixels; the border is repeated."""
    height, width = image.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    cols = np.clip(np.arange(width) - right, 0, width - 1)
    return image[rows[:, None], cols]


def invert(image: np.ndarray) -> np.ndarray:
    """White-hot to black-hot."""
    return np.float32(1.0) - image


def constant(image: np.ndarray, value: float) -> np.ndarray:
    """A camera that shows one value, 0..1; 0 is a camera that is missing."""
    return np.full_like(image, value)
