"""Cars and vans: an extruded side profile with tapered sides, windows, wheels and lamps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.scene.motion import Pose
from egmt_ros.evaluation.scene.shapes import Outline, Part, convex, finish, limb, polygon
from egmt_ros.evaluation.scene.view import NEAR, View

_CIRCLE = [(math.cos(a), math.sin(a)) for a in np.linspace(0, 2 * math.pi, 16, endpoint=False)]


@dataclass(frozen=True)
class Body:
    """Shape of a vehicle: (length, height) points in metres, front to the right.

    Attributes:
        outline: Closed profile, clockwise from the lower rear corner: (x, y, material of the face
            that starts here).
        glass: Side windows, each a list of (x, y).
        wheels: Axle positions x.
        radius: Wheel radius.
        half_width: Half of the width below the belt line.
        belt, roof: Heights between which the sides lean in.
        taper: Half width at the roof divided by ``half_width``.
    """

    outline: tuple[tuple[float, float, str], ...]
    glass: tuple[tuple[tuple[float, float], ...], ...]
    wheels: tuple[float, float]
    radius: float
    half_width: float
    belt: float
    roof: float
    taper: float

    def half(self, height: float) -> float:
        lean = min(1.0, max(0.0, (height - self.belt) / (self.roof - self.belt)))
        return self.half_width * (1.0 - lean * (1.0 - self.taper))


CAR = Body(
    outline=(
        (-2.12, 0.28, "bumper"), (-2.18, 0.58, "tail"), (-2.1, 0.93, "boot"),
        (-1.85, 0.99, "rear_glass"), (-1.2, 1.4, "roof"), (-0.3, 1.46, "roof"),
        (0.25, 1.43, "windscreen"), (1.05, 0.98, "bonnet"), (1.75, 0.85, "bonnet"),
        (2.1, 0.68, "nose"), (2.18, 0.45, "grille"), (2.12, 0.26, "floor"),
    ),
    glass=(
        ((-1.55, 0.99), (-1.1, 1.32), (-0.38, 1.38), (-0.38, 0.98)),
        ((-0.3, 0.98), (-0.3, 1.38), (0.22, 1.35), (0.82, 0.97)),
    ),
    wheels=(-1.33, 1.36),
    radius=0.32,
    half_width=0.88,
    belt=0.97,
    roof=1.46,
    taper=0.74,
)

VAN = Body(
    outline=(
        (-2.3, 0.3, "bumper"), (-2.36, 0.62, "tail"), (-2.32, 1.05, "rear_glass"),
        (-2.15, 1.82, "roof"), (-0.4, 1.98, "roof"), (1.15, 1.9, "windscreen"),
        (1.8, 1.15, "bonnet"), (2.25, 0.95, "nose"), (2.34, 0.55, "grille"),
        (2.28, 0.28, "floor"),
    ),
    glass=(
        ((-2.1, 1.15), (-2.0, 1.68), (-0.95, 1.74), (-0.95, 1.12)),
        ((-0.85, 1.12), (-0.85, 1.74), (0.25, 1.74), (0.25, 1.1)),
        ((0.35, 1.1), (0.35, 1.73), (1.0, 1.7), (1.52, 1.1)),
    ),
    wheels=(-1.5, 1.5),
    radius=0.36,
    half_width=0.95,
    belt=1.1,
    roof=1.95,
    taper=0.86,
)


@dataclass(frozen=True, eq=False)
class Lamps:
    """Pixel positions of the lamps that face the camera, and pixels per metre there."""

    head: list[tuple[float, float]]
    tail: list[tuple[float, float]]
    scale: float


class _Placed:
    def __init__(self, body: Body, pose: Pose, view: View) -> None:
        self.sin = sin = math.sin(pose.heading)
        self.cos = cos = math.cos(pose.heading)
        self.origin = (pose.x, 0.0, pose.z)
        self.view = view
        self.body = body
        # The camera in the vehicle's axes: forward, right, up.
        self.eye = (
            -pose.x * sin - pose.z * cos, -pose.x * cos + pose.z * sin, view.eye
        )

    def pixels(self, local: list[tuple[float, float, float]]) -> np.ndarray:
        """(forward, right, up) metres -> pixels; plain floats, as the lists are short."""
        view, (ox, _, oz) = self.view, self.origin
        sin, cos, focal = self.sin, self.cos, self.view.focal
        out = []
        for f, r, u in local:
            scale = focal / max(oz + f * cos - r * sin, NEAR)
            out.append(
                (view.cx + scale * (ox + f * sin + r * cos), view.cy + scale * (view.eye - u))
            )
        return np.array(out)

    def faces_camera(self, point: tuple[float, float, float], normal: tuple[float, ...]) -> float:
        """Cosine between a face's normal and the direction to the camera."""
        to_eye = [e - p for e, p in zip(self.eye, point, strict=True)]
        dot = sum(a * b for a, b in zip(to_eye, normal, strict=True))
        return dot / (math.hypot(*to_eye) * math.hypot(*normal) + 1e-9)


