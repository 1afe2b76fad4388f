"""The made-up street with people and cars emphasised, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from egmt_ros.evaluation.emphasis.emphasis import DOSES
from egmt_ros.evaluation.report.drawing import put_text
from egmt_ros.evaluation.report.pictures import fitted
from egmt_ros.evaluation.scene import StreetScene
from egmt_ros.pipeline.engine import FusionEngine

SEED, TIME = 0, 5.0
"""Of the street: its seed, and the second of the sequence."""
WIDTH, HEIGHT, CAPTION, GAP = 320, 240, 24, 6
_INK, _BACKGROUND = (232, 234, 237), 24


def emphasis_sheet(
    engine: FusionEngine, entities: Sequence[str] = ("person", "car")
) -> np.ndarray:
    """Draw the fused street, a row an entity and a column a dose.

    Args:
        engine: What fuses; its vocabulary has the entities.
        entities: To emphasise, one a row.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    scene = StreetScene(seed=SEED, width=640, height=480, time_of_day="night")
    pair = scene.render_thermal(TIME), scene.render_visible(TIME)
    rows = []
    for entity in entities:
        cells = []
        for dose in DOSES:
            image = engine.fuse(*pair, entity_weights=engine.emphasis({entity: dose})).image
            cells.append(_cell(image, f"{entity}={dose:g}"))
        rows.append(np.concatenate(cells, 1))
    return np.concatenate(rows)


def _cell(image: np.ndarray, caption: str) -> np.ndarray:
    image = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    cell = np.full((CAPTION + HEIGHT + GAP, WIDTH + GAP, 3), _BACKGROUND, np.uint8)
    cell[CAPTION : CAPTION + HEIGHT, :WIDTH] = fitted(image, WIDTH, HEIGHT)
    put_text(cell, caption, 4, 17, 0.5, _INK)
    return cell
