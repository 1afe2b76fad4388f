"""Who moves through the street: looks, paths and the shapes they show at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from egmt_ros.evaluation.scene import layout as plan
from egmt_ros.evaluation.scene.figures import Build, bicycle, rider, walker
from egmt_ros.evaluation.scene.motion import Pose, Track
from egmt_ros.evaluation.scene.shapes import Part, bounds
from egmt_ros.evaluation.scene.vehicles import CAR, VAN, Body, Lamps, vehicle
from egmt_ros.evaluation.scene.view import View

Colour = tuple[float, float, float]
CYCLE = 16.0  # seconds after which the traffic repeats
RED = (0.8, 9.4)  # the traffic light is red for cars within each cycle
AMBER = 1.2


@dataclass(frozen=True, eq=False)
class Shown:
    """One actor as seen at one moment.

    Attributes:
        groups: (entity names, parts): a cyclist is a bicycle and a person.
        lamps: Vehicle lamps that face the camera.
    """

    actor: Actor
    pose: Pose
    groups: tuple[tuple[tuple[str, ...], list[Part]], ...]
    lamps: Lamps | None = None


@dataclass(frozen=True, eq=False)
class Actor:
    """A moving thing.

    Attributes:
        name: Unique name, for example "walker_2".
        kind: "person", "cyclist", "car" or "van".
        track: Its path.
        colours: material -> BGR reflectance.
        warmth: material -> thermal signal in 8-bit units.
        lights: Whether head and tail lamps are on.
    """

    name: str
    kind: str
    track: Track
    colours: dict[str, Colour]
    warmth: dict[str, float]
    build: Build = field(default_factory=Build)
    body: Body = CAR
    lights: bool = False

    def show(self, time: float, view: View) -> Shown | None:
        """The actor's shapes at ``time`` seconds, None where it is out of the picture."""
        pose = self.track.at(time)
        if pose is None or not -1.0 < pose.z < 130.0:
            return None
        if pose.z < (2.6 if self.kind in ("car", "van") else 1.6):
            return None
        lamps = None
        if self.kind == "person":
            groups = ((("person",), walker(pose, view, self.build)),)
        elif self.kind == "cyclist":
            bike = bicycle(pose, view)
            body = rider(pose, view, self.build)
            groups = ((("bicycle",), bike), (("person",), body))
        else:
            parts, lamps = vehicle(self.body, pose, view)
            groups = (((self.kind,), parts),)
        left, top, right, bottom = bounds([p for _, parts in groups for p in parts])
        if right <= 0 or bottom <= 0 or left >= view.width or top >= view.height:
            return None
        return Shown(self, pose, groups, lamps)


_CLOTHES: tuple[Colour, ...] = (
    (0.06, 0.05, 0.05), (0.10, 0.06, 0.05), (0.05, 0.06, 0.09), (0.09, 0.10, 0.09),
    (0.16, 0.09, 0.06), (0.06, 0.06, 0.2),
)
_BRIGHT: tuple[Colour, ...] = (
    (0.55, 0.55, 0.52), (0.25, 0.35, 0.6), (0.15, 0.18, 0.55), (0.6, 0.45, 0.3),
)
_PAINTS: tuple[Colour, ...] = (
    (0.62, 0.62, 0.6), (0.12, 0.10, 0.42), (0.45, 0.27, 0.12), (0.30, 0.31, 0.32),
    (0.09, 0.09, 0.09),
)


def _person(
    rng: np.random.Generator, name: str, track: Track, bright: bool = False,
    kind: str = "person", **build: bool,
) -> Actor:  # fmt: skip
    pool = _BRIGHT if bright else _CLOTHES
    jacket = pool[rng.integers(len(pool))]
    trousers = _CLOTHES[rng.integers(len(_CLOTHES))]
    skin = (0.27, 0.36, 0.52) if rng.random() < 0.7 else (0.1, 0.15, 0.25)
    hair = (0.03, 0.04, 0.05) if rng.random() < 0.75 else (0.1, 0.16, 0.24)
    cloth = float(rng.uniform(120, 165))
    return Actor(
        name=name,
        kind=kind,
        track=track,
        colours={
            "jacket": jacket, "trousers": trousers, "skin": skin, "hair": hair,
            "shoe": (0.05, 0.05, 0.06), "pack": (0.07, 0.07, 0.12), "tyre": (0.03, 0.03, 0.03),
            "spoke": (0.12, 0.12, 0.12), "frame": (0.25, 0.22, 0.2),
            "bicycle_lamp": (9.0, 9.0, 8.5), "taillight": (0.1, 0.1, 4.0),
        },
        warmth={
            "jacket": cloth, "trousers": cloth + float(rng.uniform(-12, 14)), "skin": 232.0,
            "hair": 172.0, "shoe": 92.0, "pack": 72.0, "tyre": 50.0, "spoke": 38.0,
            "frame": 46.0, "bicycle_lamp": 80.0, "taillight": 60.0,
        },
        build=Build(
            height=float(rng.uniform(1.6, 1.86)), girth=float(rng.uniform(0.94, 1.12)), **build
        ),
    )


