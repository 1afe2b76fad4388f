"""The caption file of a data set: reading it, whoever wrote it, and adding captions to it.

`captions.json` of a data set folder is a JSON object: name of the pair -> {"split", "infrared",
"visible"} and, where somebody listed them, "entities": {"infrared": [names], "visible": [names]},
"unsure": [names] and "captioned_by". JSON lines, {"pair": name, ...} each, are read as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from egmt_ros.errors import DataError

IMAGES = ("infrared", "visible")
"""The images of a pair, as caption files name them."""


class PairCaptions(NamedTuple):
    """What is written about the two images of a pair.

    Attributes:
        pair: Name of the pair, its file stem.
        split: Split of the data set; "" if the file does not say.
        infrared: Caption of the infrared image, in one line; "" if there is none.
        visible: The same of the visible image.
        listed_infrared: Entities that the captioner listed besides, seen in the infrared image;
            None if it listed none for that image.
        listed_visible: The same of the visible image.
        unsure: Entities that it listed, or left out, with doubt.
        captioned_by: Who or what wrote the captions; "" if the file does not say.
    """

    pair: str
    split: str
    infrared: str
    visible: str
    listed_infrared: tuple[str, ...] | None = None
    listed_visible: tuple[str, ...] | None = None
    unsure: tuple[str, ...] = ()
    captioned_by: str = ""


class CaptionFile(NamedTuple):
    """A caption file as far as it can be read.

    Attributes:
        captions: Name of the pair -> captions, in the order of the file; every pair with a
            caption, or with a list of entities.
        problems: What could not be used, a line each: the place, what stands there, what was
            expected.
    """

    captions: dict[str, PairCaptions]
    problems: tuple[str, ...]


class RawCaptions(NamedTuple):
    """The entries of a caption file as they stand there.

    Attributes:
        entries: Name of the pair -> its JSON value.
        lost: What the entries lack of the file: broken lines, a pair's second entry, a key's
            second value.
    """

    entries: dict[str, Any]
    lost: tuple[str, ...]


class _Object(dict):
    """A JSON object that remembers keys that stand in it twice; the first value counts."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]) -> None:
        super().__init__()
        self.doubled: list[str] = []
        for key, value in pairs:
            if key in self:
                self.doubled.append(key)
            else:
                self[key] = value


def read_caption_file(path: Path) -> CaptionFile:
    """Read captions.

    The first of two entries of a pair counts. A caption's line breaks become spaces. An empty
    caption is a problem, and the pair's other caption is kept. Captions of any language are kept.

    Raises:
        DataError: The file is missing, is neither JSON nor JSON lines, or nothing in it is of use.
    """
    entries, lost = read_raw_captions(path)
    captions, problems = {}, list(lost)
    for pair, entry in entries.items():
        found, wrong = _pair_captions(pair, entry)
        problems += [f"{path}: {pair!r:.60}: {reason}" for reason in wrong]
        if found is not None:
            captions[pair] = found
    if problems and not captions:
        raise DataError(
            f"nothing in {path} can be used as captions: {problems[0]}"
            + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")
        )
    return CaptionFile(captions, tuple(problems))


