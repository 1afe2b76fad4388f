"""The caption file that is written for a data set: what it has is kept, what it lacks is added."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from egmt_ros.entities.captions.caption_file import IMAGES, read_raw_captions, write_caption_file
from egmt_ros.entities.captions.captioning import PairTask
from egmt_ros.entities.captions.pair_folders import DataSetPairs
from egmt_ros.errors import ConfigError, DataError

CAPTION_FILE = "captions.json"


class CaptionTarget:
    """The caption file of one data set.

    Args:
        found: The data set's pairs.
        path: The caption file; read if it exists.

    Raises:
        ConfigError: The file cannot be written.
        DataError: The file cannot be read, or would lose something if it were written anew.

    Attributes:
        path: The caption file.
        tasks: Pairs that lack a caption.
        kept: Pairs that had both captions before.
        captioned: Pairs that got captions; set by `write`.
        problems: What is left out or empty, and why; a line each.
    """

    def __init__(self, found: DataSetPairs, path: Path) -> None:
        self.path = path
        self._name = found.folder.name
        self._pairs = {pair.name: pair for pair in found.pairs}
        self._entries = _read(path)
        self.problems = list(found.problems)
        self.tasks: list[PairTask] = []
        self.kept = self.captioned = 0
        for pair in found.pairs:
            entry = self._entries.get(pair.name, {})
            wrong = _unusable(entry)
            if wrong is not None:
                self.problems.append(
                    f"{self._name}/{pair.split}/{pair.name}: {wrong}; it is kept as it is, repair "
                    f"it in {path}"
                )
            elif missing := tuple(image for image in IMAGES if not _has(entry, image)):
                self.tasks.append(PairTask(self._name, pair, missing))
            else:
                self.kept += 1
        if self.tasks and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise ConfigError(
                f"captions cannot be written to {path}; expected a file in a folder that exists "
                "and can be written to: give another as --out"
            )

    def write(self, captions: Mapping[tuple[str, str], Mapping[str, str]], label: str) -> None:
        """Add the captions of this data set's pairs that are complete, and write the file.

        The file is read again before, so what somebody wrote into it meanwhile stays as well. A
        pair about which the model says nothing at all is a problem, and gets no entry.

        Args:
            captions: (data set, pair) -> image -> caption.
            label: Of the model, for `captioned_by`.

        Raises:
            DataError: What somebody wrote into the file meanwhile cannot be read.
            OSError: The file cannot be written.
        """
        before = _read(self.path)
        self._entries = dict(before)
        for _, pair, images in self.tasks:
            made = captions.get((self._name, pair.name), {})
            old = before.get(pair.name, {})
            if len(made) < len(images) or _unusable(old) is not None:
                continue
            new = {image: made[image] for image in images if not _has(old, image)}
            for image in (image for image, caption in new.items() if not caption):
                where = f"{self._name}/{pair.split}/{pair.name}"
                self.problems.append(f"{where}: the model says nothing about {image}")
            if any(new.values()):
                self.captioned += 1
                self._entries[pair.name] = _merged(old, pair.split, new, label)
        if self._entries != before:
            write_caption_file(self.path, self._entries)

    def has_captions(self) -> bool:
        """Whether any pair has a caption."""
        mine = (entry for entry in self._entries.values() if _unusable(entry) is None)
        return any(_has(entry, image) for entry in mine for image in IMAGES)

    def summary(self) -> str:
        """What the file holds now, and what was kept in it."""
        counts = [f"{self.captioned} pairs captioned"]
        if self.kept:
            counts.append(f"{self.kept} kept as they were")
        mine = [entry for entry in self._entries.values() if isinstance(entry, dict)]
        for key in ("entities", "unsure"):
            if count := sum(key in entry for entry in mine):
                counts.append(f"{key} of {count} kept")
        if others := len(self._entries.keys() - self._pairs.keys()):
            counts.append(f"{others} entries of other pairs kept")
        return f"{self._name}: {', '.join(counts)}: {self.path}"


def open_targets(found: Sequence[DataSetPairs], out: Path | None) -> list[CaptionTarget]:
    """Open the caption file of each data set: captions.json in its folder, or `out`.

    Raises:
        ConfigError: `out` is given for several data sets, or a file cannot be written.
        DataError: A file cannot be read, or would lose something if it were written anew.
    """
    if out is None:
        return [CaptionTarget(pairs, pairs.folder / CAPTION_FILE) for pairs in found]
    if len(found) > 1:
        names = ", ".join(pairs.folder.name for pairs in found)
        raise ConfigError(
            f"--out is one file, and these are {len(found)} data sets ({names}), whose pairs may "
            "have the same names; give one data set as --data, or leave --out away"
        )
    return [CaptionTarget(found[0], out)]


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    raw = read_raw_captions(path)
    if raw.lost:
        raise DataError(
            f"{path} would lose what cannot be read if captions were added: {raw.lost[0]} "
            f"({len(raw.lost)} such); repair the file, or give another as --out"
        )
    return raw.entries


def _unusable(entry: Any) -> str | None:
    """Why captions cannot be added to an entry."""
    if not isinstance(entry, dict):
        return f"its entry is {entry!r:.60}, expected an object"
    for image in IMAGES:
        if entry.get(image) is not None and not isinstance(entry[image], str):
            return f"its {image} caption is {entry[image]!r:.60}, expected a text"
    return None


def _has(entry: Mapping[str, Any], image: str) -> bool:
    return bool((entry.get(image) or "").strip())


def _merged(
    old: Mapping[str, Any], split: str, made: Mapping[str, str], label: str
) -> dict[str, Any]:
    """An entry with new captions; everything else of the old one stays."""
    entry = {"split": split, **old, **made}
    if any(_has(old, image) for image in IMAGES):  # the other caption is somebody else's
        before = old.get("captioned_by")
        note = f"{', '.join(image for image in made if made[image])}: {label}"
        if before != label:
            entry["captioned_by"] = f"{before}; {note}" if before else note
    else:
        entry["captioned_by"] = label
    return entry
