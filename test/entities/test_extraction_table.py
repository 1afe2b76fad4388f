"""The table of entities: the one that is delivered, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from egmt_ros.entities.extraction.table import load_entity_table, parse_entity_table
from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path

HEAD = "groups: [g, h]\nchoice: {first: [g], least: 2, most: 8}\nnegations: ['no']\n"
CAR = "entities:\n  - {name: car, group: g, synonyms: [auto]}\n"


def test_the_delivered_table_holds_the_vocabulary_of_the_default_weights() -> None:
    table = load_entity_table()
    vocabulary = load_vocabulary(config_path("vocabulary.yaml"))
    assert set(vocabulary.names) <= set(table.names)
    assert (table.least, table.most) == (2, 8)
    assert table.preferred[0] == "agent"
    assert table.resolve("pedestrian") == "person"
    assert table.resolve("person") == "person"
    assert table.resolve("unheard of") is None
    assert table.group_of("person") == "agent"
    assert table.group_of("unheard of") == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1", "the file is"),
        ("a: [", "is not YAML"),
        (CAR, "lacks the key 'groups'"),
        (HEAD, "lacks the key 'entities'"),
        (HEAD + "entities: []", "entities is empty"),
        (HEAD + "entities: {}", r"entities is \{\}; expected a list"),
        (HEAD + CAR + "extra: 1", "has the key 'extra'"),
        (HEAD + "entities: [car]", "an entity is 'car'"),
        (HEAD + "entities: [{name: car}]", "an entity lacks the key 'group'"),
        (HEAD + "entities: [{name: '', group: g}]", "name of an entity is ''"),
        (HEAD + "entities: [{name: 3, group: g}]", "name of an entity is 3; expected a text"),
        (HEAD + "entities: [{name: Car, group: g}]", "entity 'Car'; expected a name of lower"),
        (HEAD + "entities: [{name: car, group: x}]", "group of 'car' is 'x'; expected one of g, h"),
        (HEAD + CAR + "  - {name: bus, group: g, synonyms: [auto]}", "'auto' is a phrase of"),
        (HEAD + CAR + "  - {name: bus, group: g, synonyms: [car]}", "'bus'.*and of entity 'car'"),
        (HEAD + CAR + "  - {name: car, group: g}", "entity 'car' has 'car' twice"),
        (HEAD + CAR + "  - {name: bus, group: g, synonyms: ['!']}", "has the phrase '!'"),
        (HEAD + CAR + "  - {name: bus, group: g, synonyms: [no]}", "synonyms of 'bus' is False"),
        (HEAD + CAR + "  - {name: bus, group: g, synonyms: bus}", "is 'bus'; expected a list"),
        (HEAD + CAR + "  - {name: bus, group: g, implies: [x]}", "implies of 'bus' is 'x'"),
        (HEAD + CAR + "scene_words: [auto]", "'auto' is a phrase of scene_words and of entity"),
        (HEAD + CAR + "scene_words: [night, night]", "scene_words has 'night' twice"),
        (HEAD + CAR + "phrases: {auto: []}", "'auto' is a phrase of phrases and of entity 'car'"),
        (HEAD + CAR + "phrases: {car park: [x]}", "phrases: 'car park' is 'x'"),
        (HEAD + CAR + "phrases: [car park]", "phrases is"),
        (HEAD + CAR + "relations: [{subject: car}]", "a relation lacks the key 'links'"),
        (
            HEAD + CAR + "relations: [{subject: x, links: [by], means: [car]}]",
            "a relation is 'x'",
        ),
        (
            HEAD + CAR + "relations: [{subject: car, links: [auto], means: [car]}]",
            "links of a relation holds 'auto'",
        ),
        (HEAD.replace("'no'", "auto") + CAR, "'auto' is in negations and in entity 'car'"),
        (HEAD.replace("first: [g]", "first: [x]") + CAR, "choice: first is 'x'"),
        (HEAD.replace("least: 2", "least: 9") + CAR, "least is 9 and most 8"),
        (HEAD.replace("most: 8", "most: many") + CAR, "most 'many'"),
    ],
)
def test_a_wrong_table_is_refused_and_the_place_named(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=f"table of entities here.*{words}"):
        parse_entity_table(text, "here")


def test_a_table_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_entity_table(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_entity_table(tmp_path / "binary.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_entity_table(tmp_path)
