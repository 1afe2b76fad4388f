"""From the pixels of a thermal camera to an image, its range and its temperatures."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from egmt_ros.pipeline.results import ThermalReading
from egmt_ros.pipeline.thermal import ThermalRange, ThermalRangeEstimator, check_thermal_type
from egmt_ros.pipeline.thermal_encoding import ThermalEncoding
from egmt_ros.pipeline.thermal_repair import (
    DeadLines,
    fill_dead_lines,
    fill_non_finite,
    find_dead_lines,
)


class ThermalFrame(NamedTuple):
    """A thermal image ready to be fused.

    Attributes:
        image: HxW uint8, uint16 or float32, in the camera's units; the camera's own array where
            nothing was repaired.
        range: Values shown black and white, in the same units.
        reading: Temperatures, and what was found dead.
    """

    image: np.ndarray
    range: ThermalRange
    reading: ThermalReading


class ThermalReader:
    """Checks, repairs and measures the images of a sequence. Remembers, so one for each camera.

    Args:
        estimator: Finds the range; in the units of the images.
        encoding: What pixel values mean.
        invert: Low values are hot (black-hot) and are to be shown white.
        repair_lines: Interpolate dead rows and columns; they are counted anyway.
    """

    def __init__(
        self,
        estimator: ThermalRangeEstimator,
        encoding: ThermalEncoding,
        invert: bool = False,
        repair_lines: bool = False,
    ) -> None:
        self._estimator = estimator
        self._encoding = encoding
        self._invert = invert
        self._repair_lines = repair_lines

    def read(self, image: np.ndarray, stamp: int) -> ThermalFrame:
        """Make an image ready.

        Args:
            image: HxW uint8, uint16 or float32; is not changed.
            stamp: Source time, ns.

        Raises:
            InputError: reasons `thermal_type`, `thermal_encoding`, `not_finite`, `thermal_range`.
        """
        check_thermal_type(image)
        self._encoding.check(image)
        image, filled = fill_non_finite(image)
        dead = find_dead_lines(image)
        if self._repair_lines and dead != DeadLines():
            image = fill_dead_lines(image, dead)
        limits = self._estimator.update(image, stamp)
        if self._invert:
            limits = ThermalRange(limits.high, limits.low)
        coldest = hottest = math.nan
        if self._encoding.radiometric:
            low, high, *_ = cv2.minMaxLoc(image)
            coldest, hottest = self._encoding.celsius(low), self._encoding.celsius(high)
        reading = ThermalReading(
            min_celsius=coldest,
            max_celsius=hottest,
            filled_pixels=filled,
            dead_rows=len(dead.rows),
            dead_columns=len(dead.columns),
            lines_repaired=self._repair_lines,
        )
        return ThermalFrame(image, limits, reading)
