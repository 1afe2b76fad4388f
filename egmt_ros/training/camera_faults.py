"""Faults of the cameras that the network is to live with, drawn at random for training views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.robustness import degradation

NEUTRAL_CHROMA = 0.5


@dataclass(frozen=True)
class View:
    """A pair as the network gets it, and what the fused image is to show of it.

    Attributes:
        thermal: (H, W) float32, 0..1.
        visible: (3, H, W) float32 Y, Cr, Cb, 0..1.
        shown_thermal: (H, W) what of the thermal image is to be shown.
        shown_visible: (H, W) what of the visible luminance is to be shown.
        lost: "thermal" or "visible" if that camera shows nothing; then the other one's image
            stands for both. "" if none is lost.
    """

    thermal: np.ndarray
    visible: np.ndarray
    shown_thermal: np.ndarray
    shown_visible: np.ndarray
    lost: str = ""


def without_fault(thermal: np.ndarray, visible: np.ndarray) -> View:
    """A view that is to be shown as it is."""
    return View(thermal, visible, thermal, visible[0])


def with_fault(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    """A view with one fault drawn by the chances of FAULTS."""
    chances = np.array(list(FAULTS.values()))
    fault = list(FAULTS)[rng.choice(len(FAULTS), p=chances / chances.sum())]
    return fault(thermal, visible, rng)


def _noise(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    """Noise is in the input, not in what is to be shown."""
    which = rng.integers(1, 4)
    noisy_thermal, noisy_visible = thermal, visible
    if which & 1:
        noisy_thermal = degradation.noise(thermal, rng.uniform(0.01, 0.1), rng)
    if which & 2:
        luminance = degradation.noise(visible[0], rng.uniform(0.01, 0.1), rng)
        noisy_visible = _with_luminance(visible, luminance)
    return View(noisy_thermal, noisy_visible, thermal, visible[0])


def _blur(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    sigma = rng.uniform(0.5, 2.5)
    if rng.random() < 0.5:
        return without_fault(degradation.blur(thermal, sigma), visible)
    return without_fault(thermal, _with_luminance(visible, degradation.blur(visible[0], sigma)))


def _night(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    gain = rng.uniform(0.05, 0.5)
    dark = degradation.darken(visible[0], gain)
    chroma = NEUTRAL_CHROMA + np.float32(gain) * (visible[1:] - NEUTRAL_CHROMA)
    grainy = degradation.noise(dark, rng.uniform(0.0, 0.03), rng)
    return View(thermal, np.concatenate([grainy[None], chroma]), thermal, dark)


def _glare(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    bright = degradation.over_expose(visible[0], rng.uniform(1.3, 3.0))
    return without_fault(thermal, _with_luminance(visible, bright))


def _misregistration(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    right, down = (int(v) for v in rng.integers(-8, 9, 2))
    moved = np.stack([degradation.shift(channel, right, down) for channel in visible])
    return without_fault(thermal, moved)


def _inversion(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    return without_fault(degradation.invert(thermal), visible)


def _loss(thermal: np.ndarray, visible: np.ndarray, rng: np.random.Generator) -> View:
    value = 0.0 if rng.random() < 0.6 else rng.uniform(0.0, 1.0)
    if rng.random() < 0.5:
        nothing = degradation.constant(thermal, value)
        return View(nothing, visible, visible[0], visible[0], "thermal")
    nothing = np.full_like(visible, NEUTRAL_CHROMA)
    nothing[0] = value
    return View(thermal, nothing, thermal, thermal, "visible")


def _with_luminance(visible: np.ndarray, luminance: np.ndarray) -> np.ndarray:
    return np.concatenate([luminance[None], visible[1:]])


Fault = Callable[[np.ndarray, np.ndarray, np.random.Generator], View]
FAULTS: dict[Fault, float] = {
    _noise: 0.25,
    _blur: 0.1,
    _night: 0.15,
    _glare: 0.1,
    _misregistration: 0.12,
    _inversion: 0.08,
    _loss: 0.2,
}
"""Relative chance of each fault."""