def _vehicle(
    rng: np.random.Generator, name: str, track: Track, body: Body = CAR, running: bool = True
) -> Actor:
    paint = _PAINTS[rng.integers(len(_PAINTS))]
    dark: Colour = (0.03, 0.03, 0.03)
    on = running
    return Actor(
        name=name,
        kind="car" if body is CAR else "van",
        track=track,
        colours={
            "paint": paint, "bonnet": paint, "nose": paint, "grille": tuple(c * 0.6 for c in paint),
            "bumper": tuple(c * 0.7 for c in paint), "glass": (0.05, 0.05, 0.05), "tyre": dark,
            "rim": (0.35, 0.35, 0.35), "arch": (0.015,) * 3, "vent": dark, "exhaust": dark,
            "plate": (0.6, 0.7, 0.7), "shadow": (0.0, 0.0, 0.0),
            "headlight": (11.0, 11.5, 11.0) if on else (0.5, 0.5, 0.5),
            "taillight": (0.06, 0.05, 3.2) if on else (0.05, 0.04, 0.3),
        },
        warmth={
            "paint": 58.0 if on else 33.0, "bonnet": 128.0 if on else 34.0,
            "nose": 150.0 if on else 34.0, "grille": 188.0 if on else 35.0,
            "bumper": 84.0 if on else 35.0, "glass": 44.0 if on else 26.0,
            "tyre": 122.0 if on else 38.0, "rim": 158.0 if on else 36.0,
            "arch": 78.0 if on else 36.0, "vent": 214.0 if on else 35.0,
            "exhaust": 245.0 if on else 35.0, "plate": 62.0 if on else 33.0,
            "shadow": 62.0 if on else 33.0, "headlight": 176.0 if on else 32.0,
            "taillight": 92.0 if on else 32.0,
        },
        body=body,
        lights=on,
    )  # fmt: skip


def make_cast(rng: np.random.Generator) -> list[Actor]:
    """The actors for a seeded generator."""
    away, come = plan.LANE_AWAY, plan.LANE_ONCOMING
    j = float(rng.uniform(-0.25, 0.25))
    walk = float(rng.uniform(1.15, 1.3))
    left = math.pi  # faces the camera

    def along(x: float, z0: float, z1: float, speed: float, shift: float, period: float) -> Track:
        return Track([(0, x, z0), (abs(z1 - z0) / speed, x, z1)], period, shift)

    people = [
        # Unlit, on the near pavement towards the camera.
        _person(
            rng, "walker_1",
            Track([(0, 0.75, 60), (52 / walk, 0.75, 8.0), (56.5 / walk, 2.9, 3.9)],
                  54, 37.5 + j),
            coat=True,
        ),
        # Unlit, over the crossing.
        _person(
            rng, "walker_2",
            Track([(0.0, -13.0, 15.0), (9.4, 0.4, 14.6), (12.4, 1.3, 11.0), (17.6, 3.1, 4.0)],
                  2 * CYCLE, 0.6 + j),
        ),
        # Lit by the first street light, bright jacket.
        _person(rng, "walker_3", along(-9.9, 20.5, 60, 0.95, 0.2, 44), bright=True),
        _person(rng, "walker_4", along(-10.6, 60, 16, 1.2, 31.0, 40), bright=True, bag=True),
        # A couple, unlit, away from the camera.
        _person(
            rng, "walker_5",
            Track([(0, 2.9, 3.9), (3.6, 1.75, 8), (48, 1.75, 62)], 50, 3.8), backpack=True,
        ),
        _person(
            rng, "walker_6",
            Track([(0, 3.5, 3.9), (3.6, 2.45, 8), (48, 2.45, 62)], 50, 3.6), coat=True,
        ),
        # Far ones.
        _person(rng, "walker_7", Track([(0, 1.2, 70), (56, 1.2, 9), (61, 3.0, 4)], 66, 33.0)),
        _person(rng, "walker_8", along(-10.2, 64, 16, 1.25, 18.0, 40)),
        # Waits beside the traffic light.
        _person(rng, "waiting", Track([(0, 0.75, 16.6)], 1, heading=-1.9), backpack=True),
    ]  # fmt: skip
    ride = _person(
        rng, "cyclist",
        Track([(0, 9.0, 9.7), (5.2, -13.5, 10.6)], CYCLE, 10.6 + j), kind="cyclist", bright=True,
    )  # fmt: skip
    cars = [
        _vehicle(
            rng, "car_1",
            Track([(0, come, 75), (1.5, come, 58), (5.2, come, 22.5), (8.9, come, 22.5),
                   (11.2, come, 12), (12.6, come, 1)], CYCLE, 0.0),
        ),
        _vehicle(
            rng, "van_1",
            Track([(0, come, 120), (3.0, come, 84), (7.0, come, 30.5), (9.5, come, 30.5),
                   (12.2, come, 17), (14.0, come, 1)], CYCLE, 0.0),
            body=VAN,
        ),
        _vehicle(
            rng, "car_2",
            Track([(0, away, 2.8), (2.0, away, 16), (4.5, away, 42), (8.5, away, 98)],
                  CYCLE, 0.5),
        ),
        _vehicle(
            rng, "car_3",
            Track([(0, away - 0.1, 2.8), (2.0, away, 15), (5.5, away, 48), (9.5, away, 98)],
                  CYCLE, CYCLE - 10.4),
        ),
        _vehicle(rng, "parked_1", Track([(0, -8.0, 28.5)], 1, heading=left), running=False),
        _vehicle(rng, "parked_2", Track([(0, -1.15, 27.0)], 1, heading=0.0), running=False),
    ]  # fmt: skip
    return [*people, ride, *cars]


def signal_state(time: float) -> str:
    """Colour of the traffic light for cars: "green", "amber" or "red"."""
    local = time % CYCLE
    if RED[0] <= local < RED[1]:
        return "red"
    return "amber" if local < RED[0] or local > CYCLE - AMBER + RED[0] else "green"
