"""The homography from the thermal to the visible image: values, and the file that holds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from egmt_ros.errors import ConfigError

Size = tuple[int, int]
"""Width and height in pixels."""

_REMEDY = "give a file of egmt calibrate, or nine numbers, row by row"


@dataclass(frozen=True)
class Homography:
    """Maps pixels of the thermal image to those of the visible one.

    Pixel centres have whole coordinates, as in OpenCV. Of two cameras that do not stand in one
    place it is right for things in one plane, at the distance at which it was calibrated.

    Attributes:
        rows: 3x3, row by row; the last number is 1.
        thermal_size, visible_size: Of the images it belongs to; None: not known, any.
    """

    rows: tuple[tuple[float, float, float], ...]
    thermal_size: Size | None = None
    visible_size: Size | None = None

    @classmethod
    def from_matrix(
        cls, matrix: np.ndarray, thermal_size: Size | None = None, visible_size: Size | None = None
    ) -> Homography:
        """Check a (3, 3) matrix and scale it so that its last number is 1.

        Raises:
            ConfigError: it is not finite, cannot be inverted, or its last number is 0.
        """
        matrix = np.asarray(matrix, float)
        if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
            raise ConfigError(f"homography is {matrix.tolist()}: expected 3x3 finite numbers")
        # Compared in numbers of one size: a shift of 1000 pixels is no reason to refuse it.
        if abs(matrix[2, 2]) < 1e-12 or abs(np.linalg.det(matrix / matrix[2, 2])) < 1e-6:
            raise ConfigError(
                f"homography is {matrix.tolist()}: expected a matrix that can be inverted and"
                f" whose last number is not 0; {_REMEDY}"
            )
        matrix = matrix / matrix[2, 2]
        return cls(
            tuple(tuple(float(v) for v in row) for row in matrix), thermal_size, visible_size
        )

    @property
    def matrix(self) -> np.ndarray:
        """(3, 3) float64."""
        return np.array(self.rows)


def parse_homography(text: str) -> Homography:
    """What `registration.homography` says: nine numbers with blanks or commas, or a file's path.

    Raises:
        ConfigError: it is neither, or cannot be used.
    """
    words = [word for word in re.split(r"[\s,;\[\]]+", text) if word]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return read_homography(Path(text).expanduser())
    if len(numbers) != 9:
        raise ConfigError(f"homography is {text!r}: {len(numbers)} numbers; {_REMEDY}")
    return Homography.from_matrix(np.reshape(numbers, (3, 3)))


def read_homography(path: Path) -> Homography:
    """Read the YAML file that `egmt calibrate` writes.

    Its entry `homography` has nine numbers, row by row; `thermal_size` and `visible_size`, which
    may be left out, have [width, height].

    Raises:
        ConfigError: the file is missing, not YAML, or lacks something.
    """
    if not path.is_file():
        raise ConfigError(f"there is no homography file {path}; {_REMEDY}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"homography file {path} cannot be read ({error}); {_REMEDY}") from error
    entries = content if isinstance(content, dict) else {}
    found = entries.get("homography")
    numbers = _numbers(found)
    if numbers is None or len(numbers) != 9:
        raise ConfigError(
            f"homography file {path}: homography is {found!r}, expected nine numbers in one list,"
            " row by row; egmt calibrate writes such a file"
        )
    try:
        return Homography.from_matrix(
            np.reshape(numbers, (3, 3)),
            _size(entries, "thermal_size"),
            _size(entries, "visible_size"),
        )
    except ConfigError as error:
        raise ConfigError(f"homography file {path}: {error}") from error


def write_homography(path: Path, homography: Homography, comment: Sequence[str] = ()) -> None:
    """Write the file that `read_homography` reads, with lines of comment above.

    Raises:
        OSError: it cannot be written.
    """
    lines = [f"# {line}" for line in comment]
    rows = [", ".join(yaml.safe_dump(v).split()[0] for v in row) for row in homography.rows]
    lines.append("homography: [" + ",\n             ".join(rows) + "]")
    for name in ("thermal_size", "visible_size"):
        size = getattr(homography, name)
        if size is not None:
            lines.append(f"{name}: [{size[0]}, {size[1]}]")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _numbers(value: Any) -> list[float] | None:
    """Also of texts such as 1e-05, which YAML 1.1 takes for no number."""
    if not isinstance(value, list) or any(isinstance(v, bool) for v in value):
        return None
    try:
        return [float(v) for v in value]
    except (TypeError, ValueError):
        return None


def _size(entries: dict[str, Any], name: str) -> Size | None:
    value = entries.get(name)
    if value is None:
        return None
    pair = isinstance(value, list) and len(value) == 2
    if not pair or not all(type(v) is int and v > 0 for v in value):
        raise ConfigError(f"{name} is {value!r}, expected [width, height] in pixels")
    return value[0], value[1]