def read_raw_captions(path: Path) -> RawCaptions:
    """Read the entries of a caption file without looking into them.

    Raises:
        DataError: The file is missing, or is neither JSON nor JSON lines.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"{path} does not exist; expected a caption file: write one with "
            "`egmt annotate captions`, or give the path of another"
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}); expected a caption file") from error
    try:
        whole = json.loads(data, object_pairs_hook=_Object)
    except (ValueError, RecursionError) as error:
        return _read_lines(path, data, error)
    if not isinstance(whole, _Object):
        raise DataError(f"{path} holds {whole!r:.60}; expected a JSON object: pair -> captions")
    if isinstance(whole.get("pair"), str):
        return _read_lines(path, data, None)  # JSON lines with a single line
    lost = [_second_entry(path, pair) for pair in dict.fromkeys(whole.doubled)]
    for pair, entry in whole.items():
        lost += _doubled_keys(f"{path}: {pair!r:.60}", entry)
    return RawCaptions(whole, tuple(lost))


def write_caption_file(path: Path, entries: Mapping[str, Any]) -> None:
    """Write a caption file at once: whoever reads meanwhile finds the old one or the new one.

    Args:
        path: Written to; its folder exists.
        entries: Name of the pair -> entry.

    Raises:
        OSError: It cannot be written.
    """
    text = json.dumps(entries, indent=1, ensure_ascii=False) + "\n"
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(text.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def one_line(text: str) -> str:
    """The text with every run of white space as one space, and none at its ends."""
    return " ".join(text.split())


def is_text(value: object) -> bool:
    """Whether a JSON value is a text that can be written again (half a surrogate pair cannot)."""
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _read_lines(path: Path, data: bytes, why_not_whole: Exception | None) -> RawCaptions:
    entries: dict[str, Any] = {}
    lost = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_Object)
        except (ValueError, RecursionError) as error:
            lost.append(f"{path}, line {number} is not JSON ({error}): {line[:40]!r}")
            continue
        pair = found.get("pair") if isinstance(found, _Object) else None
        if not isinstance(pair, str) or not pair:
            lost.append(
                f"{path}, line {number} is {found!r:.60}; expected an object with the name of a "
                "pair as `pair`"
            )
        elif pair in entries:
            lost.append(_second_entry(path, pair, number))
        else:
            del found["pair"]
            entries[pair] = found
            lost += _doubled_keys(f"{path}, line {number}", found)
    if not entries:
        raise DataError(
            f"{path} is neither a JSON object (pair -> captions; {why_not_whole or 'empty'}) nor "
            "JSON lines ({'pair': ..., ...} each); repair or remove it"
        )
    return RawCaptions(entries, tuple(lost))


def _second_entry(path: Path, pair: str, line: int | None = None) -> str:
    where = f"{path}, line {line}" if line else str(path)
    return f"{where}: {pair!r:.60} is captioned a second time; the first entry counts"


def _doubled_keys(where: str, entry: Any) -> list[str]:
    """What is wrong with the keys of an entry and of its lists."""
    inside = entry.values() if isinstance(entry, _Object) else ()
    objects = [found for found in (entry, *inside) if isinstance(found, _Object)]
    keys = [key for found in objects for key in found.doubled]
    return [f"{where}: {key!r:.60} stands twice; the first counts" for key in keys]


def _pair_captions(pair: str, entry: Any) -> tuple[PairCaptions | None, list[str]]:
    """The captions of an entry, None if it holds neither caption nor list; and what is wrong."""
    if not isinstance(entry, dict):
        return None, [f"is {entry!r:.60}; expected an object with infrared and visible captions"]
    if not pair.strip() or not is_text(pair):
        return None, ["expected the name of a pair"]
    wrong: list[str] = []
    texts = {image: _caption(image, entry.get(image), wrong) for image in IMAGES}
    listed = entry.get("entities")
    if listed is not None and not isinstance(listed, dict):
        wrong.append(f"entities is {listed!r:.60}; expected lists for infrared and visible")
        listed = None
    lists = {
        image: _names(f"entities.{image}", (listed or {}).get(image), wrong) for image in IMAGES
    }
    unsure = _names("unsure", entry.get("unsure"), wrong)
    found = PairCaptions(
        pair,
        _text("split", entry.get("split"), wrong),
        texts["infrared"],
        texts["visible"],
        lists["infrared"],
        lists["visible"],
        unsure or (),
        _text("captioned_by", entry.get("captioned_by"), wrong),
    )
    useful = any(texts.values()) or any(names is not None for names in lists.values())
    return (found if useful else None), wrong


def _caption(image: str, value: Any, wrong: list[str]) -> str:
    text = one_line(value) if is_text(value) else ""
    if value is None:
        wrong.append(f"has no {image} caption")
    elif not is_text(value):
        wrong.append(f"{image} is {value!r:.60}; expected a caption")
    elif not text:
        wrong.append(f"the {image} caption is empty")
    return text


def _text(key: str, value: Any, wrong: list[str]) -> str:
    if value is None or is_text(value):
        return value or ""
    wrong.append(f"{key} is {value!r:.60}; expected a text")
    return ""


def _names(key: str, value: Any, wrong: list[str]) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(is_text(name) for name in value):
        return tuple(value)
    wrong.append(f"{key} is {value!r:.60}; expected a list of names")
    return None
