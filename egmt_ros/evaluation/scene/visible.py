"""The RGB camera: what light shows, with glare, soft lens and noise."""

from __future__ import annotations

import math

import cv2
import numpy as np

from egmt_ros.evaluation.scene.backdrop import COARSE, Backdrop
from egmt_ros.evaluation.scene.cast import Shown, signal_state
from egmt_ros.evaluation.scene.layout import Layout
from egmt_ros.evaluation.scene.lighting import AMBIENT, beam, beam_on, point_light, tone
from egmt_ros.evaluation.scene.paint import add_glow, draw, glow_sprite
from egmt_ros.evaluation.scene.shapes import disc, finish
from egmt_ros.evaluation.scene.texture import NoisePool
from egmt_ros.evaluation.scene.view import View

_WARM_WHITE = (0.93, 1.0, 1.0)
_SIGNAL = {
    "red": (3.55, (0.06, 0.08, 5.0), (0.05, 0.06, 1.0)),
    "amber": (3.19, (0.05, 0.9, 5.0), (0.02, 0.5, 1.0)),
    "green": (2.83, (1.3, 5.0, 0.12), (0.7, 1.0, 0.15)),
}
NOISE = 2.0  # grey levels


class VisibleCamera:
    """Renders (h, w, 3) uint8 BGR pictures of the scene."""

    def __init__(self, view: View, layout: Layout, backdrop: Backdrop, seed: int) -> None:
        self._view = view
        self._layout = layout
        self._backdrop = backdrop
        self._noise = NoisePool(seed, (view.height, view.width, 3), NOISE)
        self._sprite = glow_sprite()

    def render(self, shown: list[Shown], time: float, night: float, key: int) -> np.ndarray:
        """Draw the actors (far ones first) onto the street.

        Args:
            shown: Actors in the picture, farthest first.
            time: Seconds, for the traffic light.
            night: 0 dusk .. 1 night.
            key: Selects the noise.
        """
        frame = self.background(night)
        white, red = self.beam_levels(shown)
        if white is not None:
            self._add_beams(frame, white, red)
        for item in shown:
            inks = self.inks(item, shown, night)
            for _, parts in item.groups:
                draw(frame, parts, inks, self._backdrop.depth, item.pose.z)
        self._signal(frame, time)
        self._vehicle_glare(frame, shown, night)
        cv2.add(frame, self._backdrop.glare, dst=frame)
        frame = cv2.GaussianBlur(frame, (3, 3), 0.55)
        return self._noise.add8(frame, key)

    def background(self, night: float) -> np.ndarray:
        """The street without actors, glare and noise; a copy."""
        pictures = self._backdrop.visible
        if len(pictures) == 1:
            return next(iter(pictures.values())).copy()
        if night <= 0.0 or night >= 1.0:
            return pictures["night" if night >= 1.0 else "dusk"].copy()
        return cv2.addWeighted(pictures["dusk"], 1 - night, pictures["night"], night, 0)

    # --- light ----------------------------------------------------------------------------

    def beam_levels(self, shown: list[Shown]) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Head lamp and tail lamp light on the coarse grid, 0..about 1; None without cars."""
        white = red = None
        for item in shown:
            if not item.actor.lights:
                continue
            sin, cos = math.sin(item.pose.heading), math.cos(item.pose.heading)
            x, z = item.pose.x + 2.1 * sin, item.pose.z + 2.1 * cos
            level = beam(x, z, self._backdrop.coarse_x, self._backdrop.coarse_z, sin, cos)
            white = level if white is None else white + level
            x, z = item.pose.x - 2.2 * sin, item.pose.z - 2.2 * cos
            dx, dz = self._backdrop.coarse_x - x, self._backdrop.coarse_z - z
            behind = np.clip(-(dx * sin + dz * cos) / 0.8, 0, 1)
            glow = behind * 0.55 / (1.0 + (dx * dx + dz * dz) / 3.5)
            red = glow if red is None else red + glow
        if white is None:
            return None, None
        return white * self._backdrop.coarse_gain, red * self._backdrop.coarse_gain

    def _add_beams(self, frame: np.ndarray, white: np.ndarray, red: np.ndarray) -> None:
        level = np.stack([white * 0.86, white * 0.95, white * 0.93 + red * 0.8], axis=2)
        level8 = np.clip(level * 175, 0, 255).astype(np.uint8)
        grown = cv2.resize(
            level8, (level8.shape[1] * COARSE, level8.shape[0] * COARSE),
            interpolation=cv2.INTER_LINEAR,
        )  # fmt: skip
        h, w = frame.shape[:2]
        if grown.shape[:2] != (h, w):  # sizes that COARSE does not divide
            grown = cv2.copyMakeBorder(
                grown, 0, max(0, h - grown.shape[0]), 0, max(0, w - grown.shape[1]),
                cv2.BORDER_REPLICATE,
            )[:h, :w]  # fmt: skip
        cv2.add(frame, cv2.multiply(self._backdrop.albedo, grown, scale=1 / 255), dst=frame)

    def light_on(self, item: Shown, shown: list[Shown], night: float) -> np.ndarray:
        """Linear light BGR on an actor as the camera sees it."""
        pose = item.pose
        light = point_light(self._layout.lamps, pose.x, pose.z)
        light = light + AMBIENT["night"] * night + AMBIENT["dusk"] * (1 - night)
        for other in shown:
            if other is item or not other.actor.lights:
                continue
            sin, cos = math.sin(other.pose.heading), math.cos(other.pose.heading)
            nose_x, nose_z = other.pose.x + 2.1 * sin, other.pose.z + 2.1 * cos
            level = beam_on(nose_x, nose_z, pose.x, pose.z, sin, cos)
            # A lamp behind the body (as seen from here) leaves the side we see dark.
            facing = 0.05 + 0.9 * max(0.0, cos)
            if level > 1e-4:
                light = light + level * facing * np.array(_WARM_WHITE)
        return light

    def inks(self, item: Shown, shown: list[Shown], night: float) -> dict[str, tuple]:
        """material -> displayed BGR colour, 0..255, of an actor."""
        light = self.light_on(item, shown, night)
        names = list(item.actor.colours)
        values = np.array([item.actor.colours[n] for n in names])
        # Emitting materials (values above 1) shine by themselves.
        linear = np.where(values.max(axis=1, keepdims=True) > 1.0, values, values * light)
        if item.actor.kind in ("car", "van") and "glass" in item.actor.colours:
            mirror = AMBIENT["dusk"] * (1 - night) * 0.25
            linear[names.index("glass")] += mirror
        shades = tone(linear)
        return {n: tuple(float(c) for c in s) for n, s in zip(names, shades, strict=True)}

    # --- glare ----------------------------------------------------------------------------

    def _signal(self, frame: np.ndarray, time: float) -> None:
        x, z = self._layout.signal
        height, light, colour = _SIGNAL[signal_state(time)]
        (centre,) = self._view.project(np.array([[x, height, z]]))
        r = max(0.9, 0.14 * self._view.scale(z))
        ink = tuple(float(c) for c in tone(np.array(light)))
        lens = finish([disc(centre, r, r, "on")])
        draw(frame, lens, {"on": ink}, self._backdrop.depth, z - 0.1)
        add_glow(frame, self._sprite, tuple(centre), 6.5 * r, tuple(0.62 * c for c in colour))

    def _vehicle_glare(self, frame: np.ndarray, shown: list[Shown], night: float) -> None:
        small = self._view.width / 640
        dim = 0.45 + 0.55 * night
        for item in shown:
            if item.lamps is None or not item.actor.lights:
                continue
            distance = max(item.pose.z, 4.0)
            for lamps, colour, base in (
                (item.lamps.head, _WARM_WHITE, 125.0),
                (item.lamps.tail, (0.12, 0.1, 1.0), 48.0),
            ):
                for u, v in lamps:
                    seen = self._unhidden(frame, u, v, item.pose.z)
                    radius = base * small * min(1.3, (14.0 / distance) ** 0.75)
                    strength = dim * seen * (1.0 if base > 50 else 0.75)
                    add_glow(
                        frame, self._sprite, (u, v), radius, tuple(strength * c for c in colour)
                    )

    def _unhidden(self, frame: np.ndarray, u: float, v: float, z: float) -> float:
        """How much of a lamp shows: its pixels are still bright after everything was drawn."""
        col, row = int(u), int(v)
        h, w = frame.shape[:2]
        if not (0 <= col < w and 0 <= row < h):
            return 0.0 if not (-40 < col < w + 40 and -40 < row < h + 40) else 0.8
        if self._backdrop.depth[row, col] < z - 3.0:
            return 0.0
        patch = frame[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
        return min(1.0, max(0.0, (float(patch.max(axis=2).mean()) - 110.0) / 90.0))
