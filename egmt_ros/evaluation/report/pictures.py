"""Pictures of chosen frames: thermal, visible and fused, as 8-bit BGR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.live.cdr import header_stamp
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.report.recording import LabelArray, Recording
from egmt_ros.pipeline.image_pixels import visible_array
from egmt_ros.pipeline.image_view import BAYER, ImageView, image_view


@dataclass(frozen=True, eq=False)
class FramePictures:
    """One fused frame; the pictures are HxWx3 uint8 BGR."""

    array: LabelArray
    thermal: np.ndarray
    visible: np.ndarray
    fused: np.ndarray


def evenly_chosen(items: Sequence[Any], count: int) -> list[Any]:
    """At most ``count`` items, evenly spread, in order; the middle of each stretch."""
    if len(items) <= count:
        return list(items)
    return [items[int((i + 0.5) * len(items) / count)] for i in range(count)]


def load_pictures(
    session: SessionResult, recording: Recording, count: int
) -> list[FramePictures]:
    """Pictures of at most ``count`` fused frames, evenly chosen over the replay.

    Only the chosen messages are deserialised, and only they are kept in memory.
    """
    unique = list({array.stamp: array for array in recording.arrays}.values())
    chosen = evenly_chosen(unique, count)
    thermal = _images(session.source_bag, session.topics["thermal"],
                      {array.thermal_stamp for array in chosen})
    visible = _images(session.source_bag, session.topics["visible"],
                      {array.visible_stamp for array in chosen})
    fused = _images(session.output_bag, session.topics["image"], {a.stamp for a in chosen})
    return [
        FramePictures(array, thermal[array.thermal_stamp], visible[array.visible_stamp],
                      fused[array.stamp])
        for array in chosen
        if array.thermal_stamp in thermal and array.visible_stamp in visible
        and array.stamp in fused
    ]


def _images(bag: Any, topic: str, stamps: set[int]) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    with BagSource(bag) as source:
        for _, msgtype, _, data in source.messages([topic], partial=True):
            stamp = header_stamp(data)
            if stamp in stamps and stamp not in found:
                found[stamp] = display_image(source.deserialize(data, msgtype))
                if len(found) == len(stamps):
                    break
    return found


def display_image(message: Any) -> np.ndarray:
    """A sensor_msgs/Image for the eye, see `display_view`.

    Raises:
        InputError: The encoding cannot be shown or the data are too short.
    """
    return display_view(image_view(message))


def display_view(view: ImageView, limits: tuple[float, float] | None = None) -> np.ndarray:
    """An image for the eye: HxWx3 uint8 BGR.

    Args:
        view: Of the image.
        limits: Values of a 16-bit grey or float image that are shown black and white; None: its
            0.5th and 99.5th percentile.
    """
    image = view.array
    measured = image.ndim == 2 and image.dtype != np.uint8 and view.encoding not in BAYER
    image = _stretched(image, limits) if measured else visible_array(view)
    return cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image


def _stretched(image: np.ndarray, limits: tuple[float, float] | None) -> np.ndarray:
    values = np.nan_to_num(image.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = np.percentile(values, (0.5, 99.5)) if limits is None else limits
    scaled = (values - low) * (255.0 / max(float(high - low), 1e-6))
    return np.clip(scaled, 0, 255).astype(np.uint8)


def fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The picture scaled to fit, centred on black; HxWx3."""
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(image, size, interpolation=method)
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
