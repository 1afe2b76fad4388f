"""Scoring a fused image of a replay, beside both sources and the classical methods.

Luminance of 8 bits is scored, as by `egmt evaluate pairs`: with 8-bit thermal images shown in full
range and no registration the numbers are the same. The thermal image is the registered one as its
range shows it. Where the thermal camera does not see all of the visible image, only the largest
upright rectangle that it does see is scored, for every method alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.fusion.classical import METHODS
from egmt_ros.evaluation.fusion.pair_metrics import MINIMUM_SIDE, measure
from egmt_ros.evaluation.fusion.pair_worker import OURS
from egmt_ros.pipeline.image_files import to_grey
from egmt_ros.pipeline.results import Sources
from egmt_ros.pipeline.thermal import FULL_SCALE_8_BIT, shown_grey

Metrics = dict[str, dict[str, float]]
"""Method -> metric (a key of `pair_metrics.COLUMNS`) -> value."""

BLOCK = 8
"""Steps of the rectangle that is scored, pixels."""


class Images(NamedTuple):
    """What is scored; (H, W) uint8 luminance each."""

    thermal: np.ndarray
    visible: np.ndarray
    fused: np.ndarray


class Measurer:
    """Scores "ours" and other methods, image after image.

    Args:
        methods: Of `classical.METHODS`, beside "ours".

    Attributes:
        methods: "ours" and these, each once.

    Raises:
        ConfigError: A method is unknown.
    """

    def __init__(self, methods: Sequence[str]) -> None:
        for method in methods:
            if method not in METHODS and method != OURS:
                raise ConfigError(
                    f"--methods names {method!r}; expected of {', '.join(METHODS)} ({OURS} is"
                    " always there)"
                )
        self.methods = tuple(dict.fromkeys((OURS, *methods)))
        self._seen: tuple[np.ndarray, tuple[slice, slice]] | None = None

    def images(self, sources: Sources, fused: np.ndarray) -> Images | None:
        """What is scored of a fused pair; None where it is too small (`MINIMUM_SIDE`).

        Args:
            sources: Both images are there.
            fused: (H, W, 3) uint8 BGR or (H, W) uint8.
        """
        thermal = sources.thermal
        if thermal.dtype != np.uint8 or sources.range != FULL_SCALE_8_BIT:
            thermal = shown_grey(thermal, sources.range)
        found = Images(thermal, to_grey(sources.visible), to_grey(fused))
        if sources.outside is not None:
            window = self._window(sources.outside)
            found = Images(*(np.ascontiguousarray(image[window]) for image in found))
        return found if min(found.fused.shape) >= MINIMUM_SIDE else None

    def score(self, images: Images) -> Metrics:
        """Score every method; see `pair_metrics.measure`."""
        thermal, visible, _ = images
        return {
            method: measure(
                thermal,
                visible,
                images.fused if method == OURS else METHODS[method](thermal, visible),
            )
            for method in self.methods
        }

    def _window(self, outside: np.ndarray) -> tuple[slice, slice]:
        """The rectangle of a mask; the last one's is kept, as it is the same for many frames."""
        if self._seen is None or self._seen[0] is not outside:
            self._seen = outside, largest_window(outside)
        return self._seen[1]


def largest_window(outside: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the largest rectangle of whole blocks without a pixel outside.

    Args:
        outside: (H, W) uint8, 1 for pixels outside.
    """
    height, width = (side // BLOCK * BLOCK for side in outside.shape)
    blocks = outside[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    inside = blocks.max((1, 3), initial=0) == 0
    best, area = (0, 0, 0, 0), 0
    depth = np.zeros(inside.shape[1], int)  # how many rows up from here each column is inside
    for row, line in enumerate(inside):
        depth = np.where(line, depth + 1, 0)
        for left in range(len(depth)):
            lowest = np.minimum.accumulate(depth[left:])
            sizes = lowest * np.arange(1, len(lowest) + 1)
            most = int(sizes.argmax())
            if sizes[most] > area:
                area = int(sizes[most])
                best = (row + 1 - int(lowest[most]), row + 1, left, left + most + 1)
    top, bottom, left, right = (edge * BLOCK for edge in best)
    return slice(top, bottom), slice(left, right)
