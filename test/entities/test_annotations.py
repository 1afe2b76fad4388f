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

ROOT = Path(__file__).parents[2]
RELEASED = {"msrs": "MSRS", "roadscene": "RoadScene", "tno": "TNO", "vifb": "VIFB"}
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
        ("captions", {"a": {}}, "captions.json: a has a caption but no entities"),
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


def annotation_file(vocabulary: list[str], **pairs: Any) -> dict[str, Any]:
    return {
        "format": "egmt-annotations",
        "version": 1,
        "dataset": "Street",
        "annotated_by": "me",
        "extractor": {"name": "rules", "version": "1"},
        "vocabulary": vocabulary,
        "pairs": {name: {"split": "train", **pair} for name, pair in pairs.items()},
    }


def listed(infrared: list[str], visible: list[str], unsure: list[str]) -> dict[str, Any]:
    return {
        "infrared": {"entities": infrared},
        "visible": {"entities": visible},
        "unsure": unsure,
    }


def test_one_annotation_file_is_enough(tmp_path: Path) -> None:
    pairs = {"a": listed(["person"], ["tree"], ["bicycle"]), "b": listed([], [], [])}
    found = write(tmp_path, annotations=annotation_file(["person", "tree", "bicycle"], **pairs))
    # Nobody looked for sky.
    assert found.target("a").tolist() == [1, -1, 1, -1]
    assert found.target("b").tolist() == [0, 0, 0, -1]
    assert found.target("c").tolist() == [-1, -1, -1, -1]
    assert found.target_in("a", "thermal").tolist() == [1, -1, 0, -1]
    assert found.target_in("a", "visible").tolist() == [0, -1, 1, -1]


def test_without_a_list_what_the_caption_names_counts(tmp_path: Path) -> None:
    pair = {
        "infrared": {"entities": ["person"], "extracted": ["tree"]},
        "visible": {"extracted": ["sky"]},
    }
    names = ["person", "bike", "tree", "sky"]
    found = write(tmp_path, annotations=annotation_file(names, a=pair))
    assert found.target("a").tolist() == [1, 0, 0, 1]


def test_people_win_over_the_file_and_the_file_over_captions(tmp_path: Path) -> None:
    pair = listed(["person"], ["bike"], ["tree"])
    found = write(
        tmp_path,
        annotations=annotation_file(["person", "bike", "tree"], a=pair),
        captions={
            "a": caption(["sky", "tree"], [], []),
            "b": caption(["sky"], [], []),
            "no list": {"infrared": "A road.", "visible": "A road."},
        },
        labels={"a": ["tree"], "b": []},
        labels_meta={"annotated_vocabulary": ["tree", "person"]},
    )
    assert found.target("a").tolist() == [0, 1, 1, -1]
    assert found.target("b").tolist() == [0, 0, 0, 1]
    assert found.target("no list").tolist() == [-1, -1, -1, -1]


def test_a_given_file_takes_the_place_of_the_folder_s(tmp_path: Path) -> None:
    write(tmp_path, annotations=annotation_file(["person"], a=listed([], [], [])))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(annotation_file(["person"], a=listed(["person"], [], []))))
    assert Annotations(tmp_path, VOCABULARY).target("a").tolist() == [0, -1, -1, -1]
    assert Annotations(tmp_path, VOCABULARY, other).target("a").tolist() == [1, -1, -1, -1]
    with pytest.raises(DataError, match="missing.json does not exist"):
        Annotations(tmp_path, VOCABULARY, tmp_path / "missing.json")


def test_a_file_with_errors_is_not_trained_on(tmp_path: Path) -> None:
    content = annotation_file(["person"], a=listed(["person"], ["car"], []), b={})
    with pytest.raises(
        DataError, match=r"annotations.json: error: pair 'b': infrared is missing.*\(2 errors"
    ):
        write(tmp_path, annotations=content)


def test_captions_without_entities_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="egmt annotate release"):
        write(tmp_path, captions={"a": {"infrared": "A road.", "visible": "A road."}})


@pytest.mark.parametrize(("file", "dataset"), RELEASED.items())
def test_the_released_files_mean_what_the_captions_of_the_data_mean(
    file: str, dataset: str
) -> None:
    folder = ROOT.parent / "shared" / "data" / dataset
    if not (folder / "captions.json").exists():
        pytest.skip("../shared is not here")
    vocabulary = load_vocabulary(config_path("vocabulary.yaml"))
    ours = Annotations(folder, vocabulary, ROOT / "annotations" / f"{file}.json")
    theirs = Annotations(folder, vocabulary)
    names = json.loads((folder / "captions.json").read_text())
    for name in names:
        assert (ours.target(name) == theirs.target(name)).all()
        for modality in ("thermal", "visible"):
            assert (ours.target_in(name, modality) == theirs.target_in(name, modality)).all()


def test_one_file_of_any_name_can_count_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        seen={"a": caption(["person"], ["tree"], ["sky"])},
        drawn={"a": ["bike"], "b": []},
        labels={"a": ["sky"]},
        labels_meta={"annotated_vocabulary": ["person", "bike"]},
        labels_by_modality={"a": {"infrared": {"bike": 2}, "visible": {}}},
    )
    seen = Annotations(tmp_path / "seen.json", VOCABULARY)
    assert seen.target("a").tolist() == [1, 0, 1, -1] and seen.pairs == {"a"}
    assert seen.target_in("a", "thermal").tolist() == [1, 0, 0, -1]
    drawn = Annotations(tmp_path / "drawn.json", VOCABULARY)
    assert drawn.target("a").tolist() == [0, 1, -1, -1] and drawn.pairs == {"a", "b"}
    assert drawn.target_in("a", "visible").tolist() == [0, 0, -1, -1]
    released = Annotations(ROOT / "annotations" / "tno.json", VOCABULARY)
    assert len(released.pairs) == 22 and released.looked_for == ()
    (tmp_path / "mixed.json").write_text('{"a": ["bike"], "b": 3}')
    with pytest.raises(DataError, match="mixed.json: b is 3.*list of names"):
        Annotations(tmp_path / "mixed.json", VOCABULARY)
