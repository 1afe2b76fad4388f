"""What a frame of the scene really shows, in each modality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egmt_ros.evaluation.scene.backdrop import Backdrop
from egmt_ros.evaluation.scene.cast import Shown
from egmt_ros.evaluation.scene.shapes import bounds
from egmt_ros.evaluation.scene.thermal import ThermalCamera
from egmt_ros.evaluation.scene.visible import VisibleCamera

LEAST_SHARE = 0.0006  # of the picture, for a static entity to count
LEAST_HEIGHT = 0.03  # of the picture's height, for an actor to count
LEAST_OPEN = 0.35  # share of an actor that nothing static hides
LEAST_VISIBLE = 16.0  # grey levels between an actor and what is behind it
LEAST_THERMAL = 10.0
_ONLY_VISIBLE = {"crosswalk", "traffic sign"}  # paint has no heat of its own
_UNLIT = {"fence", "grass"}  # too dark by night to be seen
_COVERAGE = {"jacket": 0.45, "trousers": 0.4, "skin": 0.15}


@dataclass(frozen=True)
class ActorBox:
    """One moving thing in the picture.

    Attributes:
        name: Entity name.
        actor: Unique name of the actor.
        x, y, width, height: Pixels, inside the image; the same in both cameras.
        distance: Metres.
        in_thermal, in_visible: Whether that image alone shows it.
    """

    name: str
    actor: str
    x: int
    y: int
    width: int
    height: int
    distance: float
    in_thermal: bool
    in_visible: bool


@dataclass(frozen=True)
class FrameTruth:
    """Entities of one moment: in either image, in the thermal one, in the visible one."""

    entities: tuple[str, ...]
    thermal_entities: tuple[str, ...]
    visible_entities: tuple[str, ...]
    boxes: tuple[ActorBox, ...]


def frame_truth(
    shown: list[Shown],
    night: float,
    backdrop: Backdrop,
    visible: VisibleCamera,
    thermal: ThermalCamera,
) -> FrameTruth:
    """The truth for actors ``shown`` (farthest first)."""
    static = {n for n, share in backdrop.entities.items() if share >= LEAST_SHARE}
    in_thermal = static - _ONLY_VISIBLE
    in_visible = {n for n in static if night < 0.6 or n not in _UNLIT}
    boxes: list[ActorBox] = []
    grey = _Grey(visible, thermal, shown, night)
    h, w = backdrop.depth.shape
    for item in shown:
        outlines = [(name, bounds(parts)) for names, parts in item.groups for name in names]
        if item.actor.kind == "cyclist":
            every = np.array([box for _, box in outlines])
            whole = (*every[:, :2].min(axis=0), *every[:, 2:].max(axis=0))
            outlines.append(("cyclist", whole))
        for name, (left, top, right, bottom) in outlines:
            x0, y0 = max(0, int(left)), max(0, int(top))
            x1, y1 = min(w, int(np.ceil(right))), min(h, int(np.ceil(bottom)))
            if x1 - x0 < 2 or y1 - y0 < LEAST_HEIGHT * h:
                continue
            if (x1 - x0) * (y1 - y0) < 0.3 * (right - left) * (bottom - top):
                continue  # most of it is outside the picture
            window = (slice(y0, y1), slice(x0, x1))
            middle = slice((x1 - x0) // 4, max(1, (x1 - x0) - (x1 - x0) // 4))
            open_share = (backdrop.depth[window][:, middle] >= item.pose.z - 0.2).mean()
            if open_share < LEAST_OPEN:
                continue
            warm = grey.thermal_contrast(item, window) >= LEAST_THERMAL
            seen = item.actor.lights or grey.visible_contrast(item, window) >= LEAST_VISIBLE
            if item.actor.kind == "cyclist" and name == "bicycle":
                warm = warm and item.pose.z < 25
            boxes.append(
                ActorBox(
                    name, item.actor.name, x0, y0, x1 - x0, y1 - y0, round(item.pose.z, 2),
                    in_thermal=bool(warm), in_visible=bool(seen),
                )
            )  # fmt: skip
    in_thermal |= {b.name for b in boxes if b.in_thermal}
    in_visible |= {b.name for b in boxes if b.in_visible}
    return FrameTruth(
        entities=tuple(sorted(in_thermal | in_visible)),
        thermal_entities=tuple(sorted(in_thermal)),
        visible_entities=tuple(sorted(in_visible)),
        boxes=tuple(boxes),
    )


class _Grey:
    """Contrast of actors against the street behind them, grey levels."""

    def __init__(
        self, visible: VisibleCamera, thermal: ThermalCamera, shown: list[Shown], night: float
    ) -> None:
        self._visible, self._thermal = visible, thermal
        self._shown, self._night = shown, night
        self._back_visible = visible.background(night)
        self._back_thermal = thermal.background(night)

    def visible_contrast(self, item: Shown, window: tuple[slice, slice]) -> float:
        inks = self._visible.inks(item, self._shown, self._night)
        return abs(_mean(inks) - float(self._back_visible[window].mean()))

    def thermal_contrast(self, item: Shown, window: tuple[slice, slice]) -> float:
        return abs(_mean(self._thermal.inks(item)) - float(self._back_thermal[window].mean()))


def _mean(inks: dict[str, tuple[float, ...]]) -> float:
    weights = _COVERAGE if "jacket" in inks else {"paint": 0.7, "glass": 0.15, "grille": 0.15}
    return sum(weight * float(np.mean(inks[name])) for name, weight in weights.items())
