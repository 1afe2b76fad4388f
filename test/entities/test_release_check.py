"""What `egmt annotate check` finds in annotation files."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.entities.release import check_command, parsing, problems
from egmt_ros.entities.release.annotation_file import (
    AnnotationFile,
    Extractor,
    ImageAnnotation,
    PairAnnotation,
    write_annotations,
)
from egmt_ros.entities.release.checks import check_file, read_annotations
from egmt_ros.entities.release.parsing import parse_annotations
from egmt_ros.errors import DataError

SCHEMA = Path(parsing.__file__).with_name("annotations.schema.json")

GOOD: dict[str, Any] = {
    "format": "egmt-annotations",
    "version": 1,
    "dataset": "Street",
    "annotated_by": "two people",
    "extractor": {"name": "rules", "version": "3"},
    "vocabulary": ["person", "car", "tree", "sky", "dog"],
    "pairs": {
        "a": {
            "split": "train",
            "infrared": {
                "caption": "A man beside a car.",
                "entities": ["person", "car"],
                "extracted": ["person", "car"],
            },
            "visible": {"caption": "A car under a tree.", "extracted": ["car", "tree"]},
            "entities": ["person", "car", "tree"],
            "unsure": ["dog"],
        },
        "b": {
            "split": "val",
            "infrared": {"entities": []},
            "visible": {"entities": ["tree"]},
        },
    },
}


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    content = deepcopy(GOOD)
    change(content)
    return content


def kinds_in(path: Path) -> Counter[tuple[str, str | None]]:
    return Counter((problem.kind, problem.pair) for problem in check_file(path).problems)


def check(*arguments: str | Path) -> int:
    """`egmt annotate check`."""
    parser = argparse.ArgumentParser()
    check_command.add_arguments(parser)
    return check_command.run(parser.parse_args([str(argument) for argument in arguments]))


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two pairs, as GOOD has them, in a data set folder with its annotation file."""
    folder = tmp_path / "data" / "Street"
    for split, name in (("train", "a"), ("val", "b")):
        for side in ("ir", "vi"):
            (folder / split / side).mkdir(parents=True)
            (folder / split / side / f"{name}.png").touch()
    write(folder / "annotations.json", GOOD)
    return folder.parent


