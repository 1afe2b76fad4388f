"""Named faults of the cameras at fixed strengths, for pairs of 8 bits.

A fault of the visible camera works on the luminance and leaves the chroma as it is, except that
less light and no light leave less and no chroma, and a shift moves it along.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.evaluation.robustness import degradation

NOISE = 15.0
"""Standard deviation of the noise, grey levels."""
BLUR = 2.0
"""Sigma of the blur, pixels."""
LOW_LIGHT = 0.2
"""Share of the light that is left."""
OVER_EXPOSURE = 2.5
"""Gain before clipping at white."""
SHIFTS = (2, 4, 8)
"""Pixels by which the visible image is off to the right, as with cameras side by side."""
FLAT = 128
"""Grey level of a thermal camera that shows one temperature."""
_NEUTRAL = 128 / 255

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""(H, W) float32, 0..1, and a source of chance -> the same of an image that a fault changed."""


class Pair(NamedTuple):
    """A registered pair.

    Attributes:
        thermal: (H, W) uint8.
        visible: (H, W, 3) uint8 BGR, or (H, W) uint8.
    """

    thermal: np.ndarray
    visible: np.ndarray


@dataclass(frozen=True)
class Condition:
    """A fault of the cameras.

    Attributes:
        name: Short and unique.
        description: What happens, with its strength, for a table.
        thermal: Change of the thermal image; None: it stays.
        luminance: Change of the visible luminance.
        chroma: Change of each of the visible image's Cr and Cb, where 128 / 255 is neutral.
        shows_clean: The fused image is to show the scene as it is without the fault (noise), so
            it is scored against the clean sources. Otherwise against the sources as they are given
            to the network: what a fault has taken away, or moved, no fusion can bring back.
        survivor: "thermal" or "visible": the one source that still shows the scene; "": both do.
    """

    name: str
    description: str
    thermal: Change | None = None
    luminance: Change | None = None
    chroma: Change | None = None
    shows_clean: bool = False
    survivor: str = ""

    def degrade(self, pair: Pair, rng: np.random.Generator) -> Pair:
        """The pair as the cameras would give it; what has no change is passed on as it is."""
        thermal, visible = pair
        if self.thermal is not None:
            thermal = _change(thermal, self.thermal, rng)
        if self.luminance is None and self.chroma is None:
            return Pair(thermal, visible)
        if visible.ndim == 2:
            if self.luminance is not None:
                visible = _change(visible, self.luminance, rng)
            return Pair(thermal, visible)
        planes = cv2.split(cv2.cvtColor(visible, cv2.COLOR_BGR2YCrCb))
        changes = (self.luminance, self.chroma, self.chroma)
        changed = [
            plane if change is None else _change(plane, change, rng)
            for plane, change in zip(planes, changes, strict=True)
        ]
        return Pair(thermal, cv2.cvtColor(cv2.merge(changed), cv2.COLOR_YCrCb2BGR))


def random_source(seed: int, *names: str) -> np.random.Generator:
    """A source of chance that belongs to these names, whatever was drawn before for others."""
    return np.random.default_rng([seed, zlib.crc32("/".join(names).encode())])


def noise_condition(deviation: float, on: str, name: str = "") -> Condition:
    """Gaussian noise of a standard deviation in grey levels on "thermal", "visible" or "both"."""

    def change(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return degradation.noise(image, deviation / 255, rng)

    return Condition(
        name or f"noise {on}",
        f"noise of {deviation:g} grey levels, {on}",
        thermal=change if on in ("thermal", "both") else None,
        luminance=change if on in ("visible", "both") else None,
        shows_clean=True,
    )


def _change(image: np.ndarray, change: Change, rng: np.random.Generator) -> np.ndarray:
    changed = change(image.astype(np.float32) / np.float32(255), rng)
    return np.clip(np.rint(changed * np.float32(255)), 0, 255).astype(np.uint8)


def _blur(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return degradation.blur(image, BLUR)


def _darken(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return degradation.darken(image, LOW_LIGHT)


def _fade(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return np.float32(_NEUTRAL) + np.float32(LOW_LIGHT) * (image - np.float32(_NEUTRAL))


def _over_expose(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return degradation.over_expose(image, OVER_EXPOSURE)


def _invert(image: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return degradation.invert(image)


def _shift(pixels: int) -> Change:
    return lambda image, _: degradation.shift(image, pixels, 0)


def _constant(value: float) -> Change:
    return lambda image, _: degradation.constant(image, value)


CLEAN = Condition("clean", "clean")

CONDITIONS: tuple[Condition, ...] = (
    CLEAN,
    noise_condition(NOISE, "thermal"),
    noise_condition(NOISE, "visible"),
    noise_condition(NOISE, "both"),
    Condition("blur thermal", f"blur, sigma {BLUR:g} pixels, thermal", thermal=_blur),
    Condition("blur visible", f"blur, sigma {BLUR:g} pixels, visible", luminance=_blur),
    Condition(
        "low light",
        f"low light, {LOW_LIGHT:.0%} of it left",
        luminance=_darken,
        chroma=_fade,
    ),
    Condition(
        "over-exposure", f"over-exposure, {OVER_EXPOSURE:g} times the light", luminance=_over_expose
    ),
    *(
        Condition(
            f"misregistration {pixels}",
            f"misregistration of {pixels} pixels",
            luminance=_shift(pixels),
            chroma=_shift(pixels),
        )
        for pixels in SHIFTS
    ),
    Condition("thermal inversion", "thermal inverted (black-hot)", thermal=_invert),
    Condition(
        "constant thermal",
        f"thermal constant, grey level {FLAT}",
        thermal=_constant(FLAT / 255),
        survivor="visible",
    ),
    Condition(
        "missing thermal", "thermal missing (black)", thermal=_constant(0.0), survivor="visible"
    ),
    Condition(
        "missing visible",
        "visible missing (black)",
        luminance=_constant(0.0),
        chroma=_constant(_NEUTRAL),
        survivor="thermal",
    ),
)
"""What `egmt evaluate robustness` tries, the clean pair first."""
