"""Annotation files of a data set folder -> one target a pair and entity.

Precedence: inside a data set's `annotated_vocabulary` the labels that people made (labels.json)
win, also over what the captions call unsure; captions.json supplies the other entities. What
nobody annotated is unknown, never negative.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError

UNKNOWN = -1


class Annotations:
    """Targets of the pairs of one data set.

    Args:
        folder: Data set folder with labels.json, labels_meta.json and captions.json (each
            optional; labels.json needs labels_meta.json).
        vocabulary: Entities to make targets for.

    Raises:
        DataError: A file is not JSON or of another shape, or labels.json stands without
            labels_meta.json.

    Attributes:
        looked_for: The names that people looked for in every labelled image, as the file has them.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._labels = {
            name: _names(f"{folder}/labels.json: {name}", found)
            for name, found in read_object(folder / "labels.json").items()
        }
        self._captions = {
            name: _caption(f"{folder}/captions.json: {name}", found)
            for name, found in read_object(folder / "captions.json").items()
        }
        meta = read_object(folder / "labels_meta.json")
        if self._labels and "annotated_vocabulary" not in meta:
            raise DataError(
                f"{folder}/labels.json needs labels_meta.json with annotated_vocabulary beside "
                "it, or absent classes could not be told from unknown ones"
            )
        where = f"{folder}/labels_meta.json: "
        self.looked_for = tuple(
            _names(where + "annotated_vocabulary", meta.get("annotated_vocabulary", []))
        )
        self._annotated = self._entities(self.looked_for)
        partial = _mapping(where + "partial_labels", meta.get("partial_labels", {}))
        self._partial = {
            name: _names(f"{where}partial_labels.{name}", found) for name, found in partial.items()
        }

    def target(self, name: str) -> np.ndarray:
        """Return (E,) int8 for the pair `name`: 1 present, 0 absent, -1 unknown."""
        target = {entity: UNKNOWN for entity in self._vocabulary.names}
        if name in self._captions:
            seen, unsure = (self._entities(names) for names in self._captions[name])
            for entity in target:
                target[entity] = UNKNOWN if entity in unsure else int(entity in seen)
        if name in self._labels:
            present = self._entities(self._labels[name])
            looked_for = self._annotated
            if name in self._partial:
                looked_for = self._entities(self._partial[name])
                target.update(dict.fromkeys(self._annotated - looked_for, UNKNOWN))
            target.update({entity: int(entity in present) for entity in looked_for})
        return np.array([target[entity] for entity in self._vocabulary.names], np.int8)

    def _entities(self, names: Iterable[str]) -> set[str]:
        return {e for e in map(self._vocabulary.resolve, names) if e is not None}


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty if there is no such file.

    Raises:
        DataError: It cannot be read, or is not a JSON object.
    """
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); expected a JSON file") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not valid JSON ({error}); repair or remove it") from error
    return _mapping(str(path), found)


def _caption(where: str, found: Any) -> tuple[list[str], list[str]]:
    """The entities of both images, and the unsure ones."""
    entities = _mapping(f"{where}: entities", _mapping(where, found).get("entities"))
    seen = [_names(f"{where}: entities.{image}", names) for image, names in entities.items()]
    return sum(seen, []), _names(f"{where}: unsure", found.get("unsure", []))


def _mapping(where: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise DataError(f"{where} is {found!r:.60}; expected a JSON object; repair the file")
    return found


def _names(where: str, found: Any) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise DataError(f"{where} is {found!r:.60}; expected a list of names; repair the file")
    return found
