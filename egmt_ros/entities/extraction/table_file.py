"""The table of entities as a file: what a person wrote, and below a line what was counted."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from pathlib import Path

from egmt_ros.entities.extraction.counting import Counts
from egmt_ros.errors import ConfigError

LINE = "# ---- counted by `egmt annotate vocabulary`, which writes anew what stands below ----"
"""The line that parts them."""
_WIDTH = 100


def written_part(text: str, where: str) -> str:
    """Return what a person wrote, the text above the line, as it is.

    Args:
        text: Of a table file.
        where: What messages call it.

    Raises:
        ConfigError: `counted` stands above the line.
    """
    lines = text.splitlines(keepends=True)
    starts = (at for at, line in enumerate(lines) if line.startswith(LINE[:20]))
    above = lines[: next(starts, len(lines))]
    if any(line.startswith("counted:") for line in above):
        raise ConfigError(
            f"table of entities {where}: the line {LINE!r} above `counted:` is missing; put it "
            "back, or remove `counted` and what it holds"
        )
    kept = "".join(above)
    return kept if not kept or kept.endswith("\n") else kept + "\n"


def with_counts(written: str, counts: Counts, source: str, extractor: str, support: int) -> str:
    """Return the text of a table file with counts below the line.

    The same counts always give the same text.

    Args:
        written: What stands above the line.
        counts: Of captions.
        source: What was counted, for people.
        extractor: What found the noun phrases, for people.
        support: Pairs from which an entity or an unknown noun is listed as frequent.
    """
    ranked = sorted(counts.entities.items(), key=lambda entry: -entry[1])  # else table order
    frequent = {name: number for name, number in ranked if number >= support}
    rare = {name: number for name, number in ranked if number < support}
    unknown = {noun: number for noun, number in counts.unknown.items() if number >= support}
    lines = [LINE, "#"]
    lines += _comment(
        "entities: pairs that name each entity, and those that do so by each phrase. rare: "
        "entities below the minimum support. unknown: nouns that this table lacks; add those that "
        "you want as synonyms or entities, or as scene words to see them here no more."
    )
    lines += [
        "counted:",
        f"  source: {_scalar(source)}",
        f"  extractor: {_scalar(extractor)}",
        f"  pairs: {counts.pairs}",
        f"  minimum_support: {support}",
        "  entities:" if frequent else "  entities: {}",
    ]
    for name, number in frequent.items():
        lines.append(f"    {_scalar(name)}:")
        lines.append(f"      pairs: {number}")
        lines += _mapping("      phrases: ", counts.phrases[name])
    lines += _mapping("  rare: ", rare)
    lines += _mapping("  unknown: ", unknown)
    newline = "\r\n" if "\r\n" in written else "\n"
    return written + newline.join(lines) + newline


def write_whole(path: Path, text: str) -> None:
    """Write a file at once, its line ends as they are; what was there is kept on failure."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
    os.replace(part, path)


def _mapping(key: str, content: Mapping[str, int]) -> list[str]:
    """A mapping within braces, over as many lines as it needs."""
    indent = " " * (len(key) - len(key.lstrip()) + 2)
    lines = [key + "{"]
    for at, (name, number) in enumerate(content.items(), 1):
        entry = f"{_scalar(name)}: {number}" + ("," if at < len(content) else "")
        # Broken between entries alone: YAML lets no key go over two lines.
        if len(lines[-1]) + 1 + len(entry) + 1 > _WIDTH:
            lines.append(indent + entry)
        else:
            lines[-1] += (" " if at > 1 else "") + entry
    lines[-1] += "}"
    return lines


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _scalar(text: str) -> str:
    """A YAML text: plain where words of letters are no YAML constant, quoted elsewhere."""
    constants = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"}
    plain = all(word.isascii() and word.isalpha() for word in text.split(" "))
    if plain and text.lower() not in constants:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
