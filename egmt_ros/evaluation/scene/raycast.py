"""The static street as per-pixel geometry: rays against ground and buildings, then objects.

Every pixel gets a depth, a world position, an entity, a reflectance, a temperature and its own
light, so that the visible and the thermal picture come from one geometry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.scene import layout as plan
from egmt_ros.evaluation.scene.layout import Block, Layout
from egmt_ros.evaluation.scene.texture import fractal_noise, sample
from egmt_ros.evaluation.scene.view import View

NAMES = (
    "sky", "road", "crosswalk", "curb", "sidewalk", "grass", "building", "window", "tree",
    "pole", "street light", "traffic light", "traffic sign", "fence",
)  # fmt: skip
CODE = {name: k for k, name in enumerate(NAMES)}
SKY, UP, FACE_RIGHT, FACE_LEFT, FACE_FRONT, ROUND = range(6)  # which way a surface looks
FAR = 1e4


@dataclass
class Surface:
    """Per-pixel static geometry; arrays are (h, w) or (h, w, 3).

    Attributes:
        z: Depth in metres, FAR for the sky.
        x, y: World position in metres.
        facing: SKY, UP, FACE_*, ROUND.
        entity: Index into NAMES.
        albedo: Reflectance BGR, 0..1, float32.
        emission: Own light BGR, float32.
        heat: Thermal signal in 8-bit units at night.
    """

    z: np.ndarray
    x: np.ndarray
    y: np.ndarray
    facing: np.ndarray
    entity: np.ndarray
    albedo: np.ndarray
    emission: np.ndarray
    heat: np.ndarray


class Caster:
    """Casts the view's rays; ``factor`` rays a pixel in each direction."""

    def __init__(self, view: View, factor: int, rng: np.random.Generator) -> None:
        self.view = view
        self.factor = factor
        h, w = view.height * factor, view.width * factor
        cols = (np.arange(w, dtype=np.float32) + 0.5) / factor
        rows = (np.arange(h, dtype=np.float32) + 0.5) / factor
        self.dx = np.broadcast_to(((cols - view.cx) / view.focal)[None, :], (h, w))
        self.dy = np.broadcast_to(((view.cy - rows) / view.focal)[:, None], (h, w))
        self.noise = fractal_noise(rng, 512)
        self.grain = fractal_noise(rng, 256, octaves=7)
        self.rng = rng
        self.surface = Surface(
            z=np.full((h, w), FAR, np.float32),
            x=np.zeros((h, w), np.float32),
            y=np.zeros((h, w), np.float32),
            facing=np.zeros((h, w), np.uint8),
            entity=np.zeros((h, w), np.uint8),
            albedo=np.zeros((h, w, 3), np.float32),
            emission=np.zeros((h, w, 3), np.float32),
            heat=np.zeros((h, w), np.float32),
        )

    def cast(self, layout: Layout) -> Surface:
        """Rays against the ground and every building."""
        self._ground()
        for block in layout.blocks:
            self._block(block)
        sky = self.surface.facing == SKY
        rise = np.clip(self.dy[sky] / 0.5, 0, 1)
        self.surface.heat[sky] = 15.0 - 9.0 * rise
        return self.surface

    # --- ground ---------------------------------------------------------------------------

    def _ground(self) -> None:
        s = self.surface
        rows = np.nonzero(self.dy[:, 0] < -1e-4)[0]
        if len(rows) == 0:
            return
        part = slice(int(rows[0]), None)
        z = (-self.view.eye / self.dy[part]).astype(np.float32)
        x = z * self.dx[part]
        fine = np.clip(14.0 / z, 0, 1)  # texture fades with distance instead of flickering
        coarse = sample(self.noise, x * 18 + 4000, z * 18) - 0.5
        grain = (sample(self.grain, x * 160 + 9000, z * 90) - 0.5) * fine
        paint = self._markings(x, z)
        entity = np.full(z.shape, CODE["road"], np.uint8)
        tone = 0.135 + 0.05 * coarse + 0.10 * grain
        heat = 31 + 7 * coarse + 9 * grain
        for lane in (plan.LANE_AWAY, plan.LANE_ONCOMING):  # wheel tracks
            for wheel in (-0.75, 0.75):
                track = np.exp(-(((x - lane - wheel) / 0.28) ** 2))
                tone += 0.012 * track
                heat += 3.5 * track
        tone = np.where(paint, 0.62 + 0.25 * coarse + 0.2 * grain, tone)
        heat = np.where(paint, heat - 2.0, heat)
        zebra = (
            (z > plan.CROSSWALK[0]) & (z < plan.CROSSWALK[1])
            & (x > plan.ROAD_LEFT) & (x < plan.ROAD_RIGHT)
        )
        entity[zebra] = CODE["crosswalk"]

        walk = (x > plan.ROAD_RIGHT) | (x < plan.ROAD_LEFT)
        joints = (np.abs((x * 1.6) % 1 - 0.5) > 0.46) | (np.abs((z * 1.6) % 1 - 0.5) > 0.46)
        tiles = 0.25 + 0.06 * coarse + 0.06 * grain - 0.09 * joints * np.clip(9.0 / z, 0, 1)
        tone = np.where(walk, tiles, tone)
        heat = np.where(walk, 37 + 6 * coarse + 5 * grain - 3 * joints, heat)
        entity[walk] = CODE["sidewalk"]
        edge = ((x > plan.ROAD_RIGHT) & (x < plan.ROAD_RIGHT + 0.3)) | (
            (x < plan.ROAD_LEFT) & (x > plan.ROAD_LEFT - 0.3)
        )
        slots = np.abs((z * 1.0) % 1 - 0.5) > 0.47
        tone = np.where(edge, 0.42 + 0.08 * coarse - 0.15 * slots, tone)
        heat = np.where(edge, 43 + 4 * coarse, heat)
        entity[edge] = CODE["curb"]
        lip = ((x > plan.ROAD_RIGHT - 0.1) & (x < plan.ROAD_RIGHT)) | (
            (x < plan.ROAD_LEFT + 0.1) & (x > plan.ROAD_LEFT)
        )
        tone = np.where(lip, tone * 0.5, tone)

        green = x > 2.95
        tufts = sample(self.grain, x * 220, z * 60 + 777)
        entity[green] = CODE["grass"]
        albedo = np.repeat(np.clip(tone, 0.02, 1)[..., None], 3, axis=2).astype(np.float32)
        albedo[walk] *= (0.93, 1.0, 1.02)
        grass = (0.35 + 0.9 * tufts)[..., None] * np.array([0.07, 0.2, 0.13], np.float32)
        albedo[green] = grass[green]
        heat = np.where(green, 22 + 12 * (tufts - 0.5), heat)
        s.z[part], s.x[part] = z, x
        s.facing[part], s.entity[part] = UP, entity
        s.albedo[part], s.heat[part] = albedo, heat

    @staticmethod
    def _markings(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        centre = (plan.ROAD_LEFT + plan.ROAD_RIGHT) / 2
        on_road = (x > plan.ROAD_LEFT) & (x < plan.ROAD_RIGHT)
        a, b = plan.CROSSWALK
        clear = (z < a - 2.4) | (z > b + 2.4)
        dashes = (np.abs(x - centre) < 0.08) & ((z % 5) < 2.6) & clear
        edges = (np.abs(x - plan.ROAD_RIGHT + 0.35) < 0.07) | (
            np.abs(x - plan.ROAD_LEFT - 0.35) < 0.07
        )
        bars = (z > a) & (z < b) & (((x - plan.ROAD_LEFT) % 0.9) < 0.45)
        stops = ((z > b + 1.3) & (z < b + 1.75) & (x < centre - 0.1)) | (
            (z < a - 1.3) & (z > a - 1.7) & (x > centre + 0.1)
        )
        return on_road & (dashes | (edges & clear) | bars | stops)

    # --- buildings ------------------------------------------------------------------------

    def _block(self, block: Block) -> None:
        wall_x = block.x1 if block.x1 < 0 else (block.x0 if block.x0 > 0 else None)
        if wall_x is not None:
            side = self.dx < -1e-6 if wall_x < 0 else self.dx > 1e-6
            depth = np.where(side, wall_x / np.where(side, self.dx, 1.0), FAR).astype(np.float32)
            facing = FACE_RIGHT if wall_x < 0 else FACE_LEFT
            self._face(block, depth, facing, (depth >= block.z0) & (depth <= block.z1))
        depth = np.full(self.dx.shape, block.z0, np.float32)
        across = self.dx * block.z0
        self._face(block, depth, FACE_FRONT, (across >= block.x0) & (across <= block.x1))

    def _face(self, block: Block, depth: np.ndarray, facing: int, inside: np.ndarray) -> None:
        s = self.surface
        y = self.view.eye + self.dy * depth
        hit = inside & (depth < s.z) & (y >= 0) & (y <= block.height)
        if not hit.any():
            return
        z, y = depth[hit], y[hit]
        x = self.dx[hit] * z
        along = x - block.x0 if facing == FACE_FRONT else z - block.z0
        albedo, emission, heat, entity = self._facade(block, along, y, z)
        s.z[hit], s.x[hit], s.y[hit] = z, x, y
        s.facing[hit], s.entity[hit] = facing, entity
        s.albedo[hit], s.emission[hit], s.heat[hit] = albedo, emission, heat

    def _facade(
        self, block: Block, along: np.ndarray, y: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng(block.seed)
        columns, floors = 48, 16
        lit = rng.random((floors, columns)) < block.lit
        glow = rng.uniform(0.25, 1.0, (floors, columns))
        tint = np.where(
            rng.random((floors, columns, 1)) < block.warmth, (0.42, 0.75, 1.0), (0.8, 1.0, 0.9)
        )
        blind = rng.uniform(0.0, 0.75, (floors, columns)) * (rng.random((floors, columns)) < 0.6)
        cell_a = along / block.bay
        cell_y = y / block.storey
        col = np.clip(cell_a.astype(np.int32), 0, columns - 1)
        row = np.clip(cell_y.astype(np.int32), 0, floors - 1)
        fa, fy = cell_a - np.floor(cell_a), cell_y - np.floor(cell_y)
        top = np.floor(block.height / block.storey)
        shop = block.shop & (row == 0)
        left, right = np.where(shop, 0.06, 0.24), np.where(shop, 0.94, 0.76)
        low, high = np.where(shop, 0.12, 0.3), np.where(shop, 0.8, 0.8)
        pane = (fa > left) & (fa < right) & (fy > low) & (fy < high) & (row < top)
        frame = pane & (
            (fa < left + 0.03) | (fa > right - 0.03) | (fy < low + 0.035) | (fy > high - 0.035)
            | (np.abs(fa - 0.5) < 0.014)
        )
        glass = pane & ~frame
        grain = sample(self.grain, along * 40, y * 40) - 0.5
        stain = sample(self.noise, along * 12 + 99, y * 9) - 0.5
        ledge = (fy < 0.05) & (row > 0)
        tone = 1.0 + 0.35 * stain + 0.25 * grain * np.clip(20 / z, 0, 1) + 0.25 * ledge
        tone = np.where(y < 0.5, tone * 0.7, tone)
        albedo = np.array(block.colour, np.float32) * tone[..., None]
        albedo[frame] = 0.45
        albedo[glass] = 0.05
        height_in = np.clip((fy - low) / (high - low), 0, 1)
        on = glass & (lit[row, col] | (shop & (glow[row, col] > 0.35)))
        drawn = height_in > 1 - blind[row, col]
        inner = 0.75 + 0.5 * sample(self.noise, along * 60, y * 60 + 31)
        level = glow[row, col] * np.where(drawn, 0.45, inner) * np.where(shop, 0.8, 0.6)
        emission = np.where(on[..., None], tint[row, col] * level[..., None], 0.0)
        heat = 38.0 + (block.seed % 9) - 0.35 * y + 7 * stain + 3 * grain + 5 * ledge
        heat = np.where(frame, heat - 9, heat)
        heat = np.where(glass, np.where(on, 66 + 10 * (inner - 1), 50 + 6 * glow[row, col]), heat)
        entity = np.where(pane, CODE["window"], CODE["building"]).astype(np.uint8)
        return albedo, emission.astype(np.float32), heat.astype(np.float32), entity
