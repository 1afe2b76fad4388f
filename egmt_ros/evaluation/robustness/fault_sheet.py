"""What the network makes of a made-up street under faults of the cameras, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from egmt_ros.evaluation.report.drawing import put_text
from egmt_ros.evaluation.report.pictures import fitted
from egmt_ros.evaluation.robustness.conditions import CONDITIONS, Pair, random_source
from egmt_ros.evaluation.scene import StreetScene
from egmt_ros.pipeline.engine import FusionEngine

SHOWN = (
    "clean",
    "low light",
    "over-exposure",
    "noise both",
    "misregistration 8",
    "thermal inversion",
    "constant thermal",
    "missing thermal",
    "missing visible",
)
"""Names of the conditions, a row each."""
SEED, TIME = 0, 5.0
"""Of the street: its seed, and the second of the sequence."""
WIDTH, HEIGHT, CAPTION, GAP = 426, 320, 26, 6
LABELS = 9
"""Of the strongest that are present, as many as fit on the line."""
_INK, _BACKGROUND = (232, 234, 237), 24


def fault_sheet(
    engine: FusionEngine, time_of_day: str = "night", shown: Sequence[str] = SHOWN
) -> np.ndarray:
    """Draw thermal, visible and fused picture under each condition, with the labels found.

    Args:
        engine: What fuses.
        time_of_day: "night" or "dusk"; see StreetScene.
        shown: Names of conditions.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    scene = StreetScene(seed=SEED, width=640, height=480, time_of_day=time_of_day)
    clean = Pair(scene.render_thermal(TIME), scene.render_visible(TIME))
    by_name = {condition.name: condition for condition in CONDITIONS}
    rows = []
    for name in shown:
        given = by_name[name].degrade(clean, random_source(SEED, name))
        result = engine.fuse(*given)
        pictures = (cv2.cvtColor(given.thermal, cv2.COLOR_GRAY2BGR), given.visible, result.image)
        present = [label for label in result.labels if label.present][:LABELS]
        found = ", ".join(f"{label.name} {label.score:.2f}" for label in present)
        rows.append(_row(pictures, f"{by_name[name].description}: {found or 'no entity'}"))
    return np.concatenate(rows)


def _row(pictures: Sequence[np.ndarray], caption: str) -> np.ndarray:
    gap = np.full((HEIGHT, GAP, 3), _BACKGROUND, np.uint8)
    cells = [part for picture in pictures for part in (fitted(picture, WIDTH, HEIGHT), gap)]
    images = np.concatenate(cells[:-1], 1)
    line = np.full((CAPTION, images.shape[1], 3), _BACKGROUND, np.uint8)
    put_text(line, caption, 4, 18, 0.48, _INK)
    return np.concatenate([line, images])
