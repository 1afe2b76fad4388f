"""Thermal and visible images from files, and pairs of folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from egmt_ros.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
GREY_TOLERANCE = 24
"""Grey levels between the channels of a grey image that was saved as a colour JPEG."""


def read_image(path: Path) -> np.ndarray:
    """Read an image as it is stored: own channels and type, not turned by an EXIF orientation.

    A turn that stands in one file of a registered pair alone would part the two.

    Raises:
        DataError: The file is missing or not an image.
    """
    if not path.is_file():
        raise DataError(f"{path} does not exist; give the path of an image")
    image = None
    try:  # imdecode instead of imread: any path works, and no warning is printed
        data = np.fromfile(path, np.uint8)
        if data.size:
            image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except (OSError, cv2.error) as error:
        raise DataError(f"{path} cannot be read as an image ({error})") from error
    if image is None:
        raise DataError(
            f"{path} cannot be read as an image; expected one of {', '.join(SUFFIXES)}: "
            "replace or remove the file"
        )
    return image


def read_thermal(path: Path) -> np.ndarray:
    """Read a thermal image: (H, W) uint8, uint16 or float32.

    Raises:
        DataError: The file is missing, not an image, or coloured by a palette.
    """
    image = read_image(path)
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise DataError(f"{path} holds {image.dtype}; expected uint8, uint16 or float32 pixels")
    if image.ndim == 3:
        colour = np.ascontiguousarray(image[..., :3])
        if float(np.ptp(colour, axis=2).max()) > GREY_TOLERANCE:
            raise DataError(
                f"{path} is a colour image; a thermal image must be grey: a colour palette hides "
                "the temperature, so export the image without one (or are the two sides swapped?)"
            )
        image = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)
    return image


def read_visible(path: Path) -> np.ndarray:
    """Read a visible image: (H, W, 3) uint8 BGR, or (H, W) uint8 for a grey file.

    Raises:
        DataError: The file is missing, not an image, or of a type that no camera image has.
    """
    image = read_image(path)
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        raise DataError(f"{path} holds {image.dtype}; expected uint8 or uint16 pixels")
    return np.ascontiguousarray(image[..., :3]) if image.ndim == 3 else image


def match_pairs(thermal: Path, visible: Path) -> list[tuple[str, Path, Path]]:
    """Pair two image files, or the files of equal stem in two folders, sorted by stem.

    Raises:
        DataError: A path is missing, one is a file and the other a folder, a folder holds two
            files of one stem, or a file has no partner.
    """
    for path in (thermal, visible):
        if not path.exists():
            raise DataError(f"{path} does not exist; give an image or a folder of images")
    if thermal.is_file() and visible.is_file():
        return [(thermal.stem, thermal, visible)]
    if thermal.is_file() or visible.is_file():
        raise DataError(
            f"{thermal} and {visible} are a file and a folder; give two files or two folders"
        )
    left, right = images_by_stem(thermal), images_by_stem(visible)
    alone = sorted(left.keys() ^ right.keys())
    if alone or not left:
        what = f"{alone[0]!r} and {len(alone) - 1} more have" if alone else "there is"
        raise DataError(
            f"{thermal} and {visible}: {what} no partner; expected images of equal file stems"
        )
    return [(stem, left[stem], right[stem]) for stem in sorted(left)]


def images_by_stem(folder: Path) -> dict[str, Path]:
    """The images of a folder, sorted by path; hidden files and files of other kinds are left out.

    Raises:
        DataError: The folder is missing, or holds two images of one stem.
    """
    found = list_images(folder)
    for stem, paths in found.items():
        if len(paths) > 1:
            raise DataError(
                f"{folder} has two images of the name {stem}: {paths[0].name} and "
                f"{paths[1].name}; remove one"
            )
    return {stem: paths[0] for stem, paths in found.items()}


def list_images(folder: Path) -> dict[str, list[Path]]:
    """Stem -> its images in a folder, sorted by path; more than one where stems are not unique.

    Hidden files and files of other kinds are left out.

    Raises:
        DataError: The folder is missing.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give a folder of images")
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES or path.is_dir():
            continue
        found.setdefault(path.stem, []).append(path)
    return found


def to_grey(image: np.ndarray) -> np.ndarray:
    """Luminance of (H, W, 3) uint8 BGR (BT.601, rounded); (H, W) uint8 stays as it is."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def read_visible_8_bit(path: Path) -> np.ndarray:
    """Read an image of 8 bits as `read_visible` does; deeper ones are refused, not cut to 8 bits.

    Raises:
        DataError: The file is missing, not an image, or not of 8 bits.
    """
    image = read_image(path)
    if image.dtype != np.uint8:
        raise DataError(f"{path} holds {image.dtype}; expected 8 bits (uint8)")
    return np.ascontiguousarray(image[..., :3]) if image.ndim == 3 else image
