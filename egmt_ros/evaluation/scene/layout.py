"""What stands in the street: buildings, lamps, trees, poles; and who moves through it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ROAD_LEFT, ROAD_RIGHT = -8.9, -0.9  # metres; kerbs
LANE_ONCOMING, LANE_AWAY = -6.9, -3.2
CROSSWALK = (13.2, 16.4)
LEFT_FACADE, RIGHT_FACADE = -12.3, 5.2


@dataclass(frozen=True)
class Block:
    """A building: ground rectangle (m), height (m), colour (BGR, 0..1), window pattern."""

    x0: float
    x1: float
    z0: float
    z1: float
    height: float
    colour: tuple[float, float, float]
    storey: float
    bay: float
    lit: float
    shop: bool
    warmth: float
    seed: int


@dataclass(frozen=True)
class Lamp:
    """A street light: head position (m), colour (BGR), luminous power, foot of its pole."""

    x: float
    y: float
    z: float
    colour: tuple[float, float, float]
    power: float
    foot_x: float


@dataclass(frozen=True)
class Tree:
    x: float
    z: float
    trunk: float
    crown_y: float
    crown_r: float
    seed: int


@dataclass(frozen=True)
class Layout:
    """Everything static."""

    blocks: list[Block] = field(default_factory=list)
    lamps: list[Lamp] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    signal: tuple[float, float] = (-0.45, 17.2)  # x, z of the traffic light
    signs: list[tuple[float, float, str]] = field(default_factory=list)
    bollards: list[tuple[float, float]] = field(default_factory=list)
    fence: tuple[float, float, float] | None = None  # x, z0, z1


_WALLS = (
    (0.30, 0.34, 0.40), (0.22, 0.27, 0.36), (0.36, 0.38, 0.38), (0.20, 0.26, 0.42),
    (0.27, 0.29, 0.30), (0.34, 0.38, 0.44),
)
_SODIUM = (0.45, 0.78, 1.0)
_WHITE = (0.98, 1.0, 0.86)


def make_layout(rng: np.random.Generator) -> Layout:
    """The street for a seeded generator; the arrangement varies, the plan stays."""

    def block(x0: float, x1: float, z0: float, z1: float, height: float, **kw: object) -> Block:
        return Block(
            x0, x1, z0, z1, height,
            colour=_WALLS[rng.integers(len(_WALLS))],
            storey=float(rng.uniform(3.0, 3.5)),
            bay=float(rng.uniform(2.6, 3.6)),
            lit=float(kw.get("lit", rng.uniform(0.15, 0.4))),
            shop=bool(kw.get("shop", False)),
            warmth=float(rng.uniform(0.3, 1.0)),
            seed=int(rng.integers(1 << 30)),
        )

    blocks = [
        block(-40, LEFT_FACADE, 6, 27, rng.uniform(9, 13), shop=True),
        block(-40, LEFT_FACADE - 0.4, 29.5, 48, rng.uniform(12, 17)),
        block(-40, LEFT_FACADE + 0.2, 50, 80, rng.uniform(8, 14)),
        block(RIGHT_FACADE, 40, 15.5, 31, rng.uniform(8, 10)),
        block(RIGHT_FACADE + 0.5, 40, 34, 62, rng.uniform(10, 15), lit=0.5),
        block(-34, -11, 120, 150, rng.uniform(24, 34), lit=0.35),
        block(-4, 14, 135, 160, rng.uniform(16, 26), lit=0.4),
        block(20, 60, 110, 150, rng.uniform(18, 30), lit=0.3),
    ]
    left, right = ROAD_LEFT - 0.7, ROAD_RIGHT + 0.5
    lamps = [
        Lamp(left + 1.7, 6.6, 19.5, _SODIUM, 30.0, left),
        Lamp(right - 1.6, 6.8, 33.0, _WHITE, 28.0, right),
        Lamp(left + 1.7, 6.6, 46.0, _SODIUM, 28.0, left),
        Lamp(right - 1.6, 6.8, 60.0, _WHITE, 28.0, right),
        Lamp(left + 1.7, 6.6, 75.0, _SODIUM, 30.0, left),
        Lamp(9.5, 6.0, 5.0, _WHITE, 1.2, 9.5),  # out of the picture, a faint fill
    ]
    trees = [
        Tree(3.6, float(rng.uniform(9.6, 10.6)), 0.2, 5.2, 2.5, int(rng.integers(1 << 30))),
        Tree(3.9, float(rng.uniform(19, 22)), 0.18, 4.8, 2.3, int(rng.integers(1 << 30))),
        Tree(3.3, float(rng.uniform(39, 44)), 0.2, 5.4, 2.9, int(rng.integers(1 << 30))),
        Tree(-11.2, float(rng.uniform(25.5, 28)), 0.2, 5.4, 2.6, int(rng.integers(1 << 30))),
        Tree(-11.0, float(rng.uniform(54, 60)), 0.22, 5.6, 3.0, int(rng.integers(1 << 30))),
    ]
    return Layout(
        blocks=blocks,
        lamps=lamps,
        trees=trees,
        signs=[(2.55, 12.4, "crossing"), (-9.6, 24.0, "stop")],
        bollards=[(-0.35, z) for z in (6.2, 8.0, 9.8, 11.6)],
        fence=(4.4, 6.0, 13.5),
    )
