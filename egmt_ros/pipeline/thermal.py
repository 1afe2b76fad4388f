"""Which thermal values are shown black and white."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from egmt_ros.errors import ConfigError, InputError

MODES = ("fixed", "percentile", "frame")

# Percentiles are taken of about this many pixels on a regular grid.
_SAMPLES = 16_384
# A flat image gets a range of this width around its value, in counts or in units of a float image.
_LEAST_WIDTH = {"u": 1.0, "f": 1e-3}
_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32))


@dataclass(frozen=True)
class ThermalRange:
    """Values shown black (`low`) and white (`high`), in the image's units.

    `high` below `low` shows hot things dark.

    Raises:
        ConfigError: a value is not finite, or both are equal.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)) or self.low == self.high:
            raise ConfigError(
                f"thermal range is {self.low:g} to {self.high:g}: expected two different finite"
                " numbers; set thermal.fixed_min and thermal.fixed_max"
            )


FULL_SCALE_8_BIT = ThermalRange(0.0, 255.0)


def shown_grey(image: np.ndarray, limits: ThermalRange) -> np.ndarray:
    """The thermal image as the range shows it: HxW uint8, 0 black and 255 white."""
    scaled = (image.astype(np.float32) - limits.low) * (255.0 / (limits.high - limits.low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def check_thermal_type(image: np.ndarray) -> None:
    """Refuse what is not HxW of uint8, uint16 or float32.

    Raises:
        InputError: reason `thermal_type`.
    """
    if image.ndim != 2 or image.size == 0 or image.dtype not in _DTYPES:
        raise InputError(
            f"thermal image has shape {image.shape} and type {image.dtype}: expected"
            " height x width of uint8, uint16 or float32",
            "thermal_type",
        )


def reject_non_finite(image: np.ndarray) -> None:
    """Refuse a floating-point image with NaN or infinite pixels; others pass.

    Raises:
        InputError: reason `not_finite`.
    """
    if image.dtype.kind != "f" or image.size == 0:
        return
    # NaN passes through both, infinity is one of them: no temporary image as isfinite makes.
    if np.isfinite(image.min()) and np.isfinite(image.max()):
        return
    count = image.size - int(np.count_nonzero(np.isfinite(image)))
    raise InputError(
        f"image has {count} of {image.size} pixels that are NaN or infinite, expected finite"
        " values: have the driver mask or repair dead pixels",
        "not_finite",
    )


class ThermalRangeEstimator:
    """Finds the range of each image of a sequence. Remembers, so one for each camera.

    Args:
        mode: `fixed`: always `fixed_range`; `percentile`: percentiles, smoothed exponentially over
            source time, and widened by a hot or cold object at most e-fold in a `time_constant`;
            `frame`: percentiles of each frame alone.
        fixed_range: (black, white) for `fixed`; None: 0 to 255, for 8-bit images only.
        percentiles: (black, white), 0..100.
        time_constant: Of the smoothing, seconds; 0: none.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(
        self,
        mode: str,
        fixed_range: tuple[float, float] | None = None,
        percentiles: tuple[float, float] = (0.5, 99.5),
        time_constant: float = 1.0,
    ) -> None:
        if mode not in MODES:
            raise ConfigError(f"thermal.range_mode is {mode!r}: expected one of {', '.join(MODES)}")
        low, high = percentiles
        if not 0.0 <= low < high <= 100.0:
            raise ConfigError(
                f"thermal.percentile_low is {low:g} and thermal.percentile_high is {high:g}:"
                " expected 0 <= low < high <= 100"
            )
        if not 0.0 <= time_constant < math.inf:
            raise ConfigError(
                f"thermal.time_constant is {time_constant:g} s: expected 0 or more, and finite"
            )
        self._mode = mode
        self._fixed = None if fixed_range is None else ThermalRange(*map(float, fixed_range))
        self._percentiles = percentiles
        self._time_constant = time_constant
        self.reset()

    def reset(self) -> None:
        """Forget earlier frames."""
        self._smoothed: np.ndarray | None = None
        self._stamp = 0
        self._dtype: np.dtype | None = None

    def update(self, image: np.ndarray, stamp: int) -> ThermalRange:
        """The range for this image.

        Smoothing starts afresh when the stamp goes back, the pixel type changes, or a picture
        follows on nothing but images of one value.

        Args:
            image: HxW uint8, uint16 or float32.
            stamp: Source time, ns.

        Raises:
            InputError: reasons `thermal_type`, `not_finite`, `thermal_range`.
        """
        check_thermal_type(image)
        reject_non_finite(image)
        if self._mode == "fixed":
            return self._fixed_range(image)
        limits = _limits(image, self._percentiles)
        if self._mode == "percentile":
            limits = self._smooth(limits, image.dtype, stamp)
        return _widened(limits, image.dtype)

    def _fixed_range(self, image: np.ndarray) -> ThermalRange:
        if self._fixed is not None:
            return self._fixed
        if image.dtype == np.uint8:
            return FULL_SCALE_8_BIT
        raise InputError(
            f"thermal image is {image.dtype} and thermal.range_mode is fixed without a range, which"
            " suits 8-bit images only: set thermal.fixed_min and thermal.fixed_max to the values"
            " shown black and white, or thermal.range_mode to percentile",
            "thermal_range",
        )

    def _smooth(self, limits: np.ndarray, dtype: np.dtype, stamp: int) -> np.ndarray:
        elapsed = (stamp - self._stamp) * 1e-9
        if self._smoothed is None or dtype != self._dtype or elapsed < 0.0:
            self._smoothed = limits
        elif self._time_constant == 0.0:
            self._smoothed = limits
        elif _is_flat(self._smoothed, dtype) and not _is_flat(limits, dtype):
            self._smoothed = limits
        else:
            times = elapsed / self._time_constant
            self._smoothed = self._smoothed + _step(self._smoothed, limits, times)
        self._stamp, self._dtype = stamp, dtype
        return self._smoothed


def _limits(image: np.ndarray, percentiles: tuple[float, float]) -> np.ndarray:
    """Percentiles of the image on a grid of about _SAMPLES pixels, float64."""
    stride = max(1, math.isqrt(image.size // _SAMPLES))
    sample = image[::stride, ::stride].ravel()
    ranks = [round((sample.size - 1) * percentile / 100.0) for percentile in percentiles]
    return np.partition(sample, ranks)[ranks].astype(np.float64)


def _step(smoothed: np.ndarray, limits: np.ndarray, times: float) -> np.ndarray:
    """How far smoothed limits move towards new ones in so many time constants, (2,) float64.

    What both limits have in common (the scene gets warmer) follows exponentially. A limit that
    moves outwards alone (a hot object enters) goes no faster than the width grows by the factor e
    in a time constant: the exponential step, being a share of the distance, would otherwise darken
    everything else the more abruptly, the hotter the object is.
    """
    move = -math.expm1(-times) * (limits - smoothed)
    common = min(move, key=abs) if move[0] * move[1] > 0.0 else 0.0
    most = (smoothed[1] - smoothed[0]) * math.expm1(min(times, 50.0))
    return common + np.clip(move - common, (-most, -math.inf), (math.inf, most))


def _is_flat(limits: np.ndarray, dtype: np.dtype) -> bool:
    return limits[1] - limits[0] < _least_width(limits, dtype)


def _least_width(limits: np.ndarray, dtype: np.dtype) -> float:
    # The second term is what float32 arithmetic can still tell apart at this value.
    return max(_LEAST_WIDTH[dtype.kind], abs(0.5 * float(limits[0] + limits[1])) * 1e-5)


def _widened(limits: np.ndarray, dtype: np.dtype) -> ThermalRange:
    """The range; of a flat image one around its value, which is shown mid-grey."""
    low, high = float(limits[0]), float(limits[1])
    centre = 0.5 * (low + high)
    width = _least_width(limits, dtype)
    if high - low >= width:
        return ThermalRange(low, high)
    return ThermalRange(centre - 0.5 * width, centre + 0.5 * width)
