"""Bringing both images to the same pixels."""

from __future__ import annotations

import cv2
import numpy as np

from egmt_ros.errors import ConfigError, InputError
from egmt_ros.pipeline.pairing import Side

MODES = ("none", "scale")


class Registration:
    """Makes a pair of images equal in size.

    Args:
        mode: `none`: the images are aligned, and must be equal in size; `scale`: both cameras see
            the same field of view, and the other image is resized to the reference's.
        reference: The camera whose image stays as it is.

    Raises:
        ConfigError: unknown mode.
    """

    def __init__(self, mode: str = "none", reference: Side = Side.VISIBLE) -> None:
        if mode not in MODES:
            raise ConfigError(f"registration.mode is {mode!r}: expected one of {', '.join(MODES)}")
        self._mode = mode
        self._reference = Side(reference)

    def apply(self, thermal: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The images (thermal, visible) in the reference's size, channels and types as they were.

        Args:
            thermal: HxW uint8, uint16 or float32.
            visible: HxW or HxWx3 uint8.

        Raises:
            InputError: the sizes differ and the mode is `none`; reason `size_mismatch`.
        """
        if thermal.shape[:2] == visible.shape[:2]:
            return thermal, visible
        if self._mode == "none":
            raise InputError(
                f"thermal image is {_size(thermal)} and visible image is {_size(visible)}:"
                " registration.mode none expects aligned images of equal size; set"
                " registration.mode to scale if both cameras see the same field of view",
                "size_mismatch",
            )
        if self._reference is Side.VISIBLE:
            return _resized(thermal, visible), visible
        return thermal, _resized(visible, thermal)


def _resized(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    height, width = reference.shape[:2]
    shrinks = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=method)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
