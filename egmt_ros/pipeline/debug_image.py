"""One picture of what went into a fused image and what was found: thermal | visible | fused."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region
from egmt_ros.pipeline.thermal import FULL_SCALE_8_BIT, ThermalRange, shown_grey

# A panel holds an image of this size as it is, pixels; larger ones are shrunk to fit, and smaller
# ones enlarged until there is room for a line of text.
PANEL_WIDTH, PANEL_HEIGHT = 640, 512
_LEAST_WIDTH = 320
_GAP = 4  # between panels
_LINE, _TAG = 22, 18  # heights of a line of text and of a region's tag
_FACT_LINES, _LABEL_LINES = 1, 2

_FONT, _SCALE, _MARGIN = cv2.FONT_HERSHEY_SIMPLEX, 0.5, 6
_BACKGROUND, _TEXT, _FAINT = 24, (235, 235, 235), (150, 150, 150)
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, eq=False)
class _Size:
    """Width and height of a panel, and pixels of a panel per pixel of the image."""

    width: int
    height: int
    scale: float


def draw_debug_image(
    result: FusionResult, labels: Sequence[EntityLabel], facts: Sequence[str]
) -> np.ndarray:
    """Draw the three images side by side, the regions, and what is worth knowing.

    The size depends on that of the fused image alone, so that it stays the same in a stream. Takes
    some milliseconds whatever the size of the images.

    Args:
        result: With its `sources`; a source that is not there is said to be missing.
        labels: Those to show, best first.
        facts: Short texts for the line below the images.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    size = _panel_size(*result.image.shape[1::-1])
    text_top = _LINE + size.height
    lines = _FACT_LINES + _LABEL_LINES
    width = 3 * size.width + 2 * _GAP
    canvas = np.full((text_top + lines * _LINE + _MARGIN, width, 3), _BACKGROUND, np.uint8)
    sources = result.sources
    thermal = visible = None
    if sources is not None:
        if sources.thermal is not None:
            thermal = _grey(_fit(sources.thermal, size), sources.range)
        if sources.visible is not None:
            visible = _fit(sources.visible, size)
    both = sources is None or not (thermal is None or visible is None)
    panels = (
        (_thermal_title(result), thermal),
        ("visible", visible),
        ("fused" if both else "not fused", _fit(result.image, size)),
    )
    for number, (title, picture) in enumerate(panels):
        left = number * (size.width + _GAP)
        _write(canvas, title, left + _MARGIN, _LINE, size.width - _MARGIN)
        panel = canvas[_LINE:text_top, left : left + size.width]
        if picture is None:
            _write(panel, "no image", _MARGIN, size.height // 2, size.width, _FAINT)
        else:
            if picture.ndim == 2:  # much quicker than numpy's broadcasting
                picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
            panel[:] = picture
    _draw_regions(canvas[_LINE:text_top, 2 * (size.width + _GAP) :], labels, size)
    _write(canvas, "   ".join(facts), _MARGIN, text_top + _LINE, width - 2 * _MARGIN, _FAINT)
    _write_labels(canvas, labels, text_top + _FACT_LINES * _LINE)
    return canvas


def colour_of(index: int) -> tuple[int, int, int]:
    """The colour of an entity by its index in the vocabulary, BGR 0..255; neighbours differ."""
    red, green, blue = colorsys.hsv_to_rgb((0.08 + index * _GOLDEN) % 1.0, 0.6, 1.0)
    return round(255 * blue), round(255 * green), round(255 * red)


def _panel_size(width: int, height: int) -> _Size:
    scale = min(1.0, PANEL_WIDTH / width, PANEL_HEIGHT / height)
    if width * scale < _LEAST_WIDTH:
        scale = min(_LEAST_WIDTH / width, PANEL_HEIGHT / height)
    # A very narrow image leaves the rest of its panel empty.
    return _Size(max(_LEAST_WIDTH, round(width * scale)), max(1, round(height * scale)), scale)


def _fit(image: np.ndarray, size: _Size) -> np.ndarray:
    """The image in the panel's size, in its own type."""
    height, width = image.shape[:2]
    target = (min(size.width, max(1, round(width * size.scale))), size.height)
    step = int(1.0 / size.scale)
    if step > 1:  # of a huge image a grid, so that it costs no more than others
        image = np.ascontiguousarray(image[::step, ::step])
        height, width = image.shape[:2]
    if target != (width, height):
        method = cv2.INTER_AREA if size.scale < 1 else cv2.INTER_NEAREST
        image = cv2.resize(image, target, interpolation=method)
    if target[0] < size.width:
        border = size.width - target[0]
        image = cv2.copyMakeBorder(image, 0, 0, 0, border, cv2.BORDER_CONSTANT)
    return image


def _grey(thermal: np.ndarray, limits: ThermalRange) -> np.ndarray:
    """(H, W) uint8 of a thermal image as the network is shown it."""
    as_it_is = thermal.dtype == np.uint8 and limits == FULL_SCALE_8_BIT
    return thermal if as_it_is else shown_grey(thermal, limits)


def _thermal_title(result: FusionResult) -> str:
    reading = result.thermal
    if reading is None or math.isnan(reading.min_celsius):
        return "thermal"
    return f"thermal   {reading.min_celsius:.1f} to {reading.max_celsius:.1f} C"


def _draw_regions(panel: np.ndarray, labels: Sequence[EntityLabel], size: _Size) -> None:
    """Rectangles, each with a tag of name and score: above it where there is room."""
    boxes = [
        (label, *_scaled(label.region, size)) for label in labels if label.region is not None
    ]
    for label, left, top, right, bottom in boxes:
        cv2.rectangle(panel, (left, top), (right, bottom), colour_of(label.index), 2)
    height, width = panel.shape[:2]
    taken: list[tuple[int, int, int]] = []
    for label, left, top, _, bottom in boxes:
        text = _text_of(label)
        wide = cv2.getTextSize(text, _FONT, _SCALE, 1)[0][0] + 6
        x = max(0, min(left, width - wide))
        y = next(
            (
                y
                for y in (top - _TAG, bottom + 1, *range(max(0, top), height, _TAG))
                if 0 <= y <= height - _TAG and not _covers(taken, x, y, wide)
            ),
            max(0, height - _TAG),
        )
        taken.append((x, y, wide))
        cv2.rectangle(
            panel, (x, y), (x + wide, y + _TAG - 1), colour_of(label.index), cv2.FILLED
        )
        cv2.putText(panel, text, (x + 3, y + _TAG - 5), _FONT, _SCALE, (0, 0, 0), 1, cv2.LINE_AA)


def _covers(taken: Sequence[tuple[int, int, int]], x: int, y: int, wide: int) -> bool:
    """Whether a tag there would cover one of those (x, y, width)."""
    return any(
        x < x0 + wide0 and x0 < x + wide and y < y0 + _TAG and y0 < y + _TAG
        for x0, y0, wide0 in taken
    )


def _scaled(region: Region, size: _Size) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in pixels of the panel."""
    corners = (region.x, region.y, region.x + region.width, region.y + region.height)
    left, top, right, bottom = (round(value * size.scale) for value in corners)
    return left, top, max(left, right - 1), max(top, bottom - 1)


def _text_of(label: EntityLabel) -> str:
    return f"{label.name} {label.score:.2f}"


def _write_labels(canvas: np.ndarray, labels: Sequence[EntityLabel], top: int) -> None:
    """All labels in their colours, as many as there is room for; then how many more there are."""
    if not labels:
        _write(canvas, "nothing present", _MARGIN, top + _LINE, canvas.shape[1], _FAINT)
    left, line, room = _MARGIN, 0, canvas.shape[1] - _MARGIN
    for number, label in enumerate(labels):
        text = _text_of(label)
        wide = cv2.getTextSize(text, _FONT, _SCALE, 1)[0][0] + 2 * _MARGIN
        last = line == _LABEL_LINES - 1
        if left + wide > room - (60 if last else 0):
            if last:
                rest = f"+{len(labels) - number}"
                _write(canvas, rest, left, top + (line + 1) * _LINE, room - left, _FAINT)
                return
            left, line = _MARGIN, line + 1
        _write(canvas, text, left, top + (line + 1) * _LINE, wide, colour_of(label.index))
        left += wide


def _write(
    canvas: np.ndarray,
    text: str,
    left: int,
    bottom: int,
    room: int,
    colour: tuple[int, int, int] = _TEXT,
) -> None:
    """A line of text on the line that ends at `bottom`, cut to `room` pixels."""
    while text and cv2.getTextSize(text, _FONT, _SCALE, 1)[0][0] > room:
        text = text[:-1]
    cv2.putText(canvas, text, (left, bottom - 6), _FONT, _SCALE, colour, 1, cv2.LINE_AA)
