"""Templates: the texts that are embedded for an entity's name."""

from __future__ import annotations

from egmt_ros.errors import ConfigError

SEPARATOR = "|"


def split_template(template: str) -> tuple[str, ...]:
    """The texts of a template.

    Args:
        template: "{}", "a photo of a {}", or several, whose embeddings are averaged:
            "a photo of a {} | a {} in the street". Spaces around a text do not count.

    Raises:
        ConfigError: A text has no place for the name, several, or other braces.
    """
    texts = tuple(text.strip() for text in template.split(SEPARATOR))
    for text in texts:
        if text.count("{}") != 1 or set("{}") & set(text.replace("{}", "")):
            raise ConfigError(
                f"template is {template!r}; expected a text with {{}} once, where the name goes, "
                f"and no other braces; or several of these with {SEPARATOR} between them"
            )
    return texts


def texts_of(template: str, name: str) -> tuple[str, ...]:
    """The texts that are embedded for `name`."""
    return tuple(text.replace("{}", name) for text in split_template(template))
