"""When two cameras look at a row of pairs, and which pair each of their frames shows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.scene.sequence import SECOND, START, CameraTiming
from egmt_ros.pipeline.frames import Side

_TRANSPORT = 2_000_000  # ns from stamp to bag time


@dataclass(frozen=True)
class PairCameras:
    """Two cameras; by default both show each pair once, at the same moment, without a fault.

    Attributes:
        thermal_rate, visible_rate: Frames a second; None: one for each pair.
        jitter: Standard deviation of the stamps, s; cut off at three of them.
        offset: By how much thermal stamps are later than the moment that the frame shows, s.
        drops: Share of the frames of each camera that is missing, 0..1.
        noise: Standard deviation of the sensors' noise, in grey levels (counts of 16-bit images).
        seed: Of jitter, drops and noise.

    Raises:
        DataError: A value is out of its range.
    """

    thermal_rate: float | None = None
    visible_rate: float | None = None
    jitter: float = 0.0
    offset: float = 0.0
    drops: float = 0.0
    noise: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, fits, expected in (
            ("thermal_rate", _is_rate, "Hz, above 0"),
            ("visible_rate", _is_rate, "Hz, above 0"),
            ("jitter", _is_positive, "a time in s, at least 0"),
            ("offset", math.isfinite, "a time in s"),
            ("drops", lambda share: 0 <= share < 1, "a share, at least 0 and below 1"),
            ("noise", _is_positive, "grey levels, at least 0"),
            ("seed", _is_positive, "a whole number, at least 0"),
        ):
            value = getattr(self, name)
            if not fits(value):
                raise DataError(f"{name} of the cameras is {value}; expected {expected}")


def _is_positive(value: float) -> bool:
    return 0 <= value < math.inf


def _is_rate(value: float | None) -> bool:
    return value is None or 0 < value < math.inf


class Shot(NamedTuple):
    """One frame of a camera.

    Attributes:
        bag_time: When it reaches the recorder, ns.
        side: Camera.
        stamp: Source stamp, ns.
        pair: Which pair it shows, from 0.
    """

    bag_time: int
    side: Side
    stamp: int
    pair: int


def plan_shots(pairs: int, rate: float, repeat: int, cameras: PairCameras) -> list[Shot]:
    """All frames, in bag order; each shows the newest pair of its moment.

    Args:
        pairs: How many there are.
        rate: Of the pairs, Hz.
        repeat: How many periods of that rate a pair lasts.
        cameras: How they see them.

    Raises:
        DataError: A camera has no frame at all.
        InputError: The jitter could swap frames.
    """
    rng = np.random.default_rng((cameras.seed, 11))
    shots = []
    for side, own_rate, offset in (
        (Side.THERMAL, cameras.thermal_rate, cameras.offset),
        (Side.VISIBLE, cameras.visible_rate, 0.0),
    ):
        camera = CameraTiming(own_rate or rate, cameras.jitter, 0.0, cameras.drops)
        ticks, stamps = camera.frames(pairs * repeat / rate, rng)
        # Rounded up a little, or a tick that falls on a new pair could show the one before.
        shown = np.floor(ticks * (rate / camera.rate / repeat) + 1e-6).astype(np.int64)
        late = START + round(offset * SECOND)
        for stamp, pair in zip(stamps, np.minimum(shown, pairs - 1), strict=True):
            taken = late + int(stamp)
            shots.append(Shot(taken + _TRANSPORT, side, taken, int(pair)))
        if not len(ticks):
            raise DataError(
                f"the {side.value} camera has no frame of {pairs} pairs at {camera.rate:g} Hz with"
                f" drops={cameras.drops:g}; expected one at least: take more pairs, or lower drops"
            )
    return sorted(shots, key=lambda shot: (shot.bag_time, shot.side is Side.VISIBLE))


def add_noise(image: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise on an integer image, of a standard deviation in its own levels."""
    if not deviation:
        return image
    noisy = image + np.float32(deviation) * rng.standard_normal(image.shape, np.float32)
    return np.clip(np.rint(noisy), 0, np.iinfo(image.dtype).max).astype(image.dtype)
