"""What the numbers of a thermal image mean: counts, or temperatures in one of the usual forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from egmt_ros.errors import ConfigError, InputError

_U8, _U16, _F32 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float32)

# Encoding: (pixel types, what messages call them, (scale, offset) to degrees Celsius or None).
_KNOWN: dict[str, tuple[tuple[np.dtype, ...], str, tuple[float, float] | None]] = {
    "auto": ((_U8, _U16, _F32), "8-bit, 16-bit or float", None),
    "mono8": ((_U8,), "8-bit (mono8, 8UC1)", None),
    "raw16": ((_U16,), "16-bit (mono16, 16UC1)", None),
    "centikelvin": ((_U16,), "16-bit (mono16, 16UC1)", (0.01, -273.15)),
    "decicelsius": ((_U16,), "16-bit (mono16, 16UC1)", (0.1, -100.0)),
    "celsius": ((_F32,), "float (32FC1)", (1.0, 0.0)),
    "linear": ((_U8, _U16, _F32), "8-bit, 16-bit or float", (1.0, 0.0)),
}
ENCODINGS = tuple(_KNOWN)


@dataclass(frozen=True)
class ThermalEncoding:
    """Meaning of the pixel values of a thermal camera.

    `auto` takes 8-bit, 16-bit and float images as they are, `mono8` and `raw16` one type of them;
    none of these knows temperatures. `centikelvin` is K * 100, `decicelsius` is
    degrees Celsius * 10 + 1000, `celsius` degrees Celsius in a float image, and `linear` means
    degrees Celsius = value * `scale` + `offset`.

    Args:
        name: One of ENCODINGS.
        scale: Of `linear`, degrees Celsius a count, above 0; not used by the others.
        offset: Of `linear`, degrees Celsius at the value 0; not used by the others.

    Raises:
        ConfigError: unknown name, or a scale or offset that cannot be used.
    """

    name: str = "auto"
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in _KNOWN:
            raise ConfigError(
                f"thermal.encoding is {self.name!r}: expected one of {', '.join(ENCODINGS)}"
            )
        if not 0.0 < self.scale < math.inf or not math.isfinite(self.offset):
            raise ConfigError(
                f"thermal.scale is {self.scale:g} and thermal.offset is {self.offset:g}: expected"
                " a finite scale above 0 and a finite offset, so that degrees Celsius = value *"
                " scale + offset"
            )

    @property
    def radiometric(self) -> bool:
        """Whether values are temperatures."""
        return _KNOWN[self.name][2] is not None

    def check(self, image: np.ndarray) -> None:
        """Refuse an image whose pixel type this encoding does not have.

        Raises:
            InputError: reason `thermal_encoding`.
        """
        dtypes, words, _ = _KNOWN[self.name]
        if image.dtype not in dtypes:
            raise InputError(
                f"thermal image is {image.dtype} and thermal.encoding is {self.name}, which has"
                f" {words} pixels: set thermal.encoding to what the driver publishes, or to auto",
                "thermal_encoding",
            )

    def celsius(self, value: float) -> float:
        """Degrees Celsius of a pixel value; NaN where the encoding knows no temperatures."""
        scale, offset = self._line() or (math.nan, math.nan)
        return value * scale + offset

    def value(self, celsius: float) -> float:
        """Pixel value of degrees Celsius; unchanged where the encoding knows no temperatures."""
        scale, offset = self._line() or (1.0, 0.0)
        return (celsius - offset) / scale

    def _line(self) -> tuple[float, float] | None:
        return (self.scale, self.offset) if self.name == "linear" else _KNOWN[self.name][2]
