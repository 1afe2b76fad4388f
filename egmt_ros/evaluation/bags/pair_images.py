"""Reading the images of a folder of pairs, which a bag wants to be of one size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from egmt_ros.errors import DataError, InputError
from egmt_ros.evaluation.bags.pair_folder import PairFiles
from egmt_ros.pipeline.compressed import announced_size
from egmt_ros.pipeline.image_files import read_image, read_thermal, read_visible

MISMATCH = ("error", "skip", "letterbox")
_HEAD = 65536  # bytes in which the size of a PNG or JPEG file nearly always stands


class PairImages:
    """The images of some pairs, read when they are asked for.

    `thermal(k)` gives (H, W) uint8 or uint16, `visible(k)` (H, W, 3) BGR or (H, W) uint8 of pair k
    of `pairs`, in the same size; DataError where one cannot be read. The last ones are kept.

    Args:
        pairs: Their files.
        mismatch: What to do with a pair whose images differ in size: "error", "skip" it, or
            "letterbox" the thermal image into the visible one's size. Pairs may differ in size
            from each other.

    Attributes:
        pairs: Those that can be used.
        skipped: Stems of the others.

    Raises:
        DataError: Sizes differ, every pair was skipped, or an image cannot be read.
    """

    def __init__(self, pairs: Sequence[PairFiles], mismatch: str) -> None:
        self.pairs: list[PairFiles] = []
        self.skipped: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        for pair in pairs:
            warm, seen = image_size(pair.thermal), image_size(pair.visible)
            if warm != seen and mismatch == "error":
                raise DataError(
                    f"pair {pair.stem}: the thermal image is {warm[0]}x{warm[1]} and the visible "
                    f"one {seen[0]}x{seen[1]}; the images of a pair must have the same size. "
                    "Register them first, or choose mismatch=skip or mismatch=letterbox."
                )
            if warm != seen and mismatch == "skip":
                self.skipped.append(pair.stem)
                continue
            self.pairs.append(pair)
            self._sizes.append(seen)
        if not self.pairs:
            raise DataError("every pair was skipped: the two images of each differ in size.")
        self.thermal = lru_cache(maxsize=1)(self._thermal)
        self.visible = lru_cache(maxsize=1)(self._visible)

    def _thermal(self, pair: int) -> np.ndarray:
        path, (width, height) = self.pairs[pair].thermal, self._sizes[pair]
        image = read_thermal(path)
        if image.dtype == np.float32:
            raise DataError(f"{path} holds float32; expected uint8 or uint16 pixels for a bag")
        return image if image.shape == (height, width) else letterbox(image, width, height)

    def _visible(self, pair: int) -> np.ndarray:
        return read_visible(self.pairs[pair].visible)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file in pixels; decoded only where its head does not tell.

    Raises:
        DataError: It is missing or not an image.
    """
    try:
        with path.open("rb") as stream:
            return announced_size(stream.read(_HEAD))
    except (OSError, InputError):
        height, width = read_image(path).shape[:2]
        return width, height


def letterbox(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale an image into ``width`` x ``height``, aspect kept, the rest black."""
    h, w = image.shape[:2]
    scale = min(width / w, height / h)
    new = (max(1, round(w * scale)), max(1, round(h * scale)))
    scaled = cv2.resize(
        image, new, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    out = np.zeros((height, width, *image.shape[2:]), image.dtype)
    x, y = (width - new[0]) // 2, (height - new[1]) // 2
    out[y : y + new[1], x : x + new[0]] = scaled
    return out
