"""Labels and regions drawn into pictures."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.report.recording import Label
from egmt_ros.pipeline.whole_files import write_image

_FONT = cv2.FONT_HERSHEY_SIMPLEX

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")

FOREIGN = (200, 200, 210)  # RGB of an entity that is not in the vocabulary


def entity_colours(names: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Entity -> RGB colour, light enough for dark pictures.

    The position in the vocabulary chooses, so that an entity has the same colour in every picture
    and on the page. Steps of the golden ratio keep neighbours and near neighbours apart.
    """
    colours = {}
    for index, name in enumerate(names):
        hue = (0.1 + 0.618034 * index) % 1.0
        saturation, value = ((0.58, 1.0), (0.36, 1.0), (0.5, 0.88))[index % 3]
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
        colours[name] = (round(255 * red), round(255 * green), round(255 * blue))
    return colours


def text_width(text: str, scale: float, thickness: int = 1) -> int:
    """Pixels that a text drawn by ``put_text`` is wide."""
    return cv2.getTextSize(text, _FONT, scale, thickness)[0][0]


def put_text(image: np.ndarray, text: str, x: int, baseline: int, scale: float,
             colour: tuple[int, int, int], thickness: int = 1) -> None:
    """Writes text into a BGR picture; the colour is RGB."""
    cv2.putText(image, text, (x, baseline), _FONT, scale, colour[::-1], thickness, cv2.LINE_AA)


def draw_regions(
    picture: np.ndarray,
    labels: Sequence[Label],
    size: tuple[int, int],
    colours: dict[str, tuple[int, int, int]],
) -> None:
    """Draws the corners of each label's region and its name into a BGR picture, in place.

    Args:
        picture: The fused image, scaled; it fills the picture.
        labels: What to draw; labels without a region are skipped.
        size: Width and height of the fused image, to which the regions refer.
        colours: Entity -> RGB.
    """
    scale_x, scale_y = picture.shape[1] / size[0], picture.shape[0] / size[1]
    taken: list[tuple[int, int, int, int]] = []
    for label in labels:
        if label.region is None:
            continue
        x, y, width, height = label.region
        left, top = round(x * scale_x), round(y * scale_y)
        right, bottom = round((x + width) * scale_x) - 1, round((y + height) * scale_y) - 1
        colour = colours.get(label.name, FOREIGN)
        _corners(picture, left, top, right, bottom, colour)
        _name(picture, label.name, left, top, colour, taken)


def _corners(picture: np.ndarray, left: int, top: int, right: int, bottom: int,
             colour: tuple[int, int, int]) -> None:
    """A frame of which only the corners are drawn: an extent, not a detection box."""
    arm = max(5, min(right - left, bottom - top) // 4)
    for thickness, bgr in ((3, (0, 0, 0)), (1, colour[::-1])):
        for x, dx in ((left, 1), (right, -1)):
            for y, dy in ((top, 1), (bottom, -1)):
                cv2.line(picture, (x, y), (x + dx * arm, y), bgr, thickness, cv2.LINE_AA)
                cv2.line(picture, (x, y), (x, y + dy * arm), bgr, thickness, cv2.LINE_AA)


def _name(picture: np.ndarray, text: str, left: int, top: int, colour: tuple[int, int, int],
          taken: list[tuple[int, int, int, int]]) -> None:
    """The name on a dark plate above the region, higher up until it covers no other name."""
    width, height = text_width(text, 0.42) + 8, 16
    x = min(max(0, left), max(0, picture.shape[1] - width))

    def covers(y: int) -> bool:
        return any(x < x1 and x + width > x0 and y < y1 and y + height > y0
                   for x0, y0, x1, y1 in taken)

    above = range(min(top, picture.shape[0]) - height, -1, -1)
    below = range(max(top, 0) + 1, picture.shape[0] - height)
    y = next((y for places in (above, below) for y in places if not covers(y)), None)
    if y is None:
        return
    taken.append((x, y, x + width, y + height))
    plate = picture[y : y + height, x : x + width]
    plate[:] = plate // 4
    put_text(picture, text, x + 4, y + 12, 0.42, colour)


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) uint8 BGR as .png or .jpg.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        write_image(path, image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    except DataError as error:
        raise _unwritable(path, error) from error


def check_picture_path(path: Path) -> None:
    """Notice before the picture is made what can be noticed then.

    Raises:
        ConfigError: The suffix is none of a picture, or there is no such folder.
    """
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise _unwritable(path, f"the suffix is {path.suffix!r}")
    if not path.parent.is_dir():
        raise _unwritable(path, "there is no such folder")


def _unwritable(path: Path, reason: object) -> ConfigError:
    return ConfigError(
        f"picture {path} cannot be written; give a .png or .jpg in a folder that exists and has"
        f" room ({reason})"
    )