def vehicle(body: Body, pose: Pose, view: View) -> tuple[list[Part], Lamps]:
    """Parts of a vehicle at a pose, far ones first, and its lamps that the camera sees."""
    at = _Placed(body, pose, view)
    w = body.half_width
    length = body.outline[-2][0]
    parts = [
        polygon(
            at.pixels([(-2.2, -w, 0.02), (-2.2, w, 0.02), (length, w, 0.02), (length, -w, 0.02)]),
            "shadow",
        )
    ]
    side = 1.0 if at.faces_camera((0, w, 0.6), (0, 1, 0)) > 0 else -1.0
    if pose.z < 70.0:
        parts += _tyres(at, side)
    shown = at.faces_camera((0, side * w, 0.6), (0, side, 0)) > 0.02
    cross = _cross_faces(at)
    # The side is drawn before the end that faces the camera, and after roof and bonnet.
    ends = {"tail", "bumper", "nose", "grille"}
    parts += [p for name, p in cross if name not in ends]
    if shown:
        parts += _side(at, side)
    parts += [p for name, p in cross if name in ends]
    lamps = Lamps([], [], view.scale(pose.z))
    parts += _end(at, lamps)
    return finish(parts), lamps


def _tyres(at: _Placed, side: float) -> list[Outline]:
    parts = []
    for axle in at.body.wheels:
        for s in (-side, side):
            inner = s * (at.body.half_width - 0.22)
            outer = s * at.body.half_width
            r = at.body.radius
            both = [
                *[(axle + r * c, inner, r + r * k) for c, k in _CIRCLE],
                *[(axle + r * c, outer, r + r * k) for c, k in _CIRCLE],
            ]
            parts.append(polygon(convex(at.pixels(both)), "tyre", 0.9))
    return parts


def _cross_faces(at: _Placed) -> list[tuple[str, Outline]]:
    """The faces across the car that look at the camera, farthest first."""
    outline = at.body.outline
    faces = []
    for k, (x0, y0, name) in enumerate(outline):
        x1, y1, _ = outline[(k + 1) % len(outline)]
        if name == "floor":
            continue
        normal = (-(y1 - y0), 0.0, x1 - x0)
        middle = ((x0 + x1) / 2, 0.0, (y0 + y1) / 2)
        if at.faces_camera(middle, normal) <= 0:
            continue
        a, b = at.body.half(y0), at.body.half(y1)
        quad = [(x0, -a, y0), (x0, a, y0), (x1, b, y1), (x1, -b, y1)]
        depth = math.dist(at.eye, middle)
        shape = [(name, polygon(at.pixels(quad), _cover(name), _shade(name)))]
        if name in ("windscreen", "rear_glass"):
            shape.append((name, polygon(at.pixels(_inset(quad)), "glass")))
        faces.append((depth, shape))
    faces.sort(key=lambda f: -f[0])
    return [item for _, shape in faces for item in shape]


