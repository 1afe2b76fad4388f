"""Caption files: what is read, and what is named as wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.entities.captions.caption_file import (
    PairCaptions,
    read_caption_file,
    read_raw_captions,
    write_caption_file,
)
from egmt_ros.errors import DataError

ENTRY = {"split": "train", "infrared": "a warm man", "visible": "a dark street"}


def read(folder: Path, content: Any):
    path = folder / "captions.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_caption_file(path)


def test_a_whole_entry(tmp_path: Path) -> None:
    entry = {
        **ENTRY,
        "entities": {"infrared": ["person"], "visible": []},
        "unsure": ["sky"],
        "captioned_by": "somebody",
    }
    found = read(tmp_path, {"00001D": entry})
    assert found.problems == ()
    assert found.captions == {
        "00001D": PairCaptions(
            "00001D",
            "train",
            "a warm man",
            "a dark street",
            ("person",),
            (),
            ("sky",),
            "somebody",
        )
    }


def test_what_is_optional_may_be_missing(tmp_path: Path) -> None:
    found = read(tmp_path, {"a": {"infrared": "one", "visible": "two"}})
    assert found.problems == ()
    assert found.captions["a"] == PairCaptions("a", "", "one", "two", None, None, (), "")


def test_json_lines_are_the_same(tmp_path: Path) -> None:
    lines = [json.dumps({"pair": name, **ENTRY}) for name in ("a", "b")]
    for text in ("\n".join(lines), "\r\n".join(lines) + "\r\n", f"\n{lines[0]}\n\n{lines[1]}"):
        found = read(tmp_path, text)
        assert list(found.captions) == ["a", "b"] and found.problems == ()
        assert found.captions["b"].infrared == "a warm man"
    assert list(read(tmp_path, lines[0]).captions) == ["a"]


def test_broken_lines_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    good = json.dumps({"pair": "a", **ENTRY})
    text = f'{good}\n{good[:25]}\n[1]\n{{"pair": 3}}\n{{"infrared": "x"}}\nnull\n'
    found = read(tmp_path, text + json.dumps({"pair": "b", **ENTRY}))
    assert list(found.captions) == ["a", "b"]
    assert len(found.problems) == 5
    for number, problem in enumerate(found.problems, 2):
        assert f"line {number} " in problem
    assert "is not JSON" in found.problems[0]


def test_of_two_entries_of_a_pair_the_first_counts(tmp_path: Path) -> None:
    second = {**ENTRY, "infrared": "another"}
    texts = (
        f'{{"a": {json.dumps(ENTRY)}, "b": {json.dumps(ENTRY)}, "a": {json.dumps(second)}}}',
        "\n".join(
            json.dumps({"pair": name, **entry})
            for name, entry in (("a", ENTRY), ("b", ENTRY), ("a", second))
        ),
    )
    for text in texts:
        found = read(tmp_path, text)
        assert found.captions["a"].infrared == "a warm man" and len(found.captions) == 2
        (problem,) = found.problems
        assert "'a' is captioned a second time" in problem


def test_a_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    entry = '"infrared": "x", "visible": "y", "entities": {"visible": [], "visible": ["car"]}'
    for text in (f'{{"a": {{{entry}}}}}', f'{{"pair": "a", {entry}}}'):
        found = read(tmp_path, text)
        assert found.captions["a"].listed_visible == ()
        assert len(found.problems) == 1 and "'visible' stands twice" in found.problems[0]


def test_an_empty_caption_is_named_and_the_other_kept(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        {
            "half": {**ENTRY, "infrared": " \n "},
            "missing": {"visible": "only this"},
            "listed": {"entities": {"infrared": ["car"]}},
            "neither": {"infrared": "", "visible": None, "split": "val"},
        },
    )
    assert list(found.captions) == ["half", "missing", "listed"]
    assert found.captions["half"].infrared == "" and found.captions["half"].visible
    assert found.captions["listed"].listed_infrared == ("car",)
    said = "\n".join(found.problems)
    assert "'half': the infrared caption is empty" in said
    assert "'missing': has no infrared caption" in said
    assert said.count("'neither'") == 2 and said.count("'listed'") == 2
    assert len(found.problems) == 6


def test_any_language_is_a_caption_and_lines_become_one(tmp_path: Path) -> None:
    entry = {"infrared": "夜の道に\n  人がいる", "visible": "Ein Mann\tsteht da. "}
    found = read(tmp_path, {"a": entry})
    assert found.problems == ()
    assert found.captions["a"].infrared == "夜の道に 人がいる"
    assert found.captions["a"].visible == "Ein Mann steht da."


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("a text", "expected an object"),
        ([], "expected an object"),
        ({**ENTRY, "infrared": 5}, "infrared is 5; expected a caption"),
        ({**ENTRY, "visible": ["x"]}, "visible is .*expected a caption"),
        ({**ENTRY, "visible": "half \ud83d"}, "expected a caption"),
        ({**ENTRY, "entities": ["car"]}, "entities is .*expected lists"),
        ({**ENTRY, "entities": {"infrared": "car"}}, "entities.infrared is 'car'; expected a list"),
        ({**ENTRY, "entities": {"visible": [1]}}, "entities.visible is .*expected a list"),
        ({**ENTRY, "unsure": {"car": 1}}, "unsure is .*expected a list"),
        ({**ENTRY, "split": 1}, "split is 1; expected a text"),
        ({**ENTRY, "captioned_by": []}, "captioned_by is .*expected a text"),
    ],
)
def test_values_of_other_kinds_are_named(tmp_path: Path, entry: Any, words: str) -> None:
    found = read(tmp_path, {"good": ENTRY, "bad": entry})
    assert found.captions["good"] == PairCaptions("good", *ENTRY.values())
    (problem,) = found.problems
    assert f"{tmp_path}/captions.json: 'bad': " in problem
    assert re.search(words, problem)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither a JSON object"),
        (b"\xff\xfe\x00", "neither a JSON object"),
        ("not json at all", "neither a JSON object"),
        ('{"a": {"infrared": "cut short', "neither a JSON object"),
        ("[1, 2]", "expected a JSON object"),
        ("3", "expected a JSON object"),
        ({"a": 1, "b": []}, "nothing in .*captions.json can be used.*and 1 more"),
        ("[" * 100_000, "neither a JSON object"),
    ],
)
def test_a_file_without_anything_of_use_is_refused(
    tmp_path: Path, content: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        read(tmp_path, content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist.*egmt annotate captions"):
        read_caption_file(tmp_path / "captions.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_caption_file(tmp_path)


def test_a_file_with_no_pair_yet_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path, {}) == ({}, ())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["infrared", "visible", "entities", "unsure", "split", "pair", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(entries=st.dictionaries(st.text(max_size=5), JSON, max_size=4), lines=st.booleans())
def test_whatever_json_holds_is_read_or_named(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, Any], lines: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    if lines:
        path.write_text("\n".join(json.dumps({"pair": k, "rest": v}) for k, v in entries.items()))
    else:
        path.write_text(json.dumps({"good": ENTRY, **entries}))
    try:
        found = read_caption_file(path)
    except DataError:
        return
    assert len(found.captions) + len(found.problems) >= len(entries)
    for name, captions in found.captions.items():
        assert captions.pair == name
        assert all(isinstance(text, str) for text in captions[:4])
        json.dumps(captions, ensure_ascii=False).encode()  # can be written again


@given(data=st.binary(max_size=80))
def test_whatever_bytes_there_are_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.json"
    path.write_bytes(data)
    try:
        read_caption_file(path)
    except DataError as error:
        assert str(path) in str(error)


ENTRIES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
    st.fixed_dictionaries({"infrared": st.text(max_size=9), "note": JSON}),
    max_size=3,
)


@given(entries=ENTRIES)
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.json"
    write_caption_file(path, entries)
    assert json.dumps(read_raw_captions(path).entries) == json.dumps(entries)
    assert not list(path.parent.glob(".written.json*"))


def test_a_file_is_replaced_behind_a_link_and_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "link.json").symlink_to("real.json")
    write_caption_file(tmp_path / "link.json", {"a": ENTRY})
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text()) == {"a": ENTRY}
    with pytest.raises(TypeError):
        write_caption_file(tmp_path / "real.json", {"a": object()})
    assert json.loads((tmp_path / "real.json").read_text()) == {"a": ENTRY}


DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="the data in ../shared/data are not here")
@pytest.mark.parametrize(
    ("name", "pairs"), [("MSRS", 297), ("RoadScene", 166), ("TNO", 22), ("VIFB", 13)]
)
def test_the_captions_of_the_data_sets(name: str, pairs: int) -> None:
    found = read_caption_file(DATA / name / "captions.json")
    assert len(found.captions) == pairs and found.problems == ()
    assert all(c.listed_infrared is not None and c.split for c in found.captions.values())
