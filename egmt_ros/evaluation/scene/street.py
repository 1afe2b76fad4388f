"""The scene as a whole: pictures and truth for any time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from egmt_ros.errors import InputError
from egmt_ros.evaluation.scene.backdrop import build_backdrop
from egmt_ros.evaluation.scene.cast import Shown, make_cast
from egmt_ros.evaluation.scene.layout import make_layout
from egmt_ros.evaluation.scene.thermal import ThermalCamera
from egmt_ros.evaluation.scene.truth import FrameTruth, frame_truth
from egmt_ros.evaluation.scene.view import View
from egmt_ros.evaluation.scene.visible import VisibleCamera

TIMES = ("night", "dusk", "dusk_to_night")


class StreetScene:
    """A street with people, a cyclist, cars and lights, seen by a thermal and an RGB camera.

    Both cameras share one view, so that a pair of one time is registered. The same arguments
    give the same pixels.

    Args:
        seed: Varies buildings, trees, clothes, paints, paces and noise.
        width, height: Image size in pixels, at least 32 x 32.
        time_of_day: "night", "dusk", or "dusk_to_night": dusk that becomes night during ``fade``.
        fade: (start, end) of that change in seconds.
    """

    def __init__(
        self,
        seed: int = 0,
        width: int = 640,
        height: int = 480,
        time_of_day: str = "night",
        fade: tuple[float, float] = (3.0, 6.5),
    ) -> None:
        if time_of_day not in TIMES:
            raise InputError(
                f"time_of_day is {time_of_day!r}; give one of {', '.join(TIMES)}.",
                reason="time_of_day",
            )
        if width < 32 or height < 32:
            raise InputError(
                f"the scene's size is {width}x{height}; give at least 32x32 pixels.",
                reason="size",
            )
        if not fade[0] <= fade[1]:
            raise InputError(f"fade is {fade}; its start must not be after its end.", "fade")
        self.seed, self.width, self.height = seed, width, height
        self.time_of_day, self._fade = time_of_day, fade
        self.view = View.street(width, height)
        layout = make_layout(np.random.default_rng((seed, 1)))
        times = ("dusk", "night") if time_of_day == "dusk_to_night" else (time_of_day,)
        self._backdrop = build_backdrop(self.view, layout, times, np.random.default_rng((seed, 2)))
        self._actors = make_cast(np.random.default_rng((seed, 3)))
        self._visible = VisibleCamera(self.view, layout, self._backdrop, seed * 2 + 11)
        self._thermal = ThermalCamera(self.view, self._backdrop, seed * 2 + 12)
        self._shown = lru_cache(maxsize=4)(self._find_shown)

    def night(self, time: float) -> float:
        """How far night has fallen at ``time`` seconds: 0 dusk .. 1 night."""
        if self.time_of_day != "dusk_to_night":
            return 1.0 if self.time_of_day == "night" else 0.0
        start, end = self._fade
        share = 1.0 if time >= end else max(0.0, (time - start) / max(end - start, 1e-9))
        return share * share * (3 - 2 * share)

    def render_visible(self, time: float) -> np.ndarray:
        """The RGB picture at ``time`` seconds: (height, width, 3) uint8 BGR."""
        shown = self._shown(time)
        return self._visible.render(shown, time, self.night(time), _key(time))

    def render_thermal(self, time: float, raw: bool = False) -> np.ndarray:
        """The thermal picture at ``time`` seconds: (height, width) uint8 grey levels.

        With ``raw``: uint16 centikelvin (temperature in kelvin times 100).
        """
        return self._thermal.render(self._shown(time), self.night(time), _key(time), raw)

    def annotations(self, time: float) -> FrameTruth:
        """What the pictures at ``time`` seconds show."""
        return frame_truth(
            self._shown(time), self.night(time), self._backdrop, self._visible, self._thermal
        )

    def _find_shown(self, time: float) -> list[Shown]:
        found = [actor.show(time, self.view) for actor in self._actors]
        return sorted((s for s in found if s is not None), key=lambda s: -s.pose.z)


def _key(time: float) -> int:
    return int(round(time * 1e6))
