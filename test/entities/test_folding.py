"""Noun phrases are folded to the entities of a table: longest first, compounds kept, in order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egmt_ros.entities.extraction.folding import fold, spans
from egmt_ros.entities.extraction.phrases import Phrase
from egmt_ros.entities.extraction.table import load_entity_table, parse_entity_table
from egmt_ros.entities.extraction.words import singular, words_of

TABLE = load_entity_table()
NAMES = st.lists(st.sampled_from(TABLE.names), max_size=8)
PHRASES = st.sampled_from([" ".join(words) for words in TABLE.meanings])


def folded(*texts: str) -> list[str]:
    return fold([Phrase(text) for text in texts], TABLE)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("street lights", ["street light"]),
        ("traffic lamp", ["traffic light", "road", "sky"]),
        ("two people", ["person"]),
        ("a pickup", ["truck", "road"]),
        ("a white pickup truck", ["truck", "road"]),
        ("lorries and buses", ["truck", "road", "bus"]),
        ("women, men and children", ["person"]),
        ("policemen", ["person"]),
        ("bushes and benches", ["vegetation", "bench"]),
        ("a car park", []),
        ("a bike lane", []),
        ("a bus stop sign", ["traffic sign"]),
        ("a motorcyclist", ["motorcycle", "road", "person"]),
        ("an off-road vehicle", ["car", "road"]),
        ("tree-lined streets", ["tree", "road"]),
        ("a traffic light pole", ["traffic light", "road", "sky", "pole"]),
        ("a crowd of people", ["person"]),
        ("a cloud of dust", []),
        ("the field of view", []),
        ("the background of the night image in front", []),
        ("the man's bag", ["person", "bag"]),
        ("traffic_cones", ["traffic cone"]),
        ("TREES", ["tree"]),
        ("", []),
        ("...", []),
        ("夜间道路", []),
    ],
)
def test_phrases_and_their_entities(text: str, names: list[str]) -> None:
    assert folded(text) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no cars", []),
        ("not a car", []),
        ("a man without a backpack", ["person"]),
        ("neither trees nor bushes", []),
        ("a car-free street", ["road"]),
        ("a no-entry sign", ["traffic sign"]),
        ("a no entry sign", ["traffic sign"]),
        ("not only bikes", ["bicycle"]),
        ("no fewer than three dogs", ["dog", "animal"]),
        ("there aren't any trees", []),
        ("nobody", []),
    ],
)
def test_denials_in_a_phrase(text: str, names: list[str]) -> None:
    assert folded(text) == names


def test_a_negated_phrase_names_nothing_but_another_may() -> None:
    assert fold([Phrase("cars", negated=True)], TABLE) == []
    assert fold([Phrase("cars", negated=True), Phrase("a taxi")], TABLE) == ["car", "road"]


@pytest.mark.parametrize(
    ("text", "rides"),
    [
        ("person riding a bike", True),
        ("a man on a bicycle", True),
        ("two women ride their old red bikes", True),
        ("a boy cycling along the road", True),
        ("a man pushing a bicycle", False),
        ("a man, not riding a bike", False),
        ("a man walks on the road past a car and bicycles", False),
        ("a man riding on a cart that is drawn behind some bicycles", False),
    ],
)
def test_relations(text: str, rides: bool) -> None:
    found = folded(text)
    assert ("cyclist" in found) is rides
    assert "person" in found
    if rides:
        assert "bicycle" in found


def test_a_clause_tells_relations_alone() -> None:
    clause = Phrase("the man riding a bike", clause=True)
    assert fold([clause], TABLE) == ["cyclist", "bicycle", "person"]
    assert fold([Phrase("the car on the road", clause=True)], TABLE) == []


def test_order_of_mention_without_repetition() -> None:
    assert folded("trees", "a car", "a tree", "a person", "cars") == [
        *("tree", "car", "road", "person")
    ]


@given(NAMES)
def test_names_fold_to_themselves_in_order(names: list[str]) -> None:
    once = fold([Phrase(name) for name in names], TABLE)
    assert fold([Phrase(name) for name in once], TABLE) == once
    own = [name for name in once if name in names]
    assert set(own) == set(names)
    first = {name: once.index(name) for name in names}
    implied = {e.name for e in TABLE.entities if any(e.name in o.implies for o in TABLE.entities)}
    plain = [name for name in dict.fromkeys(names) if name not in implied]
    assert sorted(plain, key=first.__getitem__) == plain


@given(st.text(max_size=80), st.booleans(), st.booleans())
def test_any_text_folds_to_names_of_the_table(text: str, negated: bool, clause: bool) -> None:
    found = fold([Phrase(text, negated, clause)], TABLE)
    assert set(found) <= set(TABLE.names)
    assert len(found) == len(set(found))
    assert not (negated and found)
    assert fold([Phrase(name) for name in found], TABLE) == found


@settings(max_examples=200)
@given(st.lists(st.one_of(PHRASES, st.sampled_from(["a", "red", "of", "42"])), max_size=6))
def test_spans_hold_every_word_once_and_are_the_longest(texts: list[str]) -> None:
    words = words_of(" ".join(texts))
    cut = list(spans(words, TABLE))
    assert [word for span in cut for word in span.words] == words
    at = 0
    for span in cut:
        longer = range(len(span.words) + 1, TABLE.longest + 1)
        assert all(
            TABLE.meaning(tuple(words[at : at + n])) is None for n in longer if at + n <= len(words)
        )
        at += len(span.words)


@given(PHRASES)
def test_every_phrase_of_the_table_means_what_the_table_says(text: str) -> None:
    assert set(folded(text)) == set(TABLE.meanings[tuple(words_of(text))])


@given(st.text(max_size=60))
def test_words_are_lower_case_words(text: str) -> None:
    words = words_of(text)
    assert all(word and not word.isspace() for word in words)
    assert words_of(" ".join(words)) == words or not text.isascii()


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("cars", "car"),
        ("buses", "bus"),
        ("benches", "bench"),
        ("boxes", "box"),
        ("lorries", "lorry"),
        ("houses", "house"),
        ("women", "woman"),
        ("leaves", "leaf"),
        ("grass", "grass"),
        ("bus", "bus"),
        ("gas", "gas"),
        ("glasses", "glass"),
        ("axis", "axis"),
    ],
)
def test_singular(plural: str, one: str) -> None:
    assert singular(plural) == one


def test_what_is_implied_is_implied_on() -> None:
    table = parse_entity_table(
        "groups: [g]\nchoice: {first: [], least: 1, most: 2}\nnegations: []\nentities:\n"
        "  - {name: a, group: g, implies: [b]}\n"
        "  - {name: b, group: g, implies: [c]}\n"
        "  - {name: c, group: g, implies: [a]}\n",
        "here",
    )
    assert fold([Phrase("a")], table) == ["a", "b", "c"]
    assert fold([Phrase("c")], table) == ["c", "a", "b"]