def test_a_good_file_has_no_problems(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(data / "Street" / "annotations.json") == 0
    assert check(data) == 0
    out = capsys.readouterr().out
    assert out.count("Street, 2 pairs: 0 errors, 0 warnings") == 2


def at(*keys: str) -> Callable[[Any], Callable[[dict[str, Any]], None]]:
    def setter(value: Any) -> Callable[[dict[str, Any]], None]:
        def change(content: dict[str, Any]) -> None:
            for key in keys[:-1]:
                content = content[key]
            if value is None:
                del content[keys[-1]]
            else:
                content[keys[-1]] = value

        return change

    return setter


PAIR = ("pairs", "a")
IR = (*PAIR, "infrared")


@pytest.mark.parametrize(
    ("change", "kind", "pair", "words"),
    [
        (at("version")(2), problems.FORMAT, None, "version is 2; expected 1"),
        (at("version")(True), problems.FORMAT, None, "version is True"),
        (at("format")("coco"), problems.FORMAT, None, "'coco'; expected 'egmt-annotations'"),
        (at("format")(None), problems.FORMAT, None, "format is None"),
        (at("dataset")(None), problems.SHAPE, None, "dataset is missing"),
        (at("dataset")(" "), problems.SHAPE, None, "dataset is ' '; expected a text"),
        (at("licence")("x"), problems.SHAPE, None, "'licence' is unknown; expected of format"),
        (at("extractor")({"name": "x"}), problems.SHAPE, None, "extractor.version is missing"),
        (at("extractor")([]), problems.SHAPE, None, r"extractor is \[\]; expected a JSON object"),
        (at("vocabulary")([]), problems.SHAPE, None, "vocabulary is empty"),
        (at("vocabulary")("car"), problems.SHAPE, None, "vocabulary is 'car'; expected a list"),
        (at("pairs")({}), problems.SHAPE, None, "pairs is empty"),
        (at("pairs")([]), problems.SHAPE, None, r"pairs is \[\]"),
        (at("pairs", " ")(GOOD["pairs"]["b"]), problems.SHAPE, " ", "its name is empty"),
        (at(*PAIR)([]), problems.SHAPE, "a", r"it is \[\]; expected a JSON object"),
        (at(*PAIR, "split")(None), problems.SHAPE, "a", "split is missing"),
        (at(*PAIR, "infrared")(None), problems.SHAPE, "a", "infrared is missing"),
        (at(*PAIR, "entites")([]), problems.SHAPE, "a", "'entites' is unknown; expected of split"),
        (at(*IR)({"caption": "A car."}), problems.SHAPE, "a", "neither entities nor extracted"),
        (at(*IR, "entities")("car"), problems.SHAPE, "a", "infrared.entities is 'car'"),
        (at(*IR, "entities")([3]), problems.SHAPE, "a", "infrared.entities holds 3"),
        (at(*IR, "entities")([""]), problems.SHAPE, "a", "infrared.entities holds ''"),
        (at(*IR, "caption")(7), problems.SHAPE, "a", "infrared.caption is 7; expected a text"),
        (at(*IR, "caption")(""), problems.CAPTION, "a", "infrared.caption is ''"),
        (at(*IR, "caption")("\n"), problems.CAPTION, "a", "infrared.caption is '\\\\n'"),
        (
            at(*IR, "entities")(["car", "person", "car"]),
            problems.REPEATED_NAME,
            "a",
            "infrared.entities holds 'car' twice",
        ),
        (
            at(*PAIR, "entities")(["car", "person", *"cdefghi"]),
            problems.COUNT,
            "a",
            "entities holds 9 names; expected 2 to 8",
        ),
        (at(*PAIR, "entities")(["car"]), problems.COUNT, "a", "holds 1 of 3 known names"),
        (at(*PAIR, "unsure")(["car"]), problems.DOUBT, "a", "'car' stands in entities and in"),
        (at(*PAIR, "unsure")(["cat"]), problems.NAME, "a", "unsure holds 'cat', which vocabulary"),
        (at(*IR, "entities")(["ufo", "person", "car"]), problems.NAME, "a", "'ufo'"),
        (at(*IR, "extracted")(["Car", "person"]), problems.NAME, "a", "extracted holds 'Car'"),
        (
            at(*PAIR, "entities")(["car", "sky"]),
            problems.ORIGIN,
            "a",
            "entities holds 'sky', which is in no list",
        ),
    ],
)
def test_each_error_is_named_with_its_pair(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], kind: str, pair: str, words: str
) -> None:
    path = write(tmp_path / "x.json", changed(change))
    found = check_file(path).problems
    assert (kind, pair) in [(problem.kind, problem.pair) for problem in found], found
    assert not any(problem.warning for problem in found)
    with pytest.raises(DataError, match=words):
        read_annotations(path)


