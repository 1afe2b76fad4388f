"""Counts of annotation files, and their agreement with labels that people made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from egmt_ros.entities.release.agreement import (
    Agreement,
    Confusion,
    image_agreement,
    pair_agreement,
)
from egmt_ros.entities.release.annotation_file import (
    AnnotationFile,
    ImageAnnotation,
    PairAnnotation,
)
from egmt_ros.entities.release.tables import agreement_table, counts_tables

ALIASES = {"bike": "bicycle"}


def image(*names: str) -> ImageAnnotation:
    return ImageAnnotation("A street.", names, None)


def annotations(**pairs: PairAnnotation) -> AnnotationFile:
    return AnnotationFile("Street", "me", None, ("person", "bicycle", "tree"), pairs)


def pair(
    infrared: ImageAnnotation,
    visible: ImageAnnotation,
    unsure: tuple[str, ...] = (),
    split: str = "train",
) -> PairAnnotation:
    return PairAnnotation(split, infrared, visible, None, unsure)


def write(folder: Path, **files: Any) -> None:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def test_agreement_respects_partial_labels_and_keeps_doubts_apart(tmp_path: Path) -> None:
    file = annotations(
        a=pair(image("person"), image("bicycle")),
        b=pair(image("person"), image(), ("person",)),
        c=pair(image(), image(), ("bicycle",)),
        d=pair(image("person"), image()),
        unlabelled=pair(image("person"), image("tree")),
    )
    write(
        tmp_path,
        labels={"a": ["bike"], "b": ["person"], "c": ["bike"], "d": ["person"], "gone": ["bike"]},
        labels_meta={
            "annotated_vocabulary": ["person", "bike", "curve"],
            "partial_labels": {"d": ["person"]},
        },
    )
    person, bicycle = pair_agreement(file, tmp_path, ALIASES)
    assert person == Agreement("person", Confusion(1, 1, 0, 1), Confusion(1, 0, 0, 0))
    assert bicycle == Agreement("bicycle", Confusion(1, 0, 0, 1), Confusion(0, 0, 1, 0))
    assert (person.sure.precision, person.sure.recall) == (0.5, 1.0)
    assert person.all == Confusion(2, 1, 0, 1)
    assert bicycle.all.recall == 0.5
    row = agreement_table([("Street", "pair", person)]).splitlines()[-1]
    assert row == ("| Street | pair | person | 0.500 | 1.000 | 1 | 1 | 0 | 1 | 1 | 0.667 | 1.000 |")


def test_each_image_is_compared_with_its_own_boxes(tmp_path: Path) -> None:
    file = annotations(a=pair(image("person", "tree"), image("person")))
    boxes = {"a": {"infrared": {"person": 2}, "visible": {"bike": 1, "person": 0}}}
    write(tmp_path, labels_by_modality=boxes)
    found = image_agreement(file, tmp_path, ALIASES)
    counts = {(modality, row.entity): row.sure for modality, rows in found.items() for row in rows}
    assert counts == {
        ("thermal", "person"): Confusion(1, 0, 0, 0),
        ("thermal", "bicycle"): Confusion(0, 0, 0, 1),
        ("visible", "person"): Confusion(0, 1, 0, 0),
        ("visible", "bicycle"): Confusion(0, 0, 1, 0),
    }
    assert found["visible"][0].sure.precision == 0.0
    assert found["thermal"][1].sure.precision is None


def test_data_sets_without_labels_have_no_rows(tmp_path: Path) -> None:
    file = annotations(a=pair(image("person"), image()))
    assert pair_agreement(file, tmp_path, ALIASES) == []
    assert image_agreement(file, tmp_path, ALIASES) == {"thermal": [], "visible": []}


def test_counts() -> None:
    file = annotations(
        a=pair(image("person"), image("person", "tree"), ("tree",)),
        b=pair(image("person"), image("bicycle"), split="night"),
        c=pair(image(), ImageAnnotation(None, None, ("tree",)), split="val"),
    )
    assert counts_tables([file]).splitlines() == [
        "| data set | split | pairs | captions | entities a pair | in doubt |",
        "| --- | --- | --- | --- | --- | --- |",
        "| Street | train | 1 | 2 | 1.0 | 1.0 |",
        "| Street | val | 1 | 1 | 1.0 | 0.0 |",
        "| Street | night | 1 | 2 | 2.0 | 0.0 |",
        "| **all** |  | 3 | 5 | 1.3 | 0.3 |",
        "",
        "| entity | Street train | Street val | Street night | all | in doubt |",
        "| --- | --- | --- | --- | --- | --- |",
        "| person | 1 | 0 | 1 | 2 | 0 |",
        "| bicycle | 0 | 0 | 1 | 1 | 0 |",
        "| tree | 0 | 1 | 0 | 1 | 1 |",
    ]
