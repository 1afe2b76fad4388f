"""Annotation files of a data set folder -> one target a pair and entity.

Precedence: inside a data set's `annotated_vocabulary` the labels that people made (labels.json)
win, also over what the captions call unsure; captions.json supplies the other entities. What
nobody annotated is unknown, never negative.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError

UNKNOWN = -1


class Caption(NamedTuple):
    """Entities that a captioner saw in each image of a pair, and those it was unsure of."""

    infrared: Sequence[str] = ()
    visible: Sequence[str] = ()
    unsure: Sequence[str] = ()


class Annotations:
    """Targets of the pairs of one data set.

    Args:
        folder: Data set folder with labels.json, labels_meta.json and captions.json (each
            optional; labels.json needs labels_meta.json).
        vocabulary: Entities to make targets for.

    labels_by_modality.json (optional) counts the boxes that people drew on each image alone.

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
        self._boxed = {
            name: _boxed(f"{folder}/labels_by_modality.json: {name}", found)
            for name, found in read_object(folder / "labels_by_modality.json").items()
        }
        partial = _mapping(where + "partial_labels", meta.get("partial_labels", {}))
        self._partial = {
            name: _names(f"{where}partial_labels.{name}", found) for name, found in partial.items()
        }

    def target(self, name: str) -> np.ndarray:
        """Return (E,) int8 for the pair `name`: 1 present, 0 absent, -1 unknown."""
        target = {entity: UNKNOWN for entity in self._vocabulary.names}
        if name in self._captions:
            caption = self._captions[name]
            seen = self._entities([*caption.infrared, *caption.visible])
            unsure = self._entities(caption.unsure)
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

    def target_in(self, name: str, modality: str) -> np.ndarray:
        """Return (E,) int8 for one image of the pair `name`: as `target`, of that image alone.

        Args:
            name: Pair.
            modality: "thermal" or "visible".
        """
        target = self.target(name)
        caption = self._captions.get(name, Caption())
        seen, others = self._entities(caption.infrared), self._entities(caption.visible)
        if modality == "visible":
            seen, others = others, seen
        boxed = self._boxed.get(name)
        for index, entity in enumerate(self._vocabulary.names):
            if target[index] != 1:
                continue
            if boxed is not None and entity in self._annotated:
                target[index] = int(entity in self._entities(boxed[modality]))
            elif entity not in seen:
                target[index] = 0 if entity in others else UNKNOWN
        return target

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


def _caption(where: str, found: Any) -> Caption:
    entities = _mapping(f"{where}: entities", _mapping(where, found).get("entities"))
    unknown = sorted(entities.keys() - {"infrared", "visible"})
    if unknown:
        raise DataError(f"{where}: entities has {unknown[0]!r}; expected infrared and visible")
    seen = {image: _names(f"{where}: entities.{image}", names) for image, names in entities.items()}
    return Caption(**seen, unsure=_names(f"{where}: unsure", found.get("unsure", [])))


def _boxed(where: str, found: Any) -> dict[str, list[str]]:
    """Modality -> classes of which at least one was boxed."""
    counts = _mapping(where, found)
    images = {"thermal": "infrared", "visible": "visible"}
    return {
        modality: [
            label
            for label, count in _mapping(f"{where}.{image}", counts.get(image, {})).items()
            if count
        ]
        for modality, image in images.items()
    }


def _mapping(where: str, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise DataError(f"{where} is {found!r:.60}; expected a JSON object; repair the file")
    return found


def _names(where: str, found: Any) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise DataError(f"{where} is {found!r:.60}; expected a list of names; repair the file")
    return found