def test_lists_of_captions_need_an_extractor(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", changed(at("extractor")(None)))
    assert kinds_in(path) == {(problems.SHAPE, "a"): 2}


def test_a_vocabulary_in_capitals_is_refused(tmp_path: Path) -> None:
    change = at("vocabulary")(["person", "car", "tree", "dog", "Sky", " cat"])
    assert kinds_in(write(tmp_path / "x.json", changed(change))) == {(problems.NAME, None): 2}


@pytest.mark.parametrize("text", ["{", "", "[1, 2", "\udcff", '{"a": ' * 5000, "nul", "9" * 5000])
def test_what_is_not_json_is_one_problem(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    file, (problem,) = check_file(path)
    assert file is None
    assert problem.kind == problems.JSON and not problem.warning


@pytest.mark.parametrize("value", [[], 3, "text", None, {}])
def test_json_of_another_shape(tmp_path: Path, value: Any) -> None:
    file, found = check_file(write(tmp_path / "x.json", json.dumps(value)))
    assert file is None
    assert found


def test_keys_that_stand_twice_are_not_merged(tmp_path: Path) -> None:
    text = json.dumps(GOOD)
    again = json.dumps(GOOD["pairs"]["a"])
    twice = text.replace('"b": {', f'"a": {again}, "a": {again}, "b": {{')
    assert kinds_in(write(tmp_path / "x.json", twice)) == {(problems.REPEATED_PAIR, "a"): 1}
    twice = text.replace('"split": "val"', '"split": "test", "split": "val"')
    assert kinds_in(write(tmp_path / "x.json", twice)) == {(problems.REPEATED_KEY, "b"): 1}
    twice = text.replace('"version": 1', '"version": 1, "version": 1')
    assert kinds_in(write(tmp_path / "x.json", twice)) == {(problems.REPEATED_KEY, None): 1}


def test_what_is_odd_but_usable_is_a_warning(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["pairs"]["b"] = {
            "split": "val",
            "infrared": {"caption": "Ein Auto.", "extracted": []},
            "entities": [],
        }

    path = write(tmp_path / "x.json", changed(change))
    found = check_file(path).problems
    assert {p.kind for p in found} == {problems.SILENT, problems.FEW}
    assert all(problem.warning and problem.pair == "b" for problem in found)
    assert set(read_annotations(path).pairs) == {"a", "b"}


def test_pairs_and_annotations_that_have_no_partner(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(content: dict[str, Any]) -> None:
        content["pairs"]["c"] = content["pairs"].pop("b")
        content["pairs"]["a"]["split"] = "test"

    path = write(data.parent / "street.json", changed(change))
    assert check(path, "--data", data) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any("error: pair 'c': annotated, but the data set has no such pair" in s for s in lines)
    assert any("error: pair 'a': split is 'test', but its images are in train" in s for s in lines)
    assert any("warning: pair 'b': the images are in val, but there is no" in s for s in lines)
    assert lines[-1].endswith(
        "2 errors (1 another split, 1 no such pair), 1 warning (1 pair without annotation)"
    )
    # The data set itself may be given in place of the folder of data sets.
    assert check(path, "--data", data / "Street") == 1
    assert capsys.readouterr().out.splitlines() == lines


def test_a_pair_that_is_missing_on_disk_is_a_warning_alone(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(content: dict[str, Any]) -> None:
        del content["pairs"]["b"]

    write(data / "Street" / "annotations.json", changed(change))
    assert check(data) == 0
    assert "0 errors, 1 warning (1 pair without annotation)" in capsys.readouterr().out


def test_names_in_two_splits_and_missing_images(data: Path, capsys) -> None:
    shutil.copytree(data / "Street" / "train", data / "Street" / "test")
    shutil.rmtree(data / "Street" / "val" / "vi")
    assert check(data) == 1
    out = capsys.readouterr().out
    assert "pair 'a': its images are in test and train" in out
    assert "pair 'b': visible is annotated, but there are thermal images alone" in out


def test_thermal_frames_need_no_visible_entry(data: Path) -> None:
    shutil.rmtree(data / "Street" / "val" / "vi")
    write(data / "Street" / "annotations.json", changed(at("pairs", "b", "visible")(None)))
    assert check(data) == 0
    write(data / "Street" / "annotations.json", changed(at(*PAIR, "visible")(None)))
    assert check(data) == 1


def test_what_cannot_be_found_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, empty = data / "Street" / "annotations.json", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="none is not a folder"):
        check(path, "--data", tmp_path / "none")
    with pytest.raises(DataError, match="no annotation file in"):
        check(empty)
    assert check(path, "--data", empty) == 1
    assert "there is no data set 'Street'" in capsys.readouterr().out
    assert check(tmp_path / "x.json") == 1
    assert "x.json does not exist" in capsys.readouterr().out


def test_several_files_are_counted_apart(data: Path, tmp_path: Path, capsys) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    write(folder / "a.json", GOOD)
    write(folder / "b.json", "{")
    write(folder / "c.json", changed(at("dataset")("Other")))
    assert check(folder, "--data", data) == 1
    a, b, c = capsys.readouterr().out.splitlines()[-3:]
    assert a.endswith("a.json: Street, 2 pairs: 0 errors, 0 warnings")
    assert b.endswith("b.json: not read: 1 error (1 not readable), 0 warnings")
    # The folder of data sets has no Other.
    assert c.endswith("c.json: Other, 2 pairs: 1 error (1 no such data set), 0 warnings")


# Anything at all -------------------------------------------------------------------------------

NAMES = st.sampled_from(GOOD["vocabulary"])
LISTS = st.lists(NAMES, unique=True).map(tuple)
IMAGES = st.builds(
    ImageAnnotation,
    st.none() | st.text(min_size=1).filter(str.strip),
    LISTS,
    st.none() | LISTS,
)
PAIRS = st.builds(
    PairAnnotation,
    st.sampled_from(["train", "val", "test"]),
    IMAGES,
    st.none() | IMAGES,
    st.none(),
    LISTS,
)
FILES = st.builds(
    AnnotationFile,
    st.text(min_size=1).filter(str.strip),
    st.text(min_size=1).filter(str.strip),
    st.builds(Extractor, st.just("rules"), st.just("1")),
    st.just(tuple(GOOD["vocabulary"])),
    st.dictionaries(st.text(min_size=1).filter(str.strip), PAIRS, min_size=1, max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(file=FILES)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, file: AnnotationFile
) -> None:
    path = tmp_path_factory.mktemp("written") / "x.json"
    write_annotations(path, file)
    found = read_annotations(path)
    assert found == file
    assert list(found.pairs) == sorted(file.pairs)
    first = path.read_bytes()
    write_annotations(path, found)
    assert path.read_bytes() == first


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=3) | NAMES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["split", "infrared", "visible", "entities", "unsure", "caption", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    found = []
    for key, entry in entries:
        found += [(*path, key), *places(entry, (*path, key))]
    return found


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """GOOD with a few places removed, replaced or added."""
    content = deepcopy(GOOD)
    for _ in range(draw(st.integers(0, 3))):
        where = places(content)
        if not where:
            break
        *path, key = draw(st.sampled_from(where))
        inside = content
        for step in path:
            inside = inside[step]
        kind = draw(st.sampled_from(["remove", "replace", "add"]))
        if kind == "remove":
            del inside[key]
        elif kind == "replace" or isinstance(inside, list):
            inside[key] = draw(JSON)
        else:
            inside[draw(st.text(max_size=3))] = draw(JSON)
    return content


@settings(max_examples=150, deadline=None)
@given(content=damaged())
def test_the_schema_and_the_own_checks_agree(content: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads(SCHEMA.read_text())
    fits = jsonschema.Draft202012Validator(schema).is_valid(content)
    assert fits == (not parse_annotations(content).problems)


@settings(max_examples=100, deadline=None)
@given(content=damaged())
def test_no_content_breaks_the_checker(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    path = write(tmp_path_factory.mktemp("damaged") / "x.json", content)
    file, found = check_file(path)
    errors = [problem for problem in found if not problem.warning]
    if errors:
        with pytest.raises(DataError, match="x.json"):
            read_annotations(path)
    else:
        assert read_annotations(path) == file
    for problem in found:
        assert str(problem).isprintable()


def test_the_schema_is_one() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(GOOD, schema)


def test_the_example_in_the_documentation_is_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ANNOTATING.md").read_text()
    blocks = [part.partition("```")[0] for part in text.split("```json\n")[1:]]
    (example,) = [block for block in blocks if "egmt-annotations" in block]
    file, found = parse_annotations(json.loads(example))
    assert file is not None and not found
    assert file.pairs["0001"].seen == {"person", "deer", "car"}
