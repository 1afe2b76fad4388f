"""Everything that does not move, rendered once."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from egmt_ros.evaluation.scene.layout import Layout
from egmt_ros.evaluation.scene.lighting import AMBIENT, sky_picture, static_light, tone
from egmt_ros.evaluation.scene.objects import Stamper
from egmt_ros.evaluation.scene.raycast import FAR, NAMES, SKY, UP, Caster
from egmt_ros.evaluation.scene.texture import sample
from egmt_ros.evaluation.scene.view import View

COARSE = 4  # the light of moving head lamps is computed on every fourth pixel


@dataclass(frozen=True, eq=False)
class Backdrop:
    """Cached pictures of the static street, all of the view's size unless said otherwise.

    Attributes:
        visible: time of day -> (h, w, 3) uint8, without glare.
        thermal: time of day -> (h, w) uint8.
        glare: (h, w, 3) uint8, what the street lights add inside the lens.
        albedo: (h, w, 3) uint8, how moving light shows.
        depth: (h, w) float32 metres of what can stand before an actor; FAR for ground and sky.
        coarse_x, coarse_z: Ground coordinates on the coarse grid.
        coarse_gain: How well a coarse pixel catches low light (0 for the sky).
        entities: Names with their share of the picture.
    """

    visible: dict[str, np.ndarray]
    thermal: dict[str, np.ndarray]
    glare: np.ndarray
    albedo: np.ndarray
    depth: np.ndarray
    coarse_x: np.ndarray
    coarse_z: np.ndarray
    coarse_gain: np.ndarray
    entities: dict[str, float]


def build_backdrop(
    view: View, layout: Layout, times: tuple[str, ...], rng: np.random.Generator
) -> Backdrop:
    """Cast, light and downsample the static street."""
    factor = 2 if view.width * view.height <= 1_000_000 else 1
    caster = Caster(view, factor, rng)
    surface = caster.cast(layout)
    Stamper(caster).place(layout)
    size = (view.width, view.height)

    def shrink(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    light = static_light(surface, layout.lamps, view.eye)
    sky = surface.facing == SKY
    clouds = sample(caster.noise, caster.dx * 300 + 2000, caster.dy * 700 + 2000)
    clouds = cv2.GaussianBlur(clouds, (0, 0), 6 * factor)
    # Corners and the ground near walls get less sky light.
    openness = np.where(surface.y > 0.01, 0.75, 1.0).astype(np.float32)
    visible, thermal = {}, {}
    for name in times:
        ambient = AMBIENT[name] * openness[..., None]
        linear = surface.albedo * (light + ambient) + surface.emission
        linear[sky] = sky_picture(caster.dy, clouds, name)[sky]
        haze = 1 - np.exp(-np.where(sky, 0, surface.z) / 260.0)
        far = sky_picture(np.zeros(1), np.zeros(1), name)[0]
        linear += (far - linear) * haze[..., None]
        visible[name] = np.clip(tone(shrink(linear)), 0, 255).astype(np.uint8)
        heat = surface.heat.copy()
        heat += (22 - heat) * np.where(sky, 0, 1 - np.exp(-surface.z / 200.0))
        if name == "dusk":  # walls and road still hold the day's warmth
            heat = np.where(sky, heat + 4, heat * 1.22 + 4)
        thermal[name] = np.clip(shrink(heat.astype(np.float32)), 0, 255).astype(np.uint8)

    step = factor * COARSE
    half = step // 2
    coarse = (slice(half, None, step), slice(half, None, step))
    z = surface.z[coarse]
    gain = np.where(surface.y[coarse] > 0.05, 1.25 * np.exp(-surface.y[coarse] / 1.3), 1.0)
    gain = np.where(surface.facing[coarse] == SKY, 0.0, gain * np.clip(1.4 - z / 90, 0, 1))
    counts = np.bincount(surface.entity.ravel(), minlength=len(NAMES)) / surface.entity.size
    return Backdrop(
        visible=visible,
        thermal=thermal,
        glare=_glare(view, layout),
        albedo=np.clip(shrink(surface.albedo) ** (1 / 2.2) * 255, 0, 255).astype(np.uint8),
        depth=np.where(surface.facing == UP, FAR, surface.z)[::factor, ::factor].copy(),
        coarse_x=np.ascontiguousarray(surface.x[coarse]),
        coarse_z=np.ascontiguousarray(z),
        coarse_gain=np.ascontiguousarray(gain, dtype=np.float32),
        entities={name: float(c) for name, c in zip(NAMES, counts, strict=True)},
    )


def _glare(view: View, layout: Layout) -> np.ndarray:
    cols, rows = np.meshgrid(
        np.arange(view.width, dtype=np.float32), np.arange(view.height, dtype=np.float32)
    )
    total = np.zeros((view.height, view.width, 3), np.float32)
    for lamp in layout.lamps:
        if lamp.z < 8:
            continue
        (u, v), *_ = view.project(np.array([[lamp.x, lamp.y, lamp.z]]))
        r = np.hypot(cols - u, rows - v) / view.scale(lamp.z)
        small = view.width / 640
        near = np.exp(-((r / 0.33) ** 2)) * 190
        halo = 58 / (1 + (r / 0.75) ** 2) * np.exp(-r / 3.2)
        veil = 7 * np.exp(-np.hypot(cols - u, rows - v) / (70 * small))
        total += (near + halo + veil)[..., None] * np.array(lamp.colour, np.float32)
    return np.clip(total, 0, 255).astype(np.uint8)
