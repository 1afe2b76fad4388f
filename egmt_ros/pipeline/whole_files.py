"""Files that are there whole or not at all, whatever the disk does meanwhile."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from egmt_ros.errors import DataError


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there when all of it is written.

    A disk that is full leaves what was there before.

    Raises:
        DataError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        try:
            with part.open("wb") as stream:
                stream.write(data)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error.strerror}); see whether the folder allows it, the "
            "disk is full, or a folder has that name"
        ) from error


def write_image(path: Path, image: np.ndarray, options: Sequence[int] = ()) -> None:
    """Write an image in the format of the path's suffix.

    `cv2.imwrite` does not notice when the last bytes of a file find no room.

    Args:
        path: Its suffix is one that OpenCV can write.
        image: (H, W) or (H, W, 3) BGR, uint8 or uint16.
        options: As for cv2.imencode.

    Raises:
        DataError: It cannot be written, or there is no such format.
    """
    try:
        encoded, data = cv2.imencode(path.suffix, image, list(options))
    except cv2.error:
        encoded = False
    if not encoded:
        raise DataError(f"{path} cannot be written; give a .png or .jpg")
    write_whole(path, data.tobytes())
