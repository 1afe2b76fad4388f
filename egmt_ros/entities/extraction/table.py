"""The table of entities: what captions may call them (config/entities.yaml)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from egmt_ros.entities.extraction.words import singular, words_of
from egmt_ros.errors import ConfigError
from egmt_ros.resources import config_path

TABLE_FILE = "entities.yaml"
"""Name of the table that comes with the package."""

Words = tuple[str, ...]
Names = tuple[str, ...]


class Entity(NamedTuple):
    """One entity of the table.

    Attributes:
        name: Its name, lower case.
        group: One of the table's groups.
        synonyms: Other words for it, as the file has them.
        implies: Entities that are there wherever this one is.
    """

    name: str
    group: str
    synonyms: Names = ()
    implies: Names = ()


class Relation(NamedTuple):
    """Entities that follow from how two things stand to each other ("man riding a bike").

    Attributes:
        subject: Entity before the link.
        links: Words that may link them, one of which must stand between.
        object: Entity after the link; "" if the link alone is enough.
        means: Entities that this names besides.
    """

    subject: str
    links: Names
    object: str
    means: Names


@dataclass(frozen=True)
class EntityTable:
    """What captions may call the entities, and which of many a pair keeps.

    Attributes:
        entities: In the file's order.
        groups: Names of the groups, in the file's order.
        meanings: Words of a phrase -> the entities that it names, with what they imply; empty for
            phrases that name none (scene words, "car park").
        relations: In the file's order.
        negations: Words that deny what follows them in a phrase.
        preferred: Groups whose entities a pair keeps first, in this order.
        least, most: How many entities a pair should have, and keeps at most.
        scene_words: Phrases of `meanings` that are no things.
    """

    entities: tuple[Entity, ...]
    groups: Names
    meanings: Mapping[Words, Names]
    relations: tuple[Relation, ...]
    negations: frozenset[str]
    preferred: Names
    least: int
    most: int
    scene_words: frozenset[Words]

    @property
    def names(self) -> Names:
        """Names of the entities, in the file's order."""
        return tuple(entity.name for entity in self.entities)

    @cached_property
    def longest(self) -> int:
        """Number of words of the longest phrase."""
        return max(map(len, self.meanings))

    def group_of(self, name: str) -> str:
        """Return the group of the entity `name`, "" if the table lacks it."""
        return next((e.group for e in self.entities if e.name == name), "")

    def resolve(self, name: str) -> str | None:
        """Return the entity that `name` is or is a synonym of, None if the table lacks it."""
        for entity in self.entities:
            if name == entity.name or name in entity.synonyms:
                return entity.name
        return None

    def meaning(self, words: Words) -> Names | None:
        """Return the entities that exactly these words name, None if the table lacks them.

        The last word counts as it stands, or else as a singular.
        """
        found = self.meanings.get(words)
        if found is None and words:
            found = self.meanings.get((*words[:-1], singular(words[-1])))
        return found


def load_entity_table(path: Path | None = None) -> EntityTable:
    """Read a table of entities.

    Args:
        path: A file such as config/entities.yaml; None takes that one.

    Raises:
        ConfigError: The file is missing or of another shape, a phrase stands twice, a name or
            group is unknown, or the numbers of entities a pair do not fit.
    """
    path = path or config_path(TABLE_FILE)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"table of entities {path} does not exist; give the path of one") from (
            error
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"table of entities {path} cannot be read ({error})") from error
    return parse_entity_table(text, str(path))


def parse_entity_table(text: str, where: str) -> EntityTable:
    """As load_entity_table, from the text of a file.

    Args:
        text: YAML.
        where: What messages call it.
    """
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"table of entities {where} is not YAML ({error})") from error
    return _Reader(where, data).table()


