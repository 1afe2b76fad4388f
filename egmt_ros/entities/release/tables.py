"""Annotation files as Markdown tables: what is in them, and how far people agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from egmt_ros.entities.release.agreement import Agreement
from egmt_ros.entities.release.annotation_file import AnnotationFile, PairAnnotation

_FIRST_SPLITS = ("train", "val", "test")


def counts_tables(files: Sequence[AnnotationFile]) -> str:
    """Return two tables: of every split of every data set, and of every entity in them.

    An entity counts in a pair if either image shows it and it is not in doubt.
    """
    parts = [
        (file.dataset, split, [p for p in file.pairs.values() if p.split == split])
        for file in files
        for split in _splits(file)
    ]
    everything = [pair for _, _, pairs in parts for pair in pairs]
    lines = list(_table("data set", "split", "pairs", "captions", "entities a pair", "in doubt"))
    lines += [_row(dataset, split, *_figures(pairs)) for dataset, split, pairs in parts]
    lines += [_row("**all**", "", *_figures(everything)), ""]

    columns = [Counter(name for pair in pairs for name in pair.seen) for _, _, pairs in parts]
    doubts = Counter(name for pair in everything for name in pair.unsure)
    total = Counter(name for pair in everything for name in pair.seen)
    titles = [f"{dataset} {split}" for dataset, split, _ in parts]
    lines += _table("entity", *titles, "all", "in doubt")
    names = dict.fromkeys(name for file in files for name in file.vocabulary)
    for name in sorted(names, key=lambda name: (-total[name], name)):
        lines.append(_row(name, *(column[name] for column in columns), total[name], doubts[name]))
    return "\n".join(lines)


def agreement_table(rows: Iterable[tuple[str, str, Agreement]]) -> str:
    """Return one table; "with doubts" takes what was listed in doubt as present.

    Args:
        rows: Data set, what people labelled ("pair", "thermal" or "visible"), and counts.
    """
    lines = list(
        _table(
            "data set",
            "labelled",
            "entity",
            "precision",
            "recall",
            "both",
            "annotator alone",
            "people alone",
            "neither",
            "in doubt",
            "precision with doubts",
            "recall with doubts",
        )
    )
    for dataset, labelled, row in rows:
        sure, everything = row.sure, row.all
        shares = [
            "-" if value is None else f"{value:.3f}"
            for value in (sure.precision, sure.recall, everything.precision, everything.recall)
        ]
        doubted = sum(row.doubted)
        lines.append(_row(dataset, labelled, row.entity, *shares[:2], *sure, doubted, *shares[2:]))
    return "\n".join(lines)


def _splits(file: AnnotationFile) -> list[str]:
    found = {pair.split for pair in file.pairs.values()}
    return [s for s in _FIRST_SPLITS if s in found] + sorted(found - set(_FIRST_SPLITS))


def _figures(pairs: Sequence[PairAnnotation]) -> tuple[object, ...]:
    captions = sum(image.caption is not None for pair in pairs for _, image in pair.images)
    means = (
        f"{sum(map(len, names)) / max(len(pairs), 1):.1f}"
        for names in ([p.seen for p in pairs], [p.unsure for p in pairs])
    )
    return len(pairs), captions, *means


def _table(*titles: str) -> Iterator[str]:
    yield _row(*titles)
    yield _row(*("---" for _ in titles))


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
