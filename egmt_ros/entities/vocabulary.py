"""The vocabulary: the ordered entities that a model can name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from egmt_ros.entities.text.templates import split_template
from egmt_ros.errors import ConfigError
from egmt_ros.model.vocabulary_hash import vocabulary_hash


@dataclass(frozen=True)
class Vocabulary:
    """Ordered entities and how their text is embedded.

    Attributes:
        names: Entity names, unique, lower case.
        text_encoder: Name of the text encoder.
        template: Text that is embedded, with `{}` for the name; several, separated by |, are
            averaged.
        aliases: Other names in annotation files -> entity name.
        text_model: Where the text encoder lies, a folder or hub id; None: in its wheel.
    """

    names: tuple[str, ...]
    text_encoder: str
    template: str = "{}"
    aliases: dict[str, str] | None = None
    text_model: str | None = None

    @property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of names, text encoder and template."""
        return vocabulary_hash(self.names, self.text_encoder, self.template)

    def resolve(self, name: str) -> str | None:
        """Return the entity that an annotation's `name` means, or None if it is not ours."""
        if name in self.names:
            return name
        name = (self.aliases or {}).get(name, name)
        return name if name in self.names else None


def load_vocabulary(path: Path) -> Vocabulary:
    """Read a vocabulary YAML such as config/vocabulary.yaml.

    Raises:
        ConfigError: The file is missing or not a vocabulary, an entity or alias stands twice, or
            the template has no place for the name.
    """
    try:
        data = yaml.safe_load(path.read_text())
        entries = data["entities"]
        names = tuple(_text(entry["name"], "name") for entry in entries)
        encoder = _text(data["text_encoder"], "text_encoder")
        template = _text(data.get("template", "{}"), "template")
        model = _text(data["text_model"], "text_model") if "text_model" in data else None
        aliases = [
            (_text(alias, "annotated_as"), name)
            for entry, name in zip(entries, names, strict=True)
            for alias in _list(entry.get("annotated_as", []), name)
        ]
    except FileNotFoundError as error:
        raise ConfigError(f"vocabulary {path} does not exist; give the path of one") from error
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"vocabulary {path} cannot be read ({type(error).__name__}: {error}); expected the "
            "keys text_encoder, template and entities (a list of {name: ...})"
        ) from error
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or not names:
        found = f"names {doubled[0]!r} twice" if doubled else "names no entity"
        raise ConfigError(f"vocabulary {path} {found}; expected each entity once")
    meanings: dict[str, str] = {}
    for alias, name in aliases:
        if alias in names or alias in meanings:
            other = alias if alias in names else meanings[alias]
            raise ConfigError(
                f"vocabulary {path}: annotated_as of {name!r} holds {alias!r}, which means "
                f"{other!r} already; remove one of the two"
            )
        meanings[alias] = name
    try:
        split_template(template)
    except ConfigError as error:
        raise ConfigError(f"vocabulary {path}: {error}") from error
    return Vocabulary(names, encoder, template, meanings, model)


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{key} is {value!r}, expected a text")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"annotated_as of {name!r} is {value!r}, expected a list")
    return value
