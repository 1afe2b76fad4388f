"""People and cyclists: a small skeleton, posed in 3-D and drawn as limbs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.scene.motion import Pose
from egmt_ros.evaluation.scene.shapes import Outline, Part, disc, finish, hull, limb, line
from egmt_ros.evaluation.scene.view import View

STRIDE = 1.45  # metres walked in one gait cycle (two steps)


@dataclass(frozen=True)
class Build:
    """Looks of one person: height (m), girth factor, and what is worn or carried."""

    height: float = 1.74
    girth: float = 1.0
    coat: bool = False
    backpack: bool = False
    bag: bool = False


class _Frame:
    """Body axes at a pose: forward, right and up, projected to the image."""

    def __init__(self, pose: Pose, view: View, size: float) -> None:
        sin, cos = math.sin(pose.heading), math.cos(pose.heading)
        self._origin = np.array([pose.x, 0.0, pose.z])
        self._axes = np.array([[sin, 0.0, cos], [cos, 0.0, -sin], [0.0, 1.0, 0.0]]) * size
        self._view = view
        self.scale = view.scale(pose.z) * size
        self.away = cos  # 1: seen from behind, -1: from the front
        self.right_is_near = -sin < 0.0  # right shoulder nearer to the camera than the left one

    def joints(self, local: list[tuple[float, float, float]]) -> np.ndarray:
        """(forward, right, up) in units of the body size -> (n, 2) pixels."""
        return self._view.project(self._origin + np.array(local) @ self._axes)


def _leg(phase: float, side: float, swing: float) -> list[tuple[float, float, float]]:
    """Hip, knee, ankle and toe with the hip at height 0."""
    thigh = 0.46 * swing * math.sin(phase) + 0.04
    knee = 0.06 + 0.95 * swing * max(0.0, math.cos(phase)) ** 1.3
    shin = thigh - knee
    hip = (0.0, side * 0.085, 0.0)
    k = (0.43 * math.sin(thigh), side * 0.09, -0.43 * math.cos(thigh))
    a = (k[0] + 0.42 * math.sin(shin), side * 0.09, k[2] - 0.42 * math.cos(shin))
    foot = 0.25 * min(0.0, math.sin(shin)) * 0.8
    toe = (a[0] + 0.17, side * 0.1, a[2] - 0.045 + foot)
    return [hip, k, a, toe]


def _arm(phase: float, side: float, swing: float) -> list[tuple[float, float, float]]:
    """Shoulder, elbow and wrist with the shoulder at height 0."""
    upper = -0.42 * swing * math.sin(phase)
    lower = upper + 0.22 + 0.18 * swing
    shoulder = (0.0, side * 0.195, 0.0)
    e = (0.28 * math.sin(upper), side * 0.235, -0.28 * math.cos(upper))
    w = (e[0] + 0.25 * math.sin(lower), side * 0.225, e[2] - 0.25 * math.cos(lower))
    return [shoulder, e, w]


def walker(pose: Pose, view: View, build: Build) -> list[Part]:
    """Parts of a walking (or standing) person, far ones first."""
    size = build.height / 1.74
    swing = min(1.0, pose.speed / 0.8)
    phase = 2 * math.pi * pose.travelled / STRIDE
    legs = {s: _leg(phase + (0 if s > 0 else math.pi), s, swing) for s in (1.0, -1.0)}
    # The pelvis is as high as the lower foot allows.
    hip = -min(min(leg[2][2], leg[3][2] + 0.05) for leg in legs.values()) + 0.075
    shoulder = hip + 0.53
    lean = 0.03 * swing
    frame = _Frame(pose, view, size)
    px = frame.scale
    near = 1.0 if frame.right_is_near else -1.0

    local: list[tuple[float, float, float]] = []
    for side in (-near, near):
        local += [(f, r, u + hip) for f, r, u in legs[side]]
    for side in (-near, near):
        arm_phase = phase + (0 if side > 0 else math.pi)
        local += [(f + lean, r, u + shoulder) for f, r, u in _arm(arm_phase, side, swing)]
    local += [
        (lean, -0.15, shoulder), (lean, 0.15, shoulder),  # shoulders 14, 15
        (0.0, -0.075, hip), (0.0, 0.075, hip),  # hips 16, 17
        (lean, 0.0, shoulder + 0.02), (lean + 0.015, 0.0, shoulder + 0.205),  # neck, head 18, 19
        (lean - 0.02, 0.0, shoulder + 0.235),  # hair 20
        (lean - 0.15, 0.0, shoulder - 0.06), (lean - 0.15, 0.0, shoulder - 0.32),  # backpack
        (0.0, 0.0, hip - 0.28),  # hem of a coat 23
    ]
    j = frame.joints(local)
    g = build.girth

    def leg(base: int, shade: float) -> list[Outline]:
        return [
            limb(j[base + 2], j[base + 3], 0.047 * px, 0.036 * px, "shoe", shade),
            limb(j[base + 1], j[base + 2], 0.066 * px * g, 0.046 * px, "trousers", shade * 0.94),
            limb(j[base], j[base + 1], 0.09 * px * g, 0.066 * px * g, "trousers", shade),
        ]

    def arm(base: int, shade: float) -> list[Outline]:
        return [
            disc(j[base + 2], 0.042 * px, 0.05 * px, "skin", shade),
            limb(j[base + 1], j[base + 2], 0.05 * px * g, 0.038 * px, "jacket", shade),
            limb(j[base], j[base + 1], 0.064 * px * g, 0.05 * px * g, "jacket", shade * 0.96),
        ]

    torso_radii = np.array([0.066, 0.066, 0.088, 0.088]) * px * g
    torso = [
        hull(j[14:18], torso_radii, "jacket"),
        hull(j[[14, 15, 18]], np.array([0.06, 0.06, 0.06]) * px, "jacket", 0.97),  # collar
    ]
    if build.coat:
        torso.insert(0, hull(j[[16, 17, 23]], np.array([0.1, 0.1, 0.13]) * px * g, "jacket", 0.93))
    middle = (j[14:18].mean(axis=0) - j[14:18]) * 0.35 + j[14:18]
    torso.append(hull(middle, torso_radii * 0.6, "jacket", 1.1))
    if px > 55:
        torso += _folds(j, px, build)
    pack = hull(j[21:23], np.array([0.12, 0.13]) * px, "pack")
    head = [
        limb(j[18], j[19], 0.052 * px, 0.05 * px, "skin", 0.9),
        disc(j[19], 0.083 * px, 0.115 * px, "skin"),
        _hair(j[19], j[20], px, frame.away),
    ]
    parts = arm(8, 0.85) + leg(0, 0.86) + leg(4, 1.0)
    if build.backpack and frame.away < 0:
        parts = [pack, *parts]
    parts += torso
    if build.backpack and frame.away >= 0:
        parts.append(pack)
    parts += head + arm(11, 1.03)
    if build.bag:
        hand = j[13]
        drop = np.array([[0.0, 0.1], [0.0, 0.26]]) * px
        parts.append(hull(hand + drop, np.array([0.06, 0.11]) * px, "pack"))
    return finish(parts)


def _folds(j: np.ndarray, px: float, build: Build) -> list[Outline]:
    """Creases over the torso; their slant differs from person to person."""
    out = []
    slant = (build.height * 37.0) % 1.0 - 0.5
    for k, at in enumerate((0.28, 0.5, 0.72, 0.92)):
        a = j[14] * (1 - at) + j[16] * at
        b = j[15] * (1 - at) + j[17] * at
        drop = np.array([0.0, 0.05 * slant * (-1) ** k]) * px
        shade = 0.87 if k % 2 else 1.12
        out.append(limb(a + drop, b - drop, 0.012 * px, 0.017 * px, "jacket", shade))
    out.append(limb(j[18], (j[16] + j[17]) / 2, 0.008 * px, 0.008 * px, "jacket", 0.8))
    return out


def _hair(head: np.ndarray, hair: np.ndarray, px: float, away: float) -> Outline:
    if away > 0.35:
        return disc(head - (0, 0.012 * px), 0.087 * px, 0.115 * px, "hair")
    rise = np.array([[-0.038, -0.06], [0.038, -0.06], [0.0, -0.078]]) * px
    return hull(hair * 0.25 + head * 0.75 + rise, np.array([0.05, 0.05, 0.045]) * px, "hair")


def bicycle(pose: Pose, view: View, rider: bool = True) -> list[Part]:
    """Parts of a bicycle: two wheels, frame, handlebar, saddle."""
    frame = _Frame(pose, view, 1.0)
    px = frame.scale
    ring = [
        (math.cos(a) * 0.335, math.sin(a) * 0.335)
        for a in np.linspace(0, 2 * math.pi, 21)
    ]
    spoke = [
        (math.cos(a + pose.travelled / 0.335) * 0.32, math.sin(a + pose.travelled / 0.335) * 0.32)
        for a in np.linspace(0, math.pi, 4, endpoint=False)
    ]
    parts: list[Outline] = []
    for centre in (-0.52, 0.54):
        rim = frame.joints([(centre + f, 0.0, 0.34 + u) for f, u in ring])
        parts.append(line(rim, "tyre", 0.045 * px))
        for f, u in spoke if px > 60 else []:
            ends = frame.joints([(centre + f, 0.0, 0.34 + u), (centre - f, 0.0, 0.34 - u)])
            parts.append(line(ends, "spoke", 1))
    a = frame.joints(
        [
            (-0.52, 0, 0.34), (-0.04, 0, 0.3), (-0.2, 0, 0.85), (0.38, 0, 0.86),
            (0.54, 0, 0.34), (0.34, 0, 1.02), (-0.22, 0, 0.93), (0.37, -0.26, 1.04),
            (0.37, 0.26, 1.04), (-0.32, 0, 0.95), (-0.1, 0, 0.95), (0.46, 0, 0.9),
            (-0.62, 0, 0.6),
        ]
    )
    width = 0.035 * px
    for chain in ((0, 1, 3, 2, 1), (0, 2, 6), (4, 3, 5), (7, 5, 8)):
        parts.append(line(a[list(chain)], "frame", width))
    parts.append(limb(a[9], a[10], 0.035 * px, 0.03 * px, "tyre"))
    if rider:
        lamp = a[11] if frame.away < 0.3 else a[12]
        name = "bicycle_lamp" if frame.away < 0.3 else "taillight"
        parts.append(disc(lamp, max(0.04 * px, 1.0), max(0.04 * px, 1.0), name))
    return finish(parts)


def rider(pose: Pose, view: View, build: Build) -> list[Part]:
    """Parts of the person on a bicycle."""
    frame = _Frame(pose, view, build.height / 1.74)
    px = frame.scale
    near = 1.0 if frame.right_is_near else -1.0
    turn = pose.travelled / 0.9
    hip = (-0.2, 0.0, 0.99)

    def leg(side: float) -> list[tuple[float, float, float]]:
        a = turn + (0.0 if side > 0 else math.pi)
        ankle = (-0.04 + 0.16 * math.cos(a), 0.36 - 0.16 * math.sin(a))
        knee = _bend((hip[0], hip[2]), ankle, 0.43, 0.43)
        return [
            (hip[0], side * 0.085, hip[2]), (knee[0], side * 0.1, knee[1]),
            (ankle[0], side * 0.1, ankle[1]), (ankle[0] + 0.17, side * 0.1, ankle[1] - 0.05),
        ]

    local = leg(-near) + leg(near)
    for side in (-near, near):
        local += [(0.12, side * 0.18, 1.45), (0.2, side * 0.25, 1.2), (0.36, side * 0.22, 1.06)]
    local += [
        (0.12, -0.14, 1.46), (0.12, 0.14, 1.46), (-0.2, -0.08, 1.0), (-0.2, 0.08, 1.0),
        (0.14, 0, 1.5), (0.21, 0, 1.68), (0.19, 0, 1.71),
    ]
    j = frame.joints(local)

    def leg_parts(b: int, shade: float) -> list[Outline]:
        return [
            limb(j[b + 2], j[b + 3], 0.045 * px, 0.035 * px, "shoe", shade),
            limb(j[b + 1], j[b + 2], 0.065 * px, 0.045 * px, "trousers", shade * 0.94),
            limb(j[b], j[b + 1], 0.088 * px, 0.065 * px, "trousers", shade),
        ]

    def arm_parts(b: int, shade: float) -> list[Outline]:
        return [
            limb(j[b], j[b + 1], 0.06 * px, 0.048 * px, "jacket", shade * 0.96),
            limb(j[b + 1], j[b + 2], 0.048 * px, 0.038 * px, "jacket", shade),
            disc(j[b + 2], 0.042 * px, 0.042 * px, "skin", shade),
        ]

    radii = np.array([0.075, 0.075, 0.09, 0.09]) * px
    parts = arm_parts(8, 0.85) + leg_parts(0, 0.86) + leg_parts(4, 1.0)
    parts += [
        hull(j[14:18], radii, "jacket"),
        limb(j[18], j[19], 0.05 * px, 0.05 * px, "skin", 0.9),
        disc(j[19], 0.085 * px, 0.112 * px, "skin"),
        _hair(j[19], j[20], px, frame.away),
    ]
    return finish(parts + arm_parts(11, 1.03))


def _bend(
    a: tuple[float, float], b: tuple[float, float], first: float, second: float
) -> tuple[float, float]:
    """The forward-bent joint of two links between ``a`` and ``b`` (cosine rule)."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    d = min(math.hypot(dx, dy), first + second - 1e-6)
    along = (first**2 - second**2 + d * d) / (2 * d)
    off = math.sqrt(max(0.0, first**2 - along**2))
    ux, uy = dx / d, dy / d
    return a[0] + ux * along - uy * off, a[1] + uy * along + ux * off
