"""The thermal camera: what heat shows, with a soft lens and the noise of its detector."""

from __future__ import annotations

import cv2
import numpy as np

from egmt_ros.evaluation.scene.backdrop import Backdrop
from egmt_ros.evaluation.scene.cast import Shown
from egmt_ros.evaluation.scene.paint import draw
from egmt_ros.evaluation.scene.texture import NoisePool
from egmt_ros.evaluation.scene.view import View

RAW_ZERO = 26_400  # centikelvin of grey level 0: -9.15 degrees Celsius
RAW_STEP = 19  # centikelvin a grey level
NOISE = 1.4  # grey levels, temporal
_AIR = 26.0  # grey level that distance fades to


class ThermalCamera:
    """Renders (h, w) thermal pictures of the scene: uint8, or uint16 centikelvin."""

    def __init__(self, view: View, backdrop: Backdrop, seed: int) -> None:
        self._backdrop = backdrop
        self._noise = NoisePool(seed, (view.height, view.width), NOISE)
        self._noise_raw = NoisePool(seed, (view.height, view.width), NOISE * RAW_STEP, fields=2)
        rng = np.random.default_rng(seed + 1)
        columns = rng.normal(0, 0.9, view.width)
        rows = rng.normal(0, 0.4, (view.height, 1))
        fixed = rng.normal(0, 0.9, (view.height, view.width)) + columns + rows
        self._pattern_raw = np.rint(fixed * RAW_STEP).astype(np.int16)
        pattern = np.rint(fixed).astype(np.int16)
        self._plus = np.clip(pattern, 0, 255).astype(np.uint8)
        self._minus = np.clip(-pattern, 0, 255).astype(np.uint8)
        self._soft = 0.75 * max(1.0, view.width / 640)

    def render(self, shown: list[Shown], night: float, key: int, raw: bool = False) -> np.ndarray:
        """Draw the actors (farthest first) onto the street.

        Args:
            shown: Actors in the picture, farthest first.
            night: 0 dusk .. 1 night.
            key: Selects the noise.
            raw: uint16 centikelvin instead of uint8 grey levels.
        """
        frame = self.background(night)
        for item in shown:
            inks = self.inks(item)
            for _, parts in item.groups:
                draw(frame, parts, inks, self._backdrop.depth, item.pose.z, shading=0.45)
        if raw:
            wide = frame.astype(np.uint16) * np.uint16(RAW_STEP) + np.uint16(RAW_ZERO)
            wide = cv2.GaussianBlur(wide, (5, 5), self._soft)
            noise = self._noise_raw.field(key) + self._pattern_raw
            return (wide.astype(np.int32) + noise).astype(np.uint16)
        frame = cv2.GaussianBlur(frame, (5, 5), self._soft)
        self._noise.add8(frame, key)
        cv2.add(frame, self._plus, dst=frame)
        return cv2.subtract(frame, self._minus, dst=frame)

    def background(self, night: float) -> np.ndarray:
        """The street without actors, blur and noise; a copy."""
        pictures = self._backdrop.thermal
        if len(pictures) == 1:
            return next(iter(pictures.values())).copy()
        if night <= 0.0 or night >= 1.0:
            return pictures["night" if night >= 1.0 else "dusk"].copy()
        return cv2.addWeighted(pictures["dusk"], 1 - night, pictures["night"], night, 0)

    @staticmethod
    def inks(item: Shown) -> dict[str, tuple[float]]:
        """material -> grey level of an actor at its distance."""
        clear = float(np.exp(-item.pose.z / 190.0))
        return {k: (_AIR + (v - _AIR) * clear,) for k, v in item.actor.warmth.items()}
