"""Ground truth of a topic of a bag, or of an annotation file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import ENTITIES
from egmt_ros.evaluation.bags.pair_truth import pair_truth
from egmt_ros.evaluation.bags.truth_messages import PARTIAL
from egmt_ros.evaluation.replay.truth import UNKNOWN, Truth
from egmt_ros.resources import config_path

STAMP_DIGITS = 10
"""A key of so many digits or more is a stamp in ns, of fewer the number of a frame."""

_SECOND = 1_000_000_000


def truth_vocabulary(entities: Sequence[str]) -> Vocabulary:
    """The entities of a replay, with the other names that config/vocabulary.yaml has for them."""
    known = load_vocabulary(config_path("vocabulary.yaml"))
    aliases = {
        alias: name
        for alias, name in (known.aliases or {}).items()
        if name in entities and alias not in entities
    }
    return Vocabulary(tuple(entities), known.text_encoder, known.template, aliases)


def truth_from_bag(path: Path, topic: str, vocabulary: Vocabulary) -> Truth:
    """Read the ground truth of a topic of type EntityLabelArray; its stamps are the headers'.

    What an array does not list is absent, or, with the model_id PARTIAL, unknown. Of two arrays
    with one stamp the later one counts where it knows.

    Raises:
        BagError: The bag cannot be read, or the topic is missing or of another type. Of a bag
            that is damaged further on, what comes before is returned, and noted.
    """
    noting = _Noting.of(vocabulary)
    rows: dict[int, np.ndarray] = {}
    broken = ()
    with BagSource(path) as bag:
        bag.topic(topic, ENTITIES)
        try:
            for record in bag.messages([topic]):
                message = bag.deserialize(record.data, ENTITIES)
                stamp = message.header.stamp.sec * _SECOND + message.header.stamp.nanosec
                new, old = _array_row(message, noting), rows.get(stamp)
                rows[stamp] = new if old is None else np.where(new[0] == UNKNOWN, old, new)
        except BagError as error:
            if not rows:
                raise
            broken = (f"The ground truth ends at stamp {max(rows)}: {error}",)
    notes = (*noting.notes(), *broken)
    return _truth(f"topic {topic}", vocabulary.names, rows, False, notes)


def truth_from_file(path: Path, vocabulary: Vocabulary) -> Truth:
    """Read an annotation file (docs/ANNOTATING.md): labels.json, captions.json, annotations.json.

    A pair is named by the stamp of its fused frame in ns, as `egmt bag export` names files, by the
    stamp in seconds with decimals, or by the number of the fused frame, from 0.

    Raises:
        DataError: The file is missing or damaged, or no name in it is a time or a number.
    """
    if not path.is_file():
        raise DataError(f"there is no annotation file {path}; give a JSON file")
    noting = _Noting.of(vocabulary)
    annotations = Annotations(path, noting)
    stamps: dict[int, str] = {}
    numbers: dict[int, str] = {}
    others = []
    for name in sorted(annotations.pairs):
        key = _key(name)
        if key is None:
            others.append(name)
            continue
        value, is_number = key
        table = numbers if is_number else stamps
        if value in table:
            raise DataError(
                f"{path}: {table[value]!r} and {name!r} are the same frame; keep one of them"
            )
        table[value] = name
    if not stamps and not numbers:
        found = f"{others[0]!r}" if others else "no pair at all"
        raise DataError(
            f"{path} names {found}; expected pairs named by stamp in ns, stamp in seconds with"
            " decimals, or number of the fused frame, from 0"
        )
    if stamps and numbers:
        raise DataError(
            f"{path} names {next(iter(stamps.values()))!r}, a stamp, and"
            f" {next(iter(numbers.values()))!r}, a frame number; use one of the two kinds"
        )
    rows = {k: _annotated_row(annotations, noting, name) for k, name in (stamps or numbers).items()}
    notes = noting.notes()
    if others:
        notes = (*notes, f"{path.name}: left out, as no time or number: {_listed(others)}.")
    return _truth(str(path), vocabulary.names, rows, bool(numbers), notes)


@dataclass(frozen=True)
class _Noting(Vocabulary):
    """A vocabulary that remembers the names it did not know."""

    unknown: set[str] = field(default_factory=set, compare=False)

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> _Noting:
        return cls(
            vocabulary.names, vocabulary.text_encoder, vocabulary.template, vocabulary.aliases
        )

    def resolve(self, name: str) -> str | None:
        found = super().resolve(name)
        if found is None:
            self.unknown.add(name)
        return found

    def notes(self) -> tuple[str, ...]:
        if not self.unknown:
            return ()
        return (
            f"The ground truth names what the vocabulary lacks: {_listed(sorted(self.unknown))};"
            " it was left out.",
        )


def _listed(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _key(name: str) -> tuple[int, bool] | None:
    """Stamp in ns or number, and whether it is a number; None for another name."""
    if re.fullmatch(r"[0-9]{1,19}", name):
        value = int(name)
        return (value, len(name) < STAMP_DIGITS) if value < 2**63 else None
    if re.fullmatch(r"[0-9]{1,10}\.[0-9]+", name):
        value = int((Decimal(name) * _SECOND).to_integral_value())
        return (value, False) if value < 2**63 else None
    return None


def _array_row(message: Any, vocabulary: Vocabulary) -> np.ndarray:
    """(2, E): state and thermal share of each entity."""
    row = np.full((2, len(vocabulary.names)), np.nan)
    row[0] = UNKNOWN if message.model_id == PARTIAL else 0
    seen: dict[str, list[float]] = {}
    for label in message.labels:
        name = vocabulary.resolve(label.name)
        if name is None:
            continue
        index = vocabulary.names.index(name)
        if label.present:
            row[0, index] = 1
            seen.setdefault(name, []).append(float(label.thermal_share))
        else:
            row[0, index] = max(row[0, index], 0)
    for name, shares in seen.items():
        row[1, vocabulary.names.index(name)] = _common(shares)
    return row


def _common(shares: Iterable[float]) -> float:
    """Of several names of one entity: what one camera or the other shows, both show."""
    different = set(shares)
    if len(different) == 1:
        return different.pop()
    return 0.5 if np.isfinite(list(different)).all() else np.nan


def _annotated_row(annotations: Annotations, vocabulary: Vocabulary, name: str) -> np.ndarray:
    """(2, E): state and thermal share of each entity."""
    state = annotations.target(name).astype(float)
    share = np.full(len(state), np.nan)
    for label in pair_truth(annotations, vocabulary, name).labels:
        share[label.index] = label.thermal_share
    return np.stack([state, share])


def _truth(
    source: str,
    names: Sequence[str],
    rows: dict[int, np.ndarray],
    by_number: bool,
    notes: tuple[str, ...],
) -> Truth:
    """Sorted by key, with the entities of which anything is known."""
    keys = sorted(rows)
    table = np.array([rows[key] for key in keys]).reshape(len(keys), 2, len(names))
    spoken = np.flatnonzero((table[:, 0] != UNKNOWN).any(0))
    return Truth(
        source=source,
        entities=tuple(names[i] for i in spoken),
        keys=np.array(keys, np.int64),
        by_number=by_number,
        present=table[:, 0, spoken].astype(np.int8),
        shares=table[:, 1, spoken],
        notes=notes,
    )
