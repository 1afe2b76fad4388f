"""What is known of the entities of a folder's pairs, for the truth in a bag."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from egmt_ros.entities.annotations import UNKNOWN, Annotations, read_object
from egmt_ros.entities.release.annotation_file import FILE_NAME
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.pair_folder import THERMAL_FOLDERS
from egmt_ros.evaluation.bags.truth_messages import TruthLabel, thermal_share
from egmt_ros.resources import released_annotations

_FILES = ("labels.json", FILE_NAME, "captions.json")


class FoundAnnotations(NamedTuple):
    """Annotations of pairs, and the files they come from."""

    annotations: Annotations
    files: tuple[Path, ...]


class PairTruth(NamedTuple):
    """What is known of one pair.

    Attributes:
        labels: What is present; if not all is known, what is known to be absent as well.
        whole: Every entity of the vocabulary is known.
    """

    labels: tuple[TruthLabel, ...]
    whole: bool


def pair_truth(annotations: Annotations, vocabulary: Vocabulary, stem: str) -> PairTruth:
    """What annotations say of a pair.

    Args:
        annotations: Made with the same vocabulary.
        vocabulary: Entities.
        stem: Name of the pair.
    """
    target = annotations.target(stem)
    warm, seen = (annotations.target_in(stem, side) for side in ("thermal", "visible"))
    whole = UNKNOWN not in target
    labels = []
    for index, name in enumerate(vocabulary.names):
        if target[index] == UNKNOWN or (whole and not target[index]):
            continue
        sides = (int(warm[index]), int(seen[index]))
        share = float("nan") if UNKNOWN in sides else thermal_share(*map(bool, sides))
        labels.append(TruthLabel(index, name, bool(target[index]), share))
    return PairTruth(tuple(labels), whole)


def find_annotations(
    folder: Path, stems: Collection[str], vocabulary: Vocabulary, given: Path | None = None
) -> FoundAnnotations:
    """The annotations of the pairs of a folder.

    Looked for as labels.json, annotations.json and captions.json in the folder and above it, as a
    data set has them beside its splits, then among the annotations that the project releases, by
    the name of the data set.

    Args:
        folder: Of the pairs, a split of a data set; or of its thermal images.
        stems: Names of the pairs, of which one at least must be known.
        vocabulary: Entities.
        given: A data set folder or a file, to look nowhere else; see Annotations.

    Raises:
        DataError: There are none, or a file cannot be used.
    """
    if given is not None:
        if not given.exists():
            raise DataError(f"annotations {given} do not exist; give a file or a data set folder")
        found = FoundAnnotations(Annotations(given, vocabulary), _files_of(given))
        if not found.annotations.pairs & set(stems):
            raise DataError(
                f"{given} knows none of the {len(stems)} pairs of {folder} (such as "
                f"{min(stems)!r}); give the annotations of this data set"
            )
        return found
    folder = folder.resolve()
    above = folder.parent.parent if folder.name in THERMAL_FOLDERS else folder.parent
    candidates = dict.fromkeys((folder, folder.parent, above))
    for candidate in candidates:
        files = _files_of(candidate)
        released = _released(candidate.name)
        if not files and released is None:
            continue
        if released is None or any(path.name != "labels.json" for path in files):
            found = FoundAnnotations(Annotations(candidate, vocabulary), files)
        else:  # people's labels, if any, win over the released file
            found = FoundAnnotations(
                Annotations(candidate, vocabulary, released), (*files, released)
            )
        if found.annotations.pairs & set(stems):
            return found
    raise DataError(
        f"no annotations of the pairs in {folder}: none of {', '.join(_FILES)} in "
        f"{', '.join(map(str, candidates))} knows them, nor does a released file of that data set; "
        "give their file"
    )


def _files_of(path: Path) -> tuple[Path, ...]:
    if path.is_file():
        return (path,)
    return tuple(path / name for name in _FILES if (path / name).is_file())


def _released(dataset: str) -> Path | None:
    folder = released_annotations()
    for path in sorted(folder.glob("*.json")) if folder else ():
        if str(read_object(path).get("dataset", "")).casefold() == dataset.casefold():
            return path
    return None
