"""The image of one camera in the place of a fused one, while the other camera is missing.

The network names what it sees beside a black other image, as in its training with lost cameras.
A runtime can take seconds to prepare for images of a new size. Therefore the network sees the image
in the size of the fused ones before, if there were any; what is shown keeps the camera's own.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import cv2
import numpy as np

from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region, Sources
from egmt_ros.pipeline.thermal import FULL_SCALE_8_BIT, shown_grey
from egmt_ros.pipeline.thermal_reader import ThermalFrame

Size = tuple[int, int]
"""Width and height, pixels."""


class Fuse(Protocol):
    """`FusionEngine.fuse`."""

    def __call__(
        self, thermal: np.ndarray, visible: np.ndarray, thermal_range: Any, entity_weights: Any
    ) -> FusionResult: ...


def visible_alone(
    fuse: Fuse, visible: np.ndarray, weights: Any = None, size: Size | None = None
) -> FusionResult:
    """The visible image as it is, with the labels that the network has for it.

    Args:
        fuse: Of the engine.
        visible: (H, W, 3) uint8 BGR or (H, W) uint8.
        weights: `entity_weights` of the engine.
        size: In which the network sees it; None: its own. Regions are in its own all the same,
            attention cells are not.

    Raises:
        InputError: The engine's.
    """
    seen = _resized(visible, size)
    black = np.zeros(seen.shape[:2], np.uint8)
    result = fuse(black, seen, FULL_SCALE_8_BIT, weights)
    return dataclasses.replace(
        result,
        image=visible,
        labels=_scaled(result.labels, _size(seen), _size(visible)),
        sources=Sources(None, None, visible),
    )


def thermal_alone(
    fuse: Fuse,
    frame: ThermalFrame,
    colour: bool,
    weights: Any = None,
    size: Size | None = None,
) -> FusionResult:
    """The thermal image as its range shows it, with the labels that the network has for it.

    Args:
        fuse: Of the engine.
        frame: Image and range.
        colour: Whether the result is to be BGR, as a fused image is with a colour camera; grey
            otherwise.
        weights: `entity_weights` of the engine.
        size: As for `visible_alone`.

    Raises:
        InputError: The engine's.
    """
    seen = _resized(frame.image, size)
    black = np.zeros((*seen.shape, 3) if colour else seen.shape, np.uint8)
    result = fuse(seen, black, frame.range, weights)
    grey = shown_grey(frame.image, frame.range)
    return dataclasses.replace(
        result,
        image=cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR) if colour else grey,
        labels=_scaled(result.labels, _size(seen), _size(grey)),
        thermal=frame.reading,
        sources=Sources(frame.image, frame.range, None),
    )


def _size(image: np.ndarray) -> Size:
    return image.shape[1], image.shape[0]


def _resized(image: np.ndarray, size: Size | None) -> np.ndarray:
    if size is None or size == _size(image):
        return image
    shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _scaled(labels: tuple[EntityLabel, ...], seen: Size, shown: Size) -> tuple[EntityLabel, ...]:
    """The labels with their regions in pixels of the image that is shown."""
    if seen == shown:
        return labels
    x, y = shown[0] / seen[0], shown[1] / seen[1]

    def scaled(region: Region) -> Region:
        left, top = int(region.x * x), int(region.y * y)
        right = min(shown[0], max(left + 1, round((region.x + region.width) * x)))
        bottom = min(shown[1], max(top + 1, round((region.y + region.height) * y)))
        return Region(left, top, right - left, bottom - top)

    return tuple(
        label if label.region is None else dataclasses.replace(label, region=scaled(label.region))
        for label in labels
    )
