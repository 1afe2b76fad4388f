"""Which label wins, and what stays unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.resources import config_path

VOCABULARY = Vocabulary(
    ("person", "bicycle", "tree", "sky"), "encoder", aliases={"bike": "bicycle"}
)


def write(folder: Path, **files: Any) -> Annotations:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return Annotations(folder, VOCABULARY)


def caption(infrared: list[str], visible: list[str], unsure: list[str]) -> dict[str, Any]:
    return {"entities": {"infrared": infrared, "visible": visible}, "unsure": unsure}


def test_captions_join_both_images_and_mask_the_unsure(tmp_path: Path) -> None:
    found = write(tmp_path, captions={"a": caption(["person"], ["tree"], ["tree", "sky"])})
    assert found.target("a").tolist() == [1, 0, -1, -1]


def test_people_win_inside_their_vocabulary_even_over_unsure(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        captions={"a": caption(["person"], ["tree"], ["bicycle"])},
        labels={"a": ["bike", "unheard of"]},
        labels_meta={"annotated_vocabulary": ["person", "bike", "unheard of"]},
    )
    assert found.target("a").tolist() == [0, 1, 1, 0]


def test_a_pair_without_labels_is_unknown_and_an_empty_list_is_not(tmp_path: Path) -> None:
    found = write(tmp_path, labels={"empty": []}, labels_meta={"annotated_vocabulary": ["person"]})
    assert found.target("empty").tolist() == [0, -1, -1, -1]
    assert found.target("missing").tolist() == [-1, -1, -1, -1]


def test_partly_labelled_pairs_know_only_the_classes_that_were_looked_for(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        captions={"a": caption([], ["tree"], [])},
        labels={"a": ["person"]},
        labels_meta={
            "annotated_vocabulary": ["person", "bike", "tree"],
            "partial_labels": {"a": ["person", "bike"]},
        },
    )
    assert found.target("a").tolist() == [1, 0, -1, 0]


def test_labels_without_their_vocabulary_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="annotated_vocabulary"):
        write(tmp_path, labels={"a": []})


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "captions.json").write_text("{")
    with pytest.raises(DataError, match="captions.json is not valid JSON"):
        Annotations(tmp_path, VOCABULARY)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("labels", [], "labels.json is .*JSON object"),
        ("labels", {"a": "person"}, "labels.json: a is 'person'; expected a list"),
        ("labels_meta", {"annotated_vocabulary": 3}, "labels_meta.json: annotated_vocabulary is 3"),
        ("labels_meta", {"partial_labels": []}, "labels_meta.json: partial_labels is"),
        ("labels_meta", {"partial_labels": {"a": [1]}}, "partial_labels.a is .*list of names"),
        ("captions", {"a": []}, "captions.json: a is .*JSON object"),
        ("captions", {"a": {}}, "captions.json: a: entities is None"),
        ("captions", {"a": {"entities": ["car"]}}, "captions.json: a: entities is"),
        ("captions", {"a": {"entities": {"visible": None}}}, "entities.visible is None"),
        ("captions", {"a": {"entities": {}, "unsure": "x"}}, "captions.json: a: unsure is 'x'"),
    ],
)
def test_a_file_of_another_shape_is_named_with_the_key(
    tmp_path: Path, name: str, content: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        write(tmp_path, **{"labels_meta": {"annotated_vocabulary": []}} | {name: content})


def test_an_entity_wins_over_an_alias() -> None:
    vocabulary = Vocabulary(("bike", "bicycle"), "encoder", aliases={"bike": "bicycle"})
    assert vocabulary.resolve("bike") == "bike"


def test_the_default_vocabulary() -> None:
    vocabulary = load_vocabulary(config_path("vocabulary.yaml"))
    assert len(vocabulary.names) >= 20
    assert {"person", "car", "traffic light"} <= set(vocabulary.names)
    assert vocabulary.resolve("bike") == "bicycle"
    assert vocabulary.resolve("curve") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "cannot be read"),
        ("text_encoder: a\nentities: []", "names no entity"),
        ("text_encoder: a\nentities: [{name: a}, {name: a}]", "'a' twice"),
        ("entities: [{name: a}]", "text_encoder"),
        ("text_encoder: a\nentities: [{name: 3}]", "name is 3, expected a text"),
        ("text_encoder: a\nentities: [{name: a, annotated_as: b}]", "annotated_as of 'a' is 'b'"),
        ("text_encoder: a\nentities: [{name: a}, {name: b, annotated_as: [a]}]", "means 'a'"),
        (
            "text_encoder: a\nentities: [{name: a, annotated_as: [x]}, "
            "{name: b, annotated_as: [x]}]",
            "annotated_as of 'b' holds 'x', which means 'a' already",
        ),
        ("text_encoder: a\ntemplate: a photo\nentities: [{name: a}]", "template is 'a photo'"),
        ("text_encoder: a\ntemplate: '{} {}'\nentities: [{name: a}]", "template is '{} {}'"),
        ("text_encoder: a\ntemplate: '{} {x}'\nentities: [{name: a}]", "template is '{} {x}'"),
    ],
)
def test_a_wrong_vocabulary_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "vocabulary.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_vocabulary(path)


def test_the_hash_follows_order_encoder_and_template() -> None:
    hashes = {
        Vocabulary(names, encoder, template).hash
        for names in (("a", "b"), ("b", "a"))
        for encoder in ("x", "y")
        for template in ("{}", "a {}")
    }
    assert len(hashes) == 8


def test_one_image_alone_shows_what_its_caption_or_its_boxes_say(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        captions={
            "a": caption(["person", "tree"], ["tree", "bicycle"], ["sky"]),
            "boxed": caption(["person"], ["person"], []),
        },
        labels={"boxed": ["person", "bike"]},
        labels_meta={"annotated_vocabulary": ["person", "bike"]},
        labels_by_modality={
            "boxed": {"infrared": {"person": 2}, "visible": {"person": 0, "bike": 1}}
        },
    )
    assert found.target("a").tolist() == [1, 1, 1, -1]
    assert found.target_in("a", "thermal").tolist() == [1, 0, 1, -1]
    assert found.target_in("a", "visible").tolist() == [0, 1, 1, -1]
    # What people boxed wins over the caption.
    assert found.target_in("boxed", "thermal").tolist() == [1, 0, 0, 0]
    assert found.target_in("boxed", "visible").tolist() == [0, 1, 0, 0]


def test_what_is_present_by_label_alone_is_unknown_in_each_image(tmp_path: Path) -> None:
    found = write(
        tmp_path, labels={"a": ["person"]}, labels_meta={"annotated_vocabulary": ["person", "bike"]}
    )
    for modality in ("thermal", "visible"):
        assert found.target_in("a", modality).tolist() == [-1, 0, -1, -1]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"captions": {"a": {"entities": {"depth": ["tree"]}, "unsure": []}}}, "'depth'"),
        ({"labels_by_modality": {"a": {"infrared": ["person"]}}}, "JSON object"),
    ],
)
def test_files_of_another_shape_are_named(
    tmp_path: Path, files: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        write(tmp_path, **files)