def _cover(name: str) -> str:
    if name in ("bonnet", "nose", "grille", "bumper"):
        return name
    return "paint"


def _shade(name: str) -> float:
    return {"roof": 1.15, "bonnet": 1.12, "boot": 1.1, "tail": 0.92, "nose": 0.95}.get(name, 1.0)


def _inset(quad: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    centre = [sum(p[k] for p in quad) / 4 for k in range(3)]
    return [tuple(centre[k] + (p[k] - centre[k]) * 0.86 for k in range(3)) for p in quad]


def _side(at: _Placed, s: float) -> list[Outline]:
    body = at.body
    rim = [(x, y) for x, y, _ in body.outline]
    parts = [polygon(at.pixels([(x, s * body.half(y), y) for x, y in rim]), "paint")]
    sill = [(x, y) for x, y in rim if y < 0.75]
    if len(sill) > 3:
        low = [(rim[0][0], 0.28), (rim[0][0] - 0.04, 0.5), (rim[-1][0] + 0.04, 0.5),
               (rim[-1][0], 0.27)]
        parts.append(polygon(at.pixels([(x, s * body.half_width, y) for x, y in low]), "paint",
                             0.72))
    for pane in body.glass:
        parts.append(polygon(at.pixels([(x, s * body.half(y), y) for x, y in pane]), "glass", 0.9))
    for axle in body.wheels:
        for radius, name, shade in (
            (body.radius + 0.06, "arch", 1.0),
            (body.radius, "tyre", 1.0),
            (body.radius * 0.62, "rim", 1.0),
            (body.radius * 0.22, "tyre", 0.8),
        ):
            ring = [
                (axle + radius * c, s * (body.half_width + 0.01), body.radius + radius * k)
                for c, k in _CIRCLE
            ]
            parts.append(polygon(at.pixels(ring), name, shade))
    return parts


def _end(at: _Placed, lamps: Lamps) -> list[Outline]:
    """Lamps and number plate of the end that looks at the camera."""
    body = at.body
    front = max(x for x, _, _ in body.outline)
    rear = min(x for x, _, _ in body.outline)
    parts: list[Outline] = []
    scale = lamps.scale
    if at.faces_camera((front, 0, 0.6), (1, 0, 0)) > 0.12:
        level = 0.64 if body is CAR else 0.78
        for s in (-1, 1):
            a, b = at.pixels([(front - 0.08, s * 0.48, level), (front - 0.14, s * 0.74, level)])
            parts.append(limb(a, b, 0.085 * scale, 0.075 * scale, "headlight"))
            lamps.head.append(tuple((a + b) / 2))
        parts.append(_plate(at, front + 0.01, 0.42))
        grille = [(front, -0.42, 0.5), (front, 0.42, 0.5), (front - 0.03, 0.42, 0.62),
                  (front - 0.03, -0.42, 0.62)]
        parts.append(polygon(at.pixels(grille), "vent"))
    elif at.faces_camera((rear, 0, 0.6), (-1, 0, 0)) > 0.12:
        level = 0.8 if body is CAR else 0.95
        for s in (-1, 1):
            a, b = at.pixels([(rear + 0.03, s * 0.58, level), (rear + 0.06, s * 0.8, level)])
            parts.append(limb(a, b, 0.085 * scale, 0.085 * scale, "taillight"))
            lamps.tail.append(tuple((a + b) / 2))
        parts.append(_plate(at, rear - 0.01, 0.62))
        a, b = at.pixels([(rear, 0.45, 0.3), (rear, 0.62, 0.3)])
        parts.append(limb(a, b, 0.05 * scale, 0.05 * scale, "exhaust"))
    return parts


def _plate(at: _Placed, x: float, y: float) -> Outline:
    quad = [(x, -0.25, y - 0.06), (x, 0.25, y - 0.06), (x, 0.25, y + 0.06), (x, -0.25, y + 0.06)]
    return polygon(at.pixels(quad), "plate")
