"""Folders of registered image pairs: finding them, with or without partners."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from egmt_ros.errors import DataError
from egmt_ros.pipeline.image_files import SUFFIXES, images_by_stem

THERMAL_FOLDERS = ("ir", "infrared", "thermal", "lwir")
VISIBLE_FOLDERS = ("vi", "visible", "rgb", "vis")


@dataclass(frozen=True)
class PairFiles:
    """The two images of one pair; equal stems, extensions may differ."""

    stem: str
    thermal: Path
    visible: Path


@dataclass(frozen=True)
class PairScan:
    """What a folder holds: pairs by stem, and files that have no partner."""

    pairs: list[PairFiles]
    unmatched_thermal: list[Path]
    unmatched_visible: list[Path]

    def note(self) -> str:
        """One line about files without a partner; empty if there are none."""
        lonely = self.unmatched_thermal + self.unmatched_visible
        if not lonely:
            return ""
        names = ", ".join(f"{p.parent.name}/{p.name}" for p in lonely[:3])
        more = f" and {len(lonely) - 3} more" if len(lonely) > 3 else ""
        return f"{len(lonely)} files have no partner and are left out: {names}{more}"


def scan_pairs(folder: str | Path, visible: str | Path | None = None) -> PairScan:
    """Find the pairs of a folder.

    Args:
        folder: Holds a thermal subfolder (ir, infrared, thermal) and a visible one (vi, visible,
            rgb); or, with ``visible``, is itself the folder of thermal images.
        visible: Folder of visible images.

    Raises:
        DataError: A folder is missing, two files of one side share a stem, or no stems agree.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; give one with subfolders ir and vi.")
    if visible is None:
        thermal_dir = _subfolder(folder, THERMAL_FOLDERS, "thermal")
        visible_dir = _subfolder(folder, VISIBLE_FOLDERS, "visible")
    else:
        thermal_dir, visible_dir = folder, Path(visible)
        if not visible_dir.is_dir():
            raise DataError(f"there is no folder {visible_dir} for the visible images.")
    warm, seen = images_by_stem(thermal_dir), images_by_stem(visible_dir)
    common = sorted(warm.keys() & seen.keys())
    if not common:
        raise DataError(
            f"no pair in {thermal_dir} ({len(warm)} images) and {visible_dir} ({len(seen)} "
            f"images): the two images of a pair need the same name, such as 0001.png in both. "
            f"Read are {', '.join(SUFFIXES)}."
        )
    return PairScan(
        [PairFiles(stem, warm[stem], seen[stem]) for stem in common],
        [warm[s] for s in sorted(warm.keys() - seen.keys())],
        [seen[s] for s in sorted(seen.keys() - warm.keys())],
    )


def _subfolder(folder: Path, names: tuple[str, ...], side: str) -> Path:
    found = [p for p in sorted(folder.iterdir()) if p.is_dir() and p.name.lower() in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{folder} has several {side} folders: {', '.join(p.name for p in found)}. "
            "Keep one, or name both folders."
        )
    inside = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_dir())[:8]) or "none"
    raise DataError(
        f"{folder} has no {side} folder; expected a subfolder named {', '.join(names)}. "
        f"Its subfolders: {inside}."
    )
