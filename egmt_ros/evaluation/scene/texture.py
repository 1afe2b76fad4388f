"""Seeded noise textures and sensor noise."""

from __future__ import annotations

import cv2
import numpy as np


def fractal_noise(rng: np.random.Generator, size: int = 512, octaves: int = 6) -> np.ndarray:
    """A tileable (size, size) float32 texture of fractal value noise in 0..1."""
    total = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        if cells > size:
            break
        grid = rng.random((cells, cells), dtype=np.float32)
        padded = np.pad(grid, 2, mode="wrap")
        step = size // cells
        wide = cv2.resize(padded, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        total += wide[2 * step : 2 * step + size, 2 * step : 2 * step + size] * 0.6**octave
    low, high = np.percentile(total, (0.5, 99.5))
    return np.clip((total - low) / (high - low), 0, 1).astype(np.float32)


def sample(texture: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Look up a tiled texture at float coordinates ``u``, ``v`` (texels), nearest texel."""
    size = texture.shape[0]
    return texture[v.astype(np.int32) % size, u.astype(np.int32) % size]


class NoisePool:
    """Gaussian sensor noise from a small pool of seeded fields, shifted anew for each frame.

    Drawing fresh noise for each frame would cost more than the frame itself.
    """

    def __init__(self, seed: int, shape: tuple[int, ...], sigma: float, fields: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self._height, self._width = shape[:2]
        grown = (self._height + 32, self._width + 64, *shape[2:])
        self._fields = [
            rng.normal(0.0, sigma, grown).astype(np.float32).round().astype(np.int16)
            for _ in range(fields)
        ]
        # Unsigned halves: saturating 8-bit arithmetic is several times faster than int16.
        self._plus = [np.clip(f, 0, 255).astype(np.uint8) for f in self._fields]
        self._minus = [np.clip(-f, 0, 255).astype(np.uint8) for f in self._fields]

    def _window(self, key: int) -> tuple[int, slice, slice]:
        mixed = (key * 0x9E3779B97F4A7C15 + 0x1234567) & (2**64 - 1)
        index = (mixed >> 17) % len(self._fields)
        row = (mixed >> 29) % 33
        col = (mixed >> 41) % 65
        return index, slice(row, row + self._height), slice(col, col + self._width)

    def add8(self, image: np.ndarray, key: int) -> np.ndarray:
        """Add noise to an 8-bit image in place; equal keys give equal noise."""
        index, rows, cols = self._window(key)
        cv2.add(image, self._plus[index][rows, cols], dst=image)
        cv2.subtract(image, self._minus[index][rows, cols], dst=image)
        return image

    def field(self, key: int) -> np.ndarray:
        """The int16 noise field for ``key``."""
        index, rows, cols = self._window(key)
        return self._fields[index][rows, cols]
