"""Folders that are there whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from egmt_ros.errors import EgmtError


@contextmanager
def whole_folder(
    path: Path, what: str, error: type[EgmtError], check_free: Callable[[], None]
) -> Iterator[Path]:
    """Make a folder in a hidden one beside its place and move it there at the end.

    What it replaces is kept until then; if the body raises, nothing is left of the new one.

    Args:
        path: Its place.
        what: It is, for messages.
        error: Raised where it cannot be made.
        check_free: Raises where something at that place is not to be replaced; called first, and
            again before the folder is moved.

    Yields:
        Where to make it: a path of the same name, at which there is nothing yet.
    """
    check_free()
    place = path.resolve()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    except OSError as reason:
        raise error(
            f"the {what} {path} cannot be made: {reason}. Give a folder that may be written."
        ) from reason
    try:
        yield beside / place.name
        check_free()
        try:
            _move(beside / place.name, place, beside / "replaced")
        except OSError as reason:
            raise error(f"the {what} {path} cannot be put in its place: {reason}.") from reason
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _move(made: Path, place: Path, replaced: Path) -> None:
    """Move a folder to its place, and what is there away; if that fails, all is as before."""
    occupied = place.exists()
    if occupied:
        place.rename(replaced)
    try:
        made.rename(place)
    except OSError:
        if occupied:
            replaced.rename(place)
        raise
