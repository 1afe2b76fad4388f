"""Light and tone: street lights, sky light, head lamps, and the visible camera's response."""

from __future__ import annotations

import math

import numpy as np

from egmt_ros.evaluation.scene.layout import Lamp
from egmt_ros.evaluation.scene.raycast import (
    FACE_FRONT,
    FACE_LEFT,
    FACE_RIGHT,
    ROUND,
    SKY,
    UP,
    Surface,
)

EXPOSURE = 1.7
SPILL, LOBE = 0.025, 1.9  # street lights shine down: share to the side, narrowness
CAST = np.array([0.9, 1.03, 0.94], np.float32)  # the greenish white balance of night cameras
AMBIENT = {
    "night": np.array([0.0065, 0.0062, 0.0048], np.float32),
    "dusk": np.array([0.46, 0.36, 0.33], np.float32),
}


def tone(light: np.ndarray) -> np.ndarray:
    """Linear light BGR -> display values 0..255, float32."""
    level = 1.0 - np.exp(-EXPOSURE * np.maximum(light, 0.0) * CAST)
    return (255.0 * level ** (1 / 2.2)).astype(np.float32)


def static_light(surface: Surface, lamps: list[Lamp], eye: float) -> np.ndarray:
    """Light of the street lights that reaches each pixel's surface, (h, w, 3) float32."""
    h, w = surface.z.shape
    total = np.zeros((h, w, 3), np.float32)
    lit = surface.facing != SKY
    facing = surface.facing[lit]
    x, y, z = surface.x[lit], surface.y[lit], surface.z[lit]
    up, right, left = facing == UP, facing == FACE_RIGHT, facing == FACE_LEFT
    front, turned = facing == FACE_FRONT, facing == ROUND
    sums = np.zeros((len(x), 3), np.float32)
    view_length = np.sqrt(x * x + (eye - y) ** 2 + z * z)
    for lamp in lamps:
        lx, ly, lz = lamp.x - x, lamp.y - y, lamp.z - z
        square = lx * lx + ly * ly + lz * lz + 0.3
        inverse = 1.0 / np.sqrt(square)
        cosine = np.zeros_like(x)
        cosine[up] = (ly * inverse)[up]
        cosine[right] = (lx * inverse)[right]
        cosine[left] = (-lx * inverse)[left]
        cosine[front] = (-lz * inverse)[front]
        cosine[turned] = 0.45
        lobe = SPILL + np.clip(ly * inverse, 0, 1) ** LOBE
        power = lamp.power * np.clip(cosine, 0, 1) * lobe / square
        # A little sheen towards the camera on the road (Blinn's half vector, anisotropic).
        hx = lx * inverse - x / view_length
        hy = ly * inverse + (eye - y) / view_length
        hz = lz * inverse - z / view_length
        sheen = np.exp(-((hx / hy) ** 2) * 160 - ((hz / hy) ** 2) * 6)
        power = power + np.where(up, 2.2 * lamp.power / square * sheen, 0)
        sums += power[:, None] * np.array(lamp.colour, np.float32)
    total[lit] = sums
    return total


def point_light(lamps: list[Lamp], x: float, z: float) -> np.ndarray:
    """Light on an upright body at ground position (x, z), seen from the camera; BGR."""
    blue = green = red = 0.0
    for lamp in lamps:
        lx, ly, lz = lamp.x - x, lamp.y - 1.1, lamp.z - z
        square = lx * lx + ly * ly + lz * lz + 0.3
        inverse = square**-0.5
        # A lamp behind the body lights only its rim.
        facing = 0.34 + 0.4 * max(0.0, -lz * inverse)
        power = lamp.power * facing * (SPILL + max(0.0, ly * inverse) ** LOBE) / square
        blue += lamp.colour[0] * power
        green += lamp.colour[1] * power
        red += lamp.colour[2] * power
    return np.array([blue, green, red])


def sky_picture(dy: np.ndarray, noise: np.ndarray, time_of_day: str) -> np.ndarray:
    """Linear sky light for rays of slope ``dy``; ``noise`` (same shape, 0..1) makes clouds."""
    rise = np.clip(dy / 0.55, 0, 1)[..., None]
    if time_of_day == "dusk":
        low, high = np.array([0.30, 0.27, 0.38]), np.array([0.21, 0.13, 0.085])
        cloud = np.array([0.10, 0.085, 0.14]) * np.clip(noise - 0.45, 0, 1)[..., None]
    else:
        low, high = np.array([0.0075, 0.0055, 0.0045]), np.array([0.0013, 0.0009, 0.0007])
        cloud = np.array([0.003, 0.0025, 0.0022]) * np.clip(noise - 0.5, 0, 1)[..., None]
    return (low * (1 - rise) ** 2 + high * (1 - (1 - rise) ** 2) + cloud).astype(np.float32)


BEAM_REACH = 17.0  # metres at which a low beam has lost half


def beam(x: float, z: float, px: np.ndarray, pz: np.ndarray, sin: float, cos: float) -> np.ndarray:
    """Level 0..1 of one car's low beam at ground points (px, pz).

    The car's nose is at (x, z) and looks along (sin, cos).
    """
    dx, dz = px - x, pz - z
    along = dx * sin + dz * cos
    ahead = np.maximum(along, 0.0)
    off = (dx * cos - dz * sin) / (0.75 + 0.24 * ahead)
    level = np.exp(-off * off) / (1.0 + (ahead / BEAM_REACH) ** 2)
    return level * np.clip(along / 1.5, 0, 1)


def beam_on(x: float, z: float, px: float, pz: float, sin: float, cos: float) -> float:
    """``beam`` for one point; plain floats, as it is called for each actor and car."""
    dx, dz = px - x, pz - z
    ahead = dx * sin + dz * cos
    if ahead <= 0.0:
        return 0.0
    off = (dx * cos - dz * sin) / (0.75 + 0.24 * ahead)
    return math.exp(-off * off) / (1.0 + (ahead / BEAM_REACH) ** 2) * min(1.0, ahead / 1.5)
