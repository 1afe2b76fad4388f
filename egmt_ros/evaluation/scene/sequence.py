"""Two cameras that look at the scene for a while, each in its own time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.evaluation.scene.street import StreetScene
from egmt_ros.evaluation.scene.truth import FrameTruth

SECOND = 1_000_000_000
START = 1_760_000_000 * SECOND  # ns; a fixed time, so that the same arguments give the same bag


@dataclass(frozen=True)
class CameraTiming:
    """When a camera takes its frames.

    Attributes:
        rate: Frames a second.
        jitter: Standard deviation of a stamp in seconds; cut off at three of them.
        offset: Seconds by which all frames are late.
        drops: Share of frames that are missing, 0..1.
        transport: Seconds from the stamp to the bag time.
    """

    rate: float = 30.0
    jitter: float = 0.0015
    offset: float = 0.0
    drops: float = 0.0
    transport: float = 0.004

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.jitter >= 0 and 0 <= self.drops < 1):
            raise InputError(
                f"camera timing rate={self.rate}, jitter={self.jitter}, drops={self.drops}: "
                "the rate must be above 0, jitter at least 0, drops in 0..1.",
                reason="timing",
            )
        if 6 * self.jitter >= 1 / self.rate:
            raise InputError(
                f"a jitter of {self.jitter} s at {self.rate} Hz could swap frames; "
                f"keep it under {1 / self.rate / 6:.4f} s.",
                reason="timing",
            )

    def times(self, duration: float, rng: np.random.Generator) -> np.ndarray:
        """Stamps within ``duration`` seconds, ns from the start, int64, rising."""
        return self.frames(duration, rng)[1]

    def frames(
        self, duration: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """The frames within ``duration`` seconds: which ticks of the camera they are, from 0, and
        their stamps, ns from the start; both (N,) int64, rising."""
        count = max(0, int(np.ceil((duration - self.offset) * self.rate - 1e-9)))
        jitter = np.clip(rng.normal(0, 1, count), -3, 3) * self.jitter
        kept = rng.random(count) >= self.drops
        seconds = np.maximum(np.arange(count) / self.rate + self.offset + jitter, 0.0)
        return np.flatnonzero(kept), np.rint(seconds[kept] * SECOND).astype(np.int64)


@dataclass(frozen=True, eq=False)
class SceneFrame:
    """One frame of one camera.

    Attributes:
        side: "thermal" or "visible".
        stamp: Source stamp, ns.
        bag_time: When it reached the recorder, ns.
        time: Scene time, seconds.
        image: (h, w) uint8 or uint16, or (h, w, 3) uint8 BGR.
        truth: What is in the scene; only with visible frames.
    """

    side: str
    stamp: int
    bag_time: int
    time: float
    image: np.ndarray
    truth: FrameTruth | None


class SceneSequence:
    """The scene as two cameras record it; iterate for the frames in bag order.

    Args:
        seed, width, height, time_of_day: See StreetScene; "dusk_to_night" changes from 30 % to
            55 % of the duration.
        duration: Seconds.
        thermal, visible: Timing of the cameras.
        raw_thermal: uint16 centikelvin instead of uint8.
        start: Stamp of scene time 0, ns.
    """

    def __init__(
        self,
        seed: int = 0,
        width: int = 640,
        height: int = 480,
        duration: float = 12.0,
        time_of_day: str = "dusk_to_night",
        thermal: CameraTiming | None = None,
        visible: CameraTiming | None = None,
        raw_thermal: bool = False,
        start: int = START,
    ) -> None:
        if not duration > 0:
            raise InputError(f"duration is {duration} s; it must be above 0.", reason="duration")
        self.scene = StreetScene(
            seed, width, height, time_of_day, fade=(0.3 * duration, 0.55 * duration)
        )
        self.start, self.duration, self.raw_thermal = start, duration, raw_thermal
        self.thermal = thermal or CameraTiming(jitter=0.002, offset=0.006, transport=0.006)
        self.visible = visible or CameraTiming()
        rng = np.random.default_rng((seed, 7))
        shots = []
        for side, timing in (("thermal", self.thermal), ("visible", self.visible)):
            times = timing.times(duration, rng)
            transport = timing.transport * rng.uniform(0.7, 1.3, len(times))
            arrival = np.maximum.accumulate(times + np.rint(transport * SECOND).astype(np.int64))
            shots += [
                (int(b), side, int(t)) for b, t in zip(arrival, times, strict=True)
            ]
        self._shots = sorted(shots)

    def __len__(self) -> int:
        return len(self._shots)

    def stamps(self, side: str) -> list[int]:
        """Source stamps of one camera, ns."""
        return [self.start + t for _, s, t in self._shots if s == side]

    def __iter__(self) -> Iterator[SceneFrame]:
        for arrival, side, offset in self._shots:
            time = offset / SECOND
            if side == "thermal":
                image, truth = self.scene.render_thermal(time, raw=self.raw_thermal), None
            else:
                image, truth = self.scene.render_visible(time), self.scene.annotations(time)
            yield SceneFrame(
                side, self.start + offset, self.start + arrival, time, image, truth
            )
