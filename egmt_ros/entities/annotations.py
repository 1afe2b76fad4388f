"""Annotation files of a data set folder -> one target a pair and entity.

Precedence: inside a data set's `annotated_vocabulary` the labels that people made (labels.json)
win, also over what others call unsure; then the annotation file (annotations.json, or one given by
configuration) speaks for every pair that it holds; captions.json supplies the entities of the
other pairs. What nobody annotated is unknown, never negative.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.entities.release.annotation_file import FILE_NAME, AnnotationFile
from egmt_ros.entities.release.checks import read_annotations
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError

UNKNOWN = -1


class Seen(NamedTuple):
    """Entities of the vocabulary that an annotator saw in each image of a pair.

    An entity that is neither seen nor unknown is absent.
    """

    infrared: frozenset[str] = frozenset()
    visible: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


class Annotations:
    """Targets of the pairs of one data set.

    Args:
        folder: Data set folder with labels.json, labels_meta.json, annotations.json and
            captions.json (each optional; labels.json needs labels_meta.json). Or one such file,
            of any name, that alone counts; beside one like labels.json, labels_meta.json and
            labels_by_modality.json are read as well.
        vocabulary: Entities to make targets for.
        file: Annotation file in place of the folder's annotations.json.

    labels_by_modality.json (optional) counts the boxes that people drew on each image alone.

    Raises:
        DataError: A file is not JSON or of another shape, the annotation file has errors or is
            missing although it was given, labels.json stands without labels_meta.json, or there
            are captions without entities and no annotation file that has them.

    Attributes:
        looked_for: The names that people looked for in every labelled image, as the file has them.
    """

    def __init__(self, folder: Path, vocabulary: Vocabulary, file: Path | None = None) -> None:
        self._vocabulary = vocabulary
        if folder.is_file():
            self._take_file(folder)
            return
        self._human = HumanLabels(folder, vocabulary)
        self.looked_for = self._human.looked_for
        path = file or folder / FILE_NAME
        annotated = file is not None or path.exists()
        self._seen = _captioned(folder / "captions.json", vocabulary, lists_needed=not annotated)
        if annotated:
            self._seen |= seen_by_annotator(read_annotations(path), vocabulary)
        self._boxed = read_boxed(folder)

    def _take_file(self, path: Path) -> None:
        content = read_object(path)
        released = "format" in content
        labels = not released and any(isinstance(found, list) for found in content.values())
        name = path.name if labels else None
        self._human = HumanLabels(path.parent, self._vocabulary, name)
        self.looked_for = self._human.looked_for
        self._boxed = read_boxed(path.parent) if labels else {}
        self._seen: dict[str, Seen] = {}
        if released:
            self._seen = seen_by_annotator(read_annotations(path), self._vocabulary)
        elif not labels:
            self._seen = _captioned(path, self._vocabulary, lists_needed=True)

    @property
    def pairs(self) -> frozenset[str]:
        """Names of the pairs about which anything is known."""
        return frozenset((*self._seen, *self._human.pairs))

    def target(self, name: str) -> np.ndarray:
        """Return (E,) int8 for the pair `name`: 1 present, 0 absent, -1 unknown."""
        target = np.full(len(self._vocabulary.names), UNKNOWN, np.int8)
        if name in self._seen:
            target = target_of(self._seen[name], self._vocabulary)
        looked_for = self._human.classes(name)
        labelled = self._human.target(name)
        for index, entity in enumerate(self._vocabulary.names):
            if entity in looked_for:
                target[index] = labelled[index]
        return target

    def target_in(self, name: str, modality: str) -> np.ndarray:
        """Return (E,) int8 for one image of the pair `name`: as `target`, of that image alone.

        Args:
            name: Pair.
            modality: "thermal" or "visible".
        """
        target = self.target(name)
        pair = self._seen.get(name, Seen())
        seen, others = pair.infrared, pair.visible
        if modality == "visible":
            seen, others = others, seen
        boxed = self._boxed.get(name)
        annotated = resolved(self.looked_for, self._vocabulary)
        for index, entity in enumerate(self._vocabulary.names):
            if target[index] != 1:
                continue
            if boxed is not None and entity in annotated:
                target[index] = int(entity in resolved(boxed[modality], self._vocabulary))
            elif entity not in seen:
                target[index] = 0 if entity in others else UNKNOWN
        return target


class HumanLabels:
    """Labels that people made: labels.json and labels_meta.json of a data set folder.

    Args:
        folder: Data set folder; without labels.json every pair is unlabelled.
        vocabulary: Entities to make targets for.
        name: Of the file that holds the labels; None: there is none.

    Raises:
        DataError: A file is not JSON or of another shape, or labels.json stands without
            labels_meta.json.

    Attributes:
        looked_for: The names that people looked for in every labelled image, as the file has them.
        pairs: Names of the labelled pairs, sorted.
    """

    def __init__(
        self, folder: Path, vocabulary: Vocabulary, name: str | None = "labels.json"
    ) -> None:
        self._vocabulary = vocabulary
        content = {} if name is None else read_object(folder / name)
        self._labels = {
            pair: _names(f"{folder}/{name}: {pair}", found) for pair, found in content.items()
        }
        self.pairs = tuple(sorted(self._labels))
        meta = {} if name is None else read_object(folder / "labels_meta.json")
        if self._labels and "annotated_vocabulary" not in meta:
            raise DataError(
                f"{folder}/{name} needs labels_meta.json with annotated_vocabulary beside "
                "it, or absent classes could not be told from unknown ones"
            )
        where = f"{folder}/labels_meta.json: "
        self.looked_for = tuple(
            _names(where + "annotated_vocabulary", meta.get("annotated_vocabulary", []))
        )
        partial = _mapping(where + "partial_labels", meta.get("partial_labels", {}))
        self._partial = {
            pair: _names(f"{where}partial_labels.{pair}", found) for pair, found in partial.items()
        }

    def classes(self, name: str) -> set[str]:
        """Entities of which people alone decide in the pair `name`; empty if it is unlabelled."""
        if name not in self._labels:
            return set()
        both = [*self.looked_for, *self._partial.get(name, [])]
        return resolved(both, self._vocabulary)

    def target(self, name: str) -> np.ndarray:
        """Return (E,) int8 for the pair `name`: 1 present, 0 absent, -1 unknown."""
        present: set[str] = set()
        looked_for: set[str] = set()
        if name in self._labels:
            present = resolved(self._labels[name], self._vocabulary)
            looked_for = resolved(self._partial.get(name, self.looked_for), self._vocabulary)
        return np.array(
            [
                int(entity in present) if entity in looked_for else UNKNOWN
                for entity in self._vocabulary.names
            ],
            np.int8,
        )


def seen_by_annotator(file: AnnotationFile, vocabulary: Vocabulary) -> dict[str, Seen]:
    """Return name of a pair -> what its annotations say.

    What the annotator of an image listed counts, or, where nobody did, what its caption names.
    Entities outside the file's vocabulary are unknown.
    """
    outside = frozenset(vocabulary.names) - resolved(file.vocabulary, vocabulary)
    seen = {}
    for name, pair in file.pairs.items():
        visible = pair.visible.seen if pair.visible else ()
        seen[name] = Seen(
            frozenset(resolved(pair.infrared.seen, vocabulary)),
            frozenset(resolved(visible, vocabulary)),
            outside | resolved(pair.unsure, vocabulary),
        )
    return seen


def target_of(seen: Seen, vocabulary: Vocabulary) -> np.ndarray:
    """Return (E,) int8 of the pair: 1 present in an image, 0 absent, -1 unknown."""
    present = seen.infrared | seen.visible
    return np.array(
        [UNKNOWN if e in seen.unknown else int(e in present) for e in vocabulary.names], np.int8
    )


def resolved(names: Iterable[str], vocabulary: Vocabulary) -> set[str]:
    """The entities of the vocabulary that annotations mean by `names`."""
    return {e for e in map(vocabulary.resolve, names) if e is not None}


def read_boxed(folder: Path) -> dict[str, dict[str, list[str]]]:
    """Read labels_by_modality.json of a data set folder; empty if there is none.

    Returns:
        Name of a pair -> "thermal" and "visible" -> classes of which people drew at least one box
        on that image alone.

    Raises:
        DataError: The file is not JSON or of another shape.
    """
    path = folder / "labels_by_modality.json"
    return {name: _boxed(f"{path}: {name}", found) for name, found in read_object(path).items()}


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


def _captioned(path: Path, vocabulary: Vocabulary, lists_needed: bool) -> dict[str, Seen]:
    """What the captioner listed for each pair of captions.json.

    Args:
        path: captions.json; may be missing.
        vocabulary: Entities.
        lists_needed: Captions without lists of entities are an error, else they are left out.
    """
    seen = {}
    for name, found in read_object(path).items():
        where = f"{path}: {name}"
        if "entities" in _mapping(where, found):
            seen[name] = _listed(where, found, vocabulary)
        elif lists_needed:
            raise DataError(
                f"{where} has a caption but no entities; extract them with `egmt annotate "
                f"release`, which writes {path.with_name(FILE_NAME)}"
            )
    return seen


def _listed(where: str, found: dict[str, Any], vocabulary: Vocabulary) -> Seen:
    entities = _mapping(f"{where}: entities", found["entities"])
    unknown = sorted(entities.keys() - {"infrared", "visible"})
    if unknown:
        raise DataError(f"{where}: entities has {unknown[0]!r}; expected infrared and visible")
    lists = {f"entities.{image}": names for image, names in entities.items()}
    lists["unsure"] = found.get("unsure", [])
    names = {
        key: frozenset(resolved(_names(f"{where}: {key}", value), vocabulary))
        for key, value in lists.items()
    }
    none: frozenset[str] = frozenset()
    return Seen(
        names.get("entities.infrared", none), names.get("entities.visible", none), names["unsure"]
    )


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