class _Reader:
    """Builds a table from what YAML gives, and names what is wrong with it."""

    def __init__(self, where: str, data: Any) -> None:
        self.where = where
        self.data = self.section(data, "", _KEYS)
        self.owners: dict[Words, str] = {}
        self.meanings: dict[Words, Names] = {}

    def table(self) -> EntityTable:
        groups = self.texts(self.data["groups"], "groups")
        entities = tuple(self.entity(entry, groups) for entry in self.entries("entities"))
        names = tuple(entity.name for entity in entities)
        if not names:
            self.fail("entities is empty", "at least one entity")
        for entity in entities:
            self.known(entity.implies, names, f"implies of {entity.name!r}")
        implied = _closure(entities)
        for entity in entities:
            for phrase in (entity.name, *entity.synonyms):
                self.phrase(phrase, f"entity {entity.name!r}", implied[entity.name])
        self.listed_phrases(names, implied)
        scene = [self.phrase(word, "scene_words", ()) for word in self.words("scene_words")]
        relations = tuple(self.relation(e, names, implied) for e in self.entries("relations"))
        negations = frozenset(words_of(" ".join(self.words("negations"))))
        for word in sorted(negations):
            if (word,) in self.owners:
                self.fail(f"{word!r} is in negations and in {self.owners[word,]}", "it once")
        preferred, least, most = self.choice(groups)
        return EntityTable(
            entities,
            groups,
            self.meanings,
            relations,
            negations,
            preferred,
            least,
            most,
            frozenset(scene),
        )

    def entity(self, entry: Any, groups: Names) -> Entity:
        entry = self.section(entry, "an entity", {"name": True, "group": True} | _LISTS)
        name = self.text(entry["name"], "name of an entity")
        if words_of(name) != name.split():
            self.fail(f"entity {name!r}", "a name of lower-case words with a blank between them")
        group = self.text(entry["group"], f"group of {name!r}")
        self.known((group,), groups, f"group of {name!r}")
        synonyms = self.texts(entry.get("synonyms", []), f"synonyms of {name!r}")
        implies = self.texts(entry.get("implies", []), f"implies of {name!r}")
        return Entity(name, group, synonyms, implies)

    def listed_phrases(self, names: Names, implied: Mapping[str, Names]) -> None:
        found = self.data.get("phrases", {})
        if not isinstance(found, dict):
            self.fail(f"phrases is {found!r:.60}", "phrases with a list of entities each")
        for phrase, meant in found.items():
            meant = self.texts(meant, f"phrases: {phrase!r}")
            self.known(meant, names, f"phrases: {phrase!r}")
            self.phrase(self.text(phrase, "a phrase"), "phrases", _joined(meant, implied))

    def relation(self, entry: Any, names: Names, implied: Mapping[str, Names]) -> Relation:
        entry = self.section(entry, "a relation", _RELATION)
        subject = self.text(entry["subject"], "subject of a relation")
        what = self.text(entry["object"], "object of a relation") if "object" in entry else ""
        means = self.texts(entry["means"], "means of a relation")
        links = self.texts(entry["links"], "links of a relation")
        self.known((subject, *filter(None, (what,)), *means), names, "a relation")
        for link in links:
            if len(words_of(link)) != 1 or tuple(words_of(link)) in self.owners:
                owner = self.owners.get(tuple(words_of(link)), "more than one word")
                self.fail(f"links of a relation holds {link!r} ({owner})", "words of no meaning")
        return Relation(subject, links, what, _joined(means, implied))

    def choice(self, groups: Names) -> tuple[Names, int, int]:
        found = self.section(self.data["choice"], "choice", _CHOICE)
        preferred = self.texts(found["first"], "choice: first")
        self.known(preferred, groups, "choice: first")
        least, most = found["least"], found["most"]
        if not all(type(n) is int for n in (least, most)) or not 0 < least <= most:
            self.fail(f"choice: least is {least!r} and most {most!r}", "1 <= least <= most")
        return preferred, least, most

    def phrase(self, text: str, owner: str, meaning: Names) -> Words:
        words = tuple(words_of(text))
        if not words:
            self.fail(f"{owner} has the phrase {text!r}", "a phrase with letters")
        if words in self.owners:
            other = self.owners[words]
            what = f"{' '.join(words)!r} is a phrase of {owner} and of {other}"
            self.fail(what if other != owner else f"{owner} has {text!r} twice", "it once")
        self.owners[words] = owner
        self.meanings[words] = meaning
        return words

    def known(self, names: Iterable[str], among: Names, where: str) -> None:
        for name in names:
            if name not in among:
                self.fail(f"{where} is {name!r}", f"one of {', '.join(among)}")

    def entries(self, key: str) -> list[Any]:
        found = self.data.get(key, [])
        if not isinstance(found, list):
            self.fail(f"{key} is {found!r:.60}", "a list")
        return found

    def words(self, key: str) -> Names:
        return self.texts(self.data.get(key, []), key)

    def section(self, found: Any, name: str, keys: Mapping[str, bool]) -> dict[str, Any]:
        """The mapping `found`; `keys` says of each key that it may have whether it must."""
        where = name or "the file"
        if not isinstance(found, dict):
            self.fail(f"{where} is {found!r:.60}", f"the keys {', '.join(keys)}")
        for key in found:
            if key not in keys:
                self.fail(f"{where} has the key {key!r}", f"the keys {', '.join(keys)}")
        for key, needed in keys.items():
            if needed and key not in found:
                self.fail(f"{where} lacks the key {key!r}: {found!r:.60}", "it")
        return found

    def texts(self, found: Any, where: str) -> Names:
        if not isinstance(found, list):
            self.fail(f"{where} is {found!r:.60}", "a list of texts")
        return tuple(self.text(item, where) for item in found)

    def text(self, found: Any, where: str) -> str:
        # YAML reads an unquoted no, on or 12 as something else than a text.
        if not isinstance(found, str) or not found.strip():
            self.fail(f"{where} is {found!r:.60}", "a text (in quotes where YAML reads another)")
        return found

    def fail(self, found: str, expected: str) -> None:
        raise ConfigError(f"table of entities {self.where}: {found}; expected {expected}")


_LISTS = {"synonyms": False, "implies": False}
_RELATION = {"subject": True, "links": True, "object": False, "means": True}
_CHOICE = {"first": True, "least": True, "most": True}
_KEYS = {
    "groups": True,
    "choice": True,
    "negations": True,
    "scene_words": False,
    "phrases": False,
    "relations": False,
    "entities": True,
    "counted": False,
}


def _closure(entities: Iterable[Entity]) -> dict[str, Names]:
    """Name -> the name and all that it implies, directly or by way of others."""
    implies = {entity.name: entity.implies for entity in entities}
    found = {}
    for name in implies:
        reached = [name]
        for other in reached:  # grows while it is walked
            reached += [n for n in implies[other] if n not in reached]
        found[name] = tuple(reached)
    return found


def _joined(names: Iterable[str], implied: Mapping[str, Names]) -> Names:
    return tuple(dict.fromkeys(n for name in names for n in implied[name]))
