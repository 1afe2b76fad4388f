"""The contact sheet: chosen frames as rows of thermal, visible and fused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.report.drawing import (
    FOREIGN,
    draw_regions,
    entity_colours,
    put_text,
    text_width,
)
from egmt_ros.evaluation.report.pictures import FramePictures, fitted
from egmt_ros.evaluation.report.recording import Label

CELL_WIDTH = 432
_GAP = 8
_MARGIN = 16
_HEAD = 34
_CAPTION = 30
_BACKGROUND = 24
_INK = (232, 234, 237)
_MUTED = (160, 165, 172)
_REGIONS = 4  # more of them cover the picture
_LARGEST_REGION = 0.6  # share of the picture from which a region says nothing


def contact_sheet(
    frames: Sequence[FramePictures], names: Sequence[str], title: str = ""
) -> np.ndarray:
    """Draws the sheet.

    Args:
        frames: One row each.
        names: The vocabulary, for stable colours.
        title: First line.

    Returns:
        HxWx3 uint8 BGR.

    Raises:
        EgmtError: There is no frame.
    """
    if not frames:
        raise EgmtError("A contact sheet needs at least one fused frame; none was fused.")
    empty, cell_height = row_canvas(frames[0])
    row, width = empty.shape[:2]
    canvas = np.full(
        (2 * _MARGIN + 2 * _HEAD - 8 + len(frames) * row, width, 3), _BACKGROUND, np.uint8)
    put_text(canvas, title, _MARGIN, _MARGIN + 18, 0.62, _INK)
    for column, head in enumerate(("thermal", "visible", "fused, with the regions of its labels")):
        put_text(canvas, head, _column(column), _MARGIN + _HEAD + 12, 0.5, _MUTED)
    first = frames[0].array.visible_stamp
    for index, frame in enumerate(frames):
        top = _MARGIN + 2 * _HEAD - 8 + index * row
        draw_row(canvas, frame, top, cell_height, entity_colours(names), first)
    return canvas


def _column(index: int) -> int:
    return _MARGIN + index * (CELL_WIDTH + _GAP)


def row_canvas(frame: FramePictures) -> tuple[np.ndarray, int]:
    """An empty picture that one row fills, and the height of the row's cells."""
    height, width = frame.fused.shape[:2]
    cell_height = round(CELL_WIDTH * min(height / width, 1.5))
    shape = (cell_height + _CAPTION + _GAP, 2 * _MARGIN + 3 * CELL_WIDTH + 2 * _GAP, 3)
    return np.full(shape, _BACKGROUND, np.uint8), cell_height


def draw_row(canvas: np.ndarray, frame: FramePictures, top: int, cell_height: int,
             colours: dict[str, tuple[int, int, int]], first: int) -> None:
    """Draw thermal, visible and fused image with regions, and below them time and labels.

    Args:
        canvas: As wide as `row_canvas` makes it; drawn into.
        frame: To draw.
        top: Row of the canvas at which it begins.
        cell_height: Of the pictures, pixels.
        colours: Entity -> RGB.
        first: Stamp from which the time counts, ns.
    """
    for column, picture in enumerate((frame.thermal, frame.visible, frame.fused)):
        cell = fitted(picture, CELL_WIDTH, cell_height)
        if column == 2 and cell.shape[0] * frame.array.width == cell.shape[1] * frame.array.height:
            draw_regions(cell, drawn_labels(frame.array.present(), frame.array.width,
                                            frame.array.height),
                         (frame.array.width, frame.array.height), colours)
        left = _column(column)
        canvas[top : top + cell_height, left : left + CELL_WIDTH] = cell
    baseline = top + cell_height + 20
    array = frame.array
    gap = (array.thermal_stamp - array.visible_stamp) / 1e6
    put_text(canvas, f"t = {(array.visible_stamp - first) / 1e9:.2f} s   thermal {gap:+.1f} ms",
             _MARGIN, baseline, 0.46, _MUTED)
    _draw_labels(canvas, array.present(), baseline, colours)


def _draw_labels(canvas: np.ndarray, labels: Sequence[Label], baseline: int,
                 colours: dict[str, tuple[int, int, int]]) -> None:
    """Names and scores, as many as fit on the line."""
    x, end = _column(1), canvas.shape[1] - _MARGIN
    if not labels:
        put_text(canvas, "no entity present", x, baseline, 0.46, _MUTED)
    for label in labels:
        score = f"{label.score:.2f}"
        needed = 14 + text_width(label.name, 0.46) + 6 + text_width(score, 0.46) + 16
        if x + needed > end:
            put_text(canvas, "...", x, baseline, 0.46, _MUTED)
            return
        colour = colours.get(label.name, FOREIGN)
        cv2.rectangle(canvas, (x, baseline - 9), (x + 8, baseline - 1), colour[::-1], -1)
        put_text(canvas, label.name, x + 14, baseline, 0.46, _INK)
        put_text(canvas, score, x + 14 + text_width(label.name, 0.46) + 6, baseline, 0.46, _MUTED)
        x += needed


def drawn_labels(labels: Sequence[Label], width: int, height: int) -> list[Label]:
    """The labels whose regions are worth drawing: the surest with a compact region."""
    compact = [
        label for label in labels
        if label.region and label.region[2] * label.region[3] <= _LARGEST_REGION * width * height
    ]
    return compact[:_REGIONS]


def save_contact_sheet(
    path: Path, frames: Sequence[FramePictures], names: Sequence[str], title: str = ""
) -> None:
    """Writes the sheet as PNG.

    Raises:
        EgmtError: There is no frame, or the file cannot be written.
    """
    encoded = cv2.imencode(".png", contact_sheet(frames, names, title))[1]
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise EgmtError(f"{path} cannot be written ({error}).") from error
