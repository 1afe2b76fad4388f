"""The image of one camera in the place of a fused one, while the other camera is missing."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import cv2
import numpy as np

from egmt_ros.pipeline.results import FusionResult, Sources
from egmt_ros.pipeline.thermal import FULL_SCALE_8_BIT, shown_grey
from egmt_ros.pipeline.thermal_reader import ThermalFrame


class Fuse(Protocol):
    """`FusionEngine.fuse`."""

    def __call__(
        self, thermal: np.ndarray, visible: np.ndarray, thermal_range: Any, entity_weights: Any
    ) -> FusionResult: ...


def visible_alone(fuse: Fuse, visible: np.ndarray, weights: Any = None) -> FusionResult:
    """The visible image as it is, with the labels that the network has for it.

    The network sees a black thermal image, as in its training with lost cameras.

    Args:
        fuse: Of the engine.
        visible: (H, W, 3) uint8 BGR or (H, W) uint8.
        weights: `entity_weights` of the engine.

    Raises:
        InputError: The engine's.
    """
    black = np.zeros(visible.shape[:2], np.uint8)
    result = fuse(black, visible, FULL_SCALE_8_BIT, weights)
    return dataclasses.replace(result, image=visible, sources=Sources(None, None, visible))


def thermal_alone(
    fuse: Fuse, frame: ThermalFrame, colour: bool, weights: Any = None
) -> FusionResult:
    """The thermal image as the network sees it, with the labels that it has for it.

    The network sees a black visible image, as in its training with lost cameras.

    Args:
        fuse: Of the engine.
        frame: Image and range.
        colour: Whether the result is to be BGR, as a fused image is with a colour camera; grey
            otherwise.
        weights: `entity_weights` of the engine.

    Raises:
        InputError: The engine's.
    """
    height, width = frame.image.shape
    black = np.zeros((height, width, 3) if colour else (height, width), np.uint8)
    result = fuse(frame.image, black, frame.range, weights)
    grey = shown_grey(frame.image, frame.range)
    image = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR) if colour else grey
    sources = Sources(frame.image, frame.range, None)
    return dataclasses.replace(result, image=image, thermal=frame.reading, sources=sources)
