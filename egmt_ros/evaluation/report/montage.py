"""The montage: thermal, visible and fused image with labels, in the time of the replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.report.contact_sheet import draw_row, row_canvas
from egmt_ros.evaluation.report.drawing import entity_colours
from egmt_ros.evaluation.report.pictures import FramePictures
from egmt_ros.pipeline.whole_files import write_whole

RATE = 5.0
"""Pictures a second."""

STEM = "montage"
FILES = tuple(f"{STEM}{suffix}" for suffix in (".webp", ".mp4", ".avi", ".png"))
"""What it may be called."""

_QUALITY = 72
_VIDEOS = ((".mp4", "mp4v"), (".avi", "MJPG"))


@dataclass(frozen=True)
class Montage:
    """A montage that was written.

    Attributes:
        path: Its file.
        kind: MIME type of what a browser can show as a picture; empty for a film.
        still: Its picture in the middle, (H, W, 3) uint8 BGR.
        note: Why it is no animated picture; empty if it is one.
    """

    path: Path
    kind: str
    still: np.ndarray
    note: str = ""


def save_montage(
    folder: Path, frames: Sequence[FramePictures], names: Sequence[str]
) -> Montage | None:
    """Write montage.webp; where OpenCV lacks animated pictures a film or else a still picture.

    Args:
        folder: To write into; a montage that is there is replaced.
        frames: In order of time.
        names: The vocabulary, for stable colours.

    Returns:
        None without a frame.

    Raises:
        DataError: It cannot be written.
    """
    try:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        if not frames:
            return None
        drawn = montage_pictures(frames, names)
        still = drawn[len(drawn) // 2]
        return _animated(folder, drawn, still) or _film(folder, drawn, still) or _sheet(
            folder, drawn, still)
    except OSError as error:
        raise DataError(
            f"{folder / STEM} cannot be written ({error.strerror or error}); see whether the disk"
            " is full"
        ) from error


def montage_pictures(
    frames: Sequence[FramePictures], names: Sequence[str]
) -> list[np.ndarray]:
    """One picture a frame, all of one size, (H, W, 3) uint8 BGR; the time counts from the first."""
    empty, cell_height = row_canvas(frames[0])
    # Films need even sides.
    empty = np.pad(empty, ((10, empty.shape[0] % 2), (0, empty.shape[1] % 2), (0, 0)), "edge")
    colours = entity_colours(names)
    first = frames[0].array.visible_stamp
    drawn = []
    for frame in frames:
        canvas = empty.copy()
        draw_row(canvas, frame, 10, cell_height, colours, first)
        drawn.append(canvas)
    return drawn


def _animated(folder: Path, drawn: list[np.ndarray], still: np.ndarray) -> Montage | None:
    """As animated WebP; None where this OpenCV cannot (it came with 4.11)."""
    if not hasattr(cv2, "imwriteanimation"):
        return None
    animation = cv2.Animation()
    animation.frames = drawn
    animation.durations = [round(1000 / RATE)] * len(drawn)
    path, part = folder / f"{STEM}.webp", folder / f".{STEM}.part.webp"
    try:
        done = cv2.imwriteanimation(str(part), animation, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
        if done:
            part.replace(path)
    except cv2.error:
        done = False
    finally:
        part.unlink(missing_ok=True)
    return Montage(path, "image/webp", still) if done else None


def _film(folder: Path, drawn: list[np.ndarray], still: np.ndarray) -> Montage | None:
    size = (still.shape[1], still.shape[0])
    for suffix, codec in _VIDEOS:
        path = folder / f"{STEM}{suffix}"
        try:
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), RATE, size)
            opened = writer.isOpened()
            for picture in drawn if opened else ():
                writer.write(picture)
            writer.release()
        except cv2.error:
            opened = False
        if opened and path.is_file() and path.stat().st_size:
            note = (f"This OpenCV ({cv2.__version__}) cannot write animated WebP (4.11 and later"
                    " can), so the montage is a film.")
            return Montage(path, "", still, note)
        path.unlink(missing_ok=True)
    return None


def _sheet(folder: Path, drawn: list[np.ndarray], still: np.ndarray) -> Montage:
    path = folder / f"{STEM}.png"
    write_whole(path, cv2.imencode(".png", np.concatenate(drawn[:12]))[1].tobytes())
    note = (f"This OpenCV ({cv2.__version__}) can write neither animated WebP nor films, so the"
            " montage is a still sheet of the first frames.")
    return Montage(path, "image/png", still, note)
