"""Flicker: how much of the cameras' noise a fused sequence of a still scene shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.evaluation.robustness.conditions import Pair, noise_condition
from egmt_ros.pipeline.image_files import to_grey

FRAMES = 16
"""Independent draws of the noise."""

NOISES: tuple[tuple[str, float], ...] = tuple(
    (camera, deviation) for deviation in (5.0, 15.0) for camera in ("thermal", "visible", "both")
)
"""(noisy camera, standard deviation in grey levels)."""


@dataclass(frozen=True)
class FlickerScore:
    """Flicker of one pair under noise, grey levels, in luminance.

    Attributes:
        dataset: Name.
        pair: File stem.
        camera: Noisy camera: "thermal", "visible" or "both".
        deviation: Standard deviation of the noise that was added, grey levels.
        thermal: Flicker of the thermal images as given, after rounding and clipping.
        visible: The same of the visible ones.
        fused: Method -> flicker of its images.
    """

    dataset: str
    pair: str
    camera: str
    deviation: float
    thermal: float
    visible: float
    fused: dict[str, float]

    def ratio(self, method: str) -> float:
        """Flicker of a method's images over that of the noisier input; at most 1 is wanted.

        Infinite where an input that does not flicker makes images that do.
        """
        noisier = max(self.thermal, self.visible)
        if noisier == 0.0:
            return 0.0 if self.fused[method] == 0.0 else float("inf")
        return self.fused[method] / noisier


def flicker(frames: Sequence[np.ndarray]) -> float:
    """Mean over the pixels of their sample standard deviation over time.

    Args:
        frames: At least two (H, W) images of one size.

    Raises:
        InputError: There are fewer.
    """
    if len(frames) < 2:
        raise InputError(f"there are {len(frames)} frames; expected at least 2 to see a change")
    return float(np.std(np.stack(frames).astype(np.float32), axis=0, ddof=1).mean())


def measure_flicker(
    methods: Mapping[str, Callable[[Pair], np.ndarray]],
    pair: Pair,
    rng: np.random.Generator,
    *,
    camera: str,
    deviation: float,
    dataset: str = "",
    name: str = "",
    frames: int = FRAMES,
) -> FlickerScore:
    """Fuse a still scene under fresh noise in every frame.

    Args:
        methods: Name -> what makes the (H, W) uint8 fused luminance of a pair.
        pair: The scene.
        rng: Source of the noise.
        camera: Noisy camera: "thermal", "visible" or "both".
        deviation: Standard deviation of the noise, grey levels.
        dataset: For the result.
        name: For the result.
        frames: How many, at least 2.
    """
    condition = noise_condition(deviation, camera)
    sequence = [condition.degrade(pair, rng) for _ in range(frames)]
    return FlickerScore(
        dataset,
        name,
        camera,
        deviation,
        flicker([frame.thermal for frame in sequence]),
        flicker([to_grey(frame.visible) for frame in sequence]),
        {m: flicker([fuse(frame) for frame in sequence]) for m, fuse in methods.items()},
    )
