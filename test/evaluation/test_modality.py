"""Labels by what each image shows, and where the attention peaks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.labels.labelled_pairs import attention_peaks
from egmt_ros.evaluation.labels.modality import (
    bounding_boxes,
    entity_regions,
    read_box_counts,
    score_pointing,
    score_shown,
    shown_in,
)

# A busy machine must not fail a test.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = Vocabulary(("person", "bicycle", "car"), "none", aliases={"bike": "bicycle"})


def counts(thermal: int, visible: int, fused: int = 0) -> dict[str, dict[str, int]]:
    numbers = {"infrared": thermal, "visible": visible, "fusion": fused}
    return {image: {"person": n} if n else {} for image, n in numbers.items()}


def test_where_an_entity_was_boxed() -> None:
    assert shown_in(counts(2, 1), "person") == "both"
    assert shown_in(counts(2, 0), "person") == "thermal alone"
    assert shown_in(counts(0, 1, 3), "person") == "visible alone"
    assert shown_in(counts(0, 0), "person") == "neither"
    assert shown_in(counts(0, 0, 1), "person") is None
    assert shown_in(counts(2, 1), "car") == "neither"


def test_recall_and_specificity_by_hand() -> None:
    shown = ["thermal alone", "thermal alone", "thermal alone", "both", "neither", "neither", None]
    truth = np.array([1, 1, 0, 1, 0, 0, 1])
    scores = np.array([0.9, 0.2, 0.6, 0.7, 0.8, 0.1, 0.9])
    rows = {row.shown: row for row in score_shown("person", 0.6, truth, scores, shown)}
    alone = rows["thermal alone"]
    assert (alone.frames, alone.labelled, alone.reported) == (3, 2, 2)
    assert alone.rate.value == pytest.approx(2 / 3)
    assert alone.rate.low < 2 / 3 < alone.rate.high
    assert rows["neither"].rate.value == pytest.approx(1 / 2)  # specificity
    assert rows["visible alone"].rate.value is None
    # A frame without boxes whose label is present is not free of people.
    truth[4] = 1
    rows = {row.shown: row for row in score_shown("person", 0.6, truth, scores, shown)}
    assert rows["neither"].frames == 1 and rows["neither"].rate.value == 1.0


def test_box_counts_are_read_under_our_names(tmp_path: Path) -> None:
    assert read_box_counts(tmp_path, WORDS) == {}
    path = tmp_path / "labels_by_modality.json"
    path.write_text(json.dumps({"a": {"infrared": {"bike": 2, "tank": 1}, "fusion": {}}}))
    found = read_box_counts(tmp_path, WORDS)
    assert found == {"a": {"infrared": {"bicycle": 2}, "visible": {}, "fusion": {}}}
    for bad in ({"a": 3}, {"a": {"visible": ["person"]}}, {"a": {"visible": {"person": -1}}}):
        path.write_text(json.dumps(bad))
        with pytest.raises(DataError, match="labels_by_modality.json: a"):
            read_box_counts(tmp_path, WORDS)


def test_pointing_by_hand() -> None:
    mask = np.zeros((10, 20), np.uint8)
    mask[2:4, 5:10] = 1
    peaks = np.array([[5, 2], [10, 2], [9, 3], [0, 0]])  # x, y
    found = score_pointing(
        "person", "Street", "boxes", peaks, [mask, mask, None, np.zeros_like(mask)]
    )
    assert (found.frames, found.hits) == (2, 1) and found.rate.value == 0.5
    assert found.chance == pytest.approx(10 / 200)
    nothing = score_pointing("person", "Street", "boxes", peaks[:1], [None])
    assert nothing.rate.value is None and nothing.chance is None


@UNTIMED
@given(st.integers(0, 2), st.integers(0, 3), st.integers(65, 96), st.integers(97, 128))
def test_peaks_lie_in_their_cell_and_in_the_image(row, col, height, width) -> None:
    attention = np.full((2, 3, 4), 0.01)
    attention[1, row, col] = 0.5
    x, y = attention_peaks(attention, 32, width, height)[1]
    assert (x // 32, y // 32) == (col, row) and x < width and y < height


def test_boxes_around_parts() -> None:
    mask = np.zeros((8, 8), np.uint8)
    mask[1, 1] = mask[2, 2] = mask[3, 1] = 1  # touches by corners: one part
    mask[6, 5:7] = 1
    boxes = np.zeros_like(mask)
    boxes[1:4, 1:3] = 1
    boxes[6, 5:7] = 1
    assert (bounding_boxes(mask) == boxes).all()


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A data set of the name that has class masks: person, person drawn but not labelled, none."""
    folder = tmp_path / "MSRS"
    for kind in ("ir", "vi", "seg"):
        (folder / "val" / kind).mkdir(parents=True)
    for stem in ("a", "b", "c"):
        cv2.imwrite(str(folder / "val/ir" / f"{stem}.png"), np.zeros((40, 50), np.uint8))
        cv2.imwrite(str(folder / "val/vi" / f"{stem}.png"), np.zeros((40, 50, 3), np.uint8))
        mask = np.zeros((40, 50), np.uint8)
        mask[10:20, 5:9] = mask[10:12, 5:15] = 0 if stem == "c" else 2
        cv2.imwrite(str(folder / "val/seg" / f"{stem}.png"), mask)
    (folder / "labels.json").write_text(json.dumps({"a": ["person"], "b": [], "c": ["person"]}))
    (folder / "labels_meta.json").write_text(json.dumps({"annotated_vocabulary": ["person"]}))
    return folder


def test_regions_from_class_masks(street: Path) -> None:
    found = entity_regions(street, "val", "person", WORDS)
    assert set(found) == {"mask pixels", "boxes around mask parts"}
    assert set(found["mask pixels"]) == {"a"}  # labelled and drawn
    assert found["mask pixels"]["a"].sum() == 10 * 4 + 2 * 6
    assert found["boxes around mask parts"]["a"].sum() == 10 * 10


def test_regions_from_boxes(street: Path) -> None:
    folder = street.rename(street.parent / "Road")
    boxes = {"a": {"boxes": [["person", 5, 10, 15, 20]]}, "c": {"boxes": [["bike", 1, 1, 4, 4]]}}
    (folder / "boxes.json").write_text(json.dumps(boxes))
    found = entity_regions(folder, "val", "person", WORDS)
    assert set(found) == {"infrared boxes"} and set(found["infrared boxes"]) == {"a"}
    assert found["infrared boxes"]["a"][10:20, 5:15].all()
    assert found["infrared boxes"]["a"].sum() == 100
