"""Static objects stamped onto the cast surface: trees, poles, lamps, lights, signs, fence."""

from __future__ import annotations

import cv2
import numpy as np

from egmt_ros.evaluation.scene.layout import Lamp, Layout, Tree
from egmt_ros.evaluation.scene.raycast import CODE, ROUND, Caster
from egmt_ros.evaluation.scene.texture import sample

_RING = np.linspace(0, 2 * np.pi, 24, endpoint=False)


class Stamper:
    """Puts flat objects at a depth onto a surface, honouring what stands nearer."""

    def __init__(self, caster: Caster) -> None:
        self.caster = caster
        self.view = caster.view
        self.surface = caster.surface

    def place(self, layout: Layout) -> None:
        """Stamp every object of the layout."""
        if layout.fence:
            self._fence(*layout.fence)
        for tree in layout.trees:
            self._tree(tree)
        for lamp in layout.lamps:
            self._lamp(lamp)
        for x, z in layout.bollards:
            self._box(x, z, 0.055, 0.0, 0.82, "pole", (0.3, 0.32, 0.32), 33)
            self._box(x, z, 0.058, 0.62, 0.72, "pole", (0.75, 0.8, 0.8), 31)
        self._signal(*layout.signal)
        for x, z, kind in layout.signs:
            self._sign(x, z, kind)

    # --- stamping -------------------------------------------------------------------------

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        return self.view.project(points) * self.caster.factor

    def _fill(
        self,
        outline: np.ndarray,
        depth: float,
        entity: str,
        colour: tuple[float, float, float],
        heat: float,
        emission: tuple[float, float, float] | None = None,
    ) -> None:
        """Stamp a polygon given in world coordinates (n, 3)."""
        pixels = self._pixels(outline)
        s = self.surface
        h, w = s.z.shape
        x0, y0 = np.maximum(np.floor(pixels.min(axis=0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 1, (w, h))
        if x0 >= x1 or y0 >= y1:
            return
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [np.rint((pixels - (x0, y0)) * 16 - 8).astype(np.int32)], 1, shift=4)
        window = (slice(y0, y1), slice(x0, x1))
        self._write(window, mask.astype(bool), depth, entity, colour, heat, emission)

    def _write(
        self,
        window: tuple[slice, slice],
        mask: np.ndarray,
        depth: float,
        entity: str,
        colour: np.ndarray | tuple[float, float, float],
        heat: np.ndarray | float,
        emission: tuple[float, float, float] | None = None,
    ) -> None:
        s = self.surface
        mask = mask & (s.z[window] > depth)
        if not mask.any():
            return
        h, w = s.z.shape
        rows, cols = np.mgrid[window]
        scale = depth / self.view.focal / self.caster.factor
        s.x[window][mask] = (cols[mask] - self.view.cx * self.caster.factor) * scale
        s.y[window][mask] = (
            self.view.eye + (self.view.cy * self.caster.factor - rows[mask]) * scale
        )
        s.z[window][mask] = depth
        s.facing[window][mask] = ROUND
        s.entity[window][mask] = CODE[entity]
        s.albedo[window][mask] = colour[mask] if isinstance(colour, np.ndarray) else colour
        s.heat[window][mask] = heat[mask] if isinstance(heat, np.ndarray) else heat
        s.emission[window][mask] = emission if emission is not None else 0.0

    def _box(
        self, x: float, z: float, half: float, y0: float, y1: float, entity: str,
        colour: tuple[float, float, float], heat: float,
        emission: tuple[float, float, float] | None = None, top: float | None = None,
    ) -> None:  # fmt: skip
        upper = half if top is None else top
        corners = [(x - half, y0, z), (x + half, y0, z), (x + upper, y1, z), (x - upper, y1, z)]
        self._fill(np.array(corners), z, entity, colour, heat, emission)

    def _disc(
        self, x: float, y: float, z: float, r: float, entity: str,
        colour: tuple[float, float, float], heat: float,
        emission: tuple[float, float, float] | None = None,
    ) -> None:  # fmt: skip
        ring = np.stack(
            [x + r * np.cos(_RING), y + r * np.sin(_RING), np.full_like(_RING, z)], axis=1
        )
        self._fill(ring, z, entity, colour, heat, emission)

    # --- things ---------------------------------------------------------------------------

    def _lamp(self, lamp: Lamp) -> None:
        grey = (0.22, 0.23, 0.23)
        foot, z = lamp.foot_x, lamp.z
        self._box(foot, z, 0.09, 0, lamp.y - 0.4, "street light", grey, 34, top=0.055)
        arm = np.array(
            [
                (foot - 0.05, lamp.y - 0.5, z), (foot + 0.05, lamp.y - 0.5, z),
                (lamp.x, lamp.y + 0.12, z), (lamp.x, lamp.y + 0.2, z),
            ]
        )
        self._fill(arm, z, "street light", grey, 34)
        way = np.sign(lamp.x - foot)
        head = np.array(
            [
                (lamp.x - way * 0.35, lamp.y + 0.2, z), (lamp.x + way * 0.35, lamp.y + 0.22, z),
                (lamp.x + way * 0.4, lamp.y + 0.05, z), (lamp.x - way * 0.4, lamp.y + 0.03, z),
            ]
        )
        self._fill(head, z, "street light", grey, 120)
        glass = head - (0, 0.09, 0)
        bright = tuple(4.0 * c for c in lamp.colour)
        self._fill(glass, z - 0.01, "street light", grey, 175, bright)

    def _signal(self, x: float, z: float) -> None:
        dark = (0.1, 0.11, 0.11)
        self._box(x, z, 0.07, 0, 2.6, "pole", (0.2, 0.21, 0.21), 34)
        self._box(x, z, 0.2, 2.6, 3.75, "traffic light", dark, 62)
        for k in range(3):
            self._disc(x, 3.55 - 0.36 * k, z - 0.01, 0.15, "traffic light", (0.05,) * 3, 70)

    def _sign(self, x: float, z: float, kind: str) -> None:
        self._box(x, z, 0.035, 0, 2.9, "pole", (0.35, 0.36, 0.36), 33)
        face = z - 0.02
        if kind == "crossing":
            self._box(x, face, 0.38, 2.15, 2.91, "traffic sign", (0.75, 0.75, 0.75), 30)
            self._box(x, face - 0.01, 0.34, 2.19, 2.87, "traffic sign", (0.7, 0.22, 0.06), 29)
            triangle = np.array(
                [(x - 0.27, 2.25, face), (x + 0.27, 2.25, face), (x, 2.79, face)]
            )
            self._fill(triangle, face - 0.02, "traffic sign", (0.8, 0.8, 0.8), 30)
            self._disc(x + 0.02, 2.56, face - 0.03, 0.045, "traffic sign", (0.04,) * 3, 30)
            body = np.array(
                [(x - 0.02, 2.5, face), (x + 0.06, 2.5, face), (x + 0.12, 2.28, face),
                 (x + 0.03, 2.38, face), (x - 0.1, 2.28, face)]
            )
            self._fill(body, face - 0.03, "traffic sign", (0.04,) * 3, 30)
            return
        self._disc(x, 2.6, face, 0.36, "traffic sign", (0.75, 0.75, 0.75), 30)
        self._disc(x, 2.6, face - 0.01, 0.33, "traffic sign", (0.08, 0.06, 0.65), 29)
        self._box(x, face - 0.02, 0.23, 2.54, 2.67, "traffic sign", (0.8, 0.8, 0.8), 30)

    def _fence(self, x: float, z0: float, z1: float) -> None:
        grey, heat = (0.17, 0.19, 0.2), 27
        for z in np.arange(z1, z0, -1.25):
            self._box(x, float(z), 0.03, 0, 1.05, "fence", grey, heat)
        for y in (0.55, 1.0):
            rail = np.array(
                [(x, y, z0), (x, y, z1), (x, y + 0.06, z1), (x, y + 0.06, z0)], dtype=float
            )
            self._fill(rail, z0 + 1.0, "fence", grey, heat)

    def _tree(self, tree: Tree) -> None:
        rng = np.random.default_rng(tree.seed)
        bark = (0.09, 0.12, 0.15)
        top = tree.crown_y - 0.2 * tree.crown_r
        self._box(tree.x, tree.z, tree.trunk, 0, top, "tree", bark, 47, top=tree.trunk * 0.6)
        for _ in range(5):
            bend, reach = rng.uniform(-1, 1), rng.uniform(0.5, 0.9) * tree.crown_r
            base = tree.crown_y - rng.uniform(0.3, 0.8) * tree.crown_r
            tip = (tree.x + bend * reach, base + 0.75 * reach, tree.z)
            branch = np.array(
                [(tree.x - 0.06, base, tree.z), (tree.x + 0.06, base, tree.z),
                 (tip[0] + 0.02, tip[1], tree.z), (tip[0] - 0.02, tip[1], tree.z)]
            )
            self._fill(branch, tree.z, "tree", bark, 44)
        self._crown(tree, rng)

    def _crown(self, tree: Tree, rng: np.random.Generator) -> None:
        r = tree.crown_r
        corner = np.array([(tree.x - 1.3 * r, tree.crown_y + 1.2 * r, tree.z),
                           (tree.x + 1.3 * r, tree.crown_y - 1.1 * r, tree.z)])
        (x0, y0), (x1, y1) = np.rint(self._pixels(corner)).astype(int)
        h, w = self.surface.z.shape
        x0, x1, y0, y1 = max(x0, 0), min(x1, w), max(y0, 0), min(y1, h)
        if x0 >= x1 or y0 >= y1:
            return
        rows, cols = np.mgrid[y0:y1, x0:x1].astype(np.float32)
        unit = tree.z / self.view.focal / self.caster.factor
        wx = (cols - self.view.cx * self.caster.factor) * unit - tree.x
        wy = self.view.eye + (self.view.cy * self.caster.factor - rows) * unit - tree.crown_y
        density = np.full(wx.shape, -9.0, np.float32)
        shade = np.zeros(wx.shape, np.float32)
        for _ in range(9):
            a, d = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.62) * r
            cx, cy, lobe = d * np.cos(a), 0.8 * d * np.sin(a), rng.uniform(0.4, 0.62) * r
            this = 1 - ((wx - cx) ** 2 + ((wy - cy) * 1.1) ** 2) / lobe**2
            shade = np.where(this > density, (wy - cy) / lobe, shade)
            density = np.maximum(density, this)
        shift = float(rng.uniform(0, 500))
        clumps = sample(self.caster.noise, wx * 40 + shift + 900, wy * 40 + 900)
        leaves = sample(self.caster.grain, wx * 75 + shift + 900, wy * 75 + 900)
        mask = density + 1.3 * (clumps - 0.5) + 1.5 * (leaves - 0.5) > 0.25
        tone = np.clip(0.55 + 0.35 * shade + 0.8 * (leaves - 0.4) + 0.5 * (clumps - 0.5), 0.08, 2)
        hue = np.array([0.055, 0.2, 0.12]) * rng.uniform(0.8, 1.2, 3)
        colour = (tone[..., None] * hue).astype(np.float32)
        heat = (30 + 13 * (leaves - 0.5) + 9 * (clumps - 0.5) + 3 * shade).astype(np.float32)
        self._write((slice(y0, y1), slice(x0, x1)), mask, tree.z - 0.1, "tree", colour, heat)
