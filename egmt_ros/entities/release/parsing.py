"""JSON -> AnnotationFile; everything that annotations.schema.json says is checked here.

The schema itself serves other tools and editors. A validator of schemas would be one more package
to install, and its messages name places by JSON paths; these name the pair, the key and the remedy.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from egmt_ros.entities.release import problems as kinds
from egmt_ros.entities.release.annotation_file import (
    FEWEST,
    FORMAT,
    MOST,
    VERSION,
    AnnotationFile,
    Extractor,
    ImageAnnotation,
    PairAnnotation,
)
from egmt_ros.entities.release.json_source import JsonObject
from egmt_ros.entities.release.problems import Problem

_IMAGE_KEYS = ("caption", "entities", "extracted")


class Parsed(NamedTuple):
    """What could be read.

    Attributes:
        file: The annotations, without the pairs that have errors; None if the file as a whole
            could not be understood.
        problems: What is wrong.
    """

    file: AnnotationFile | None
    problems: list[Problem]


def parse_annotations(found: Any) -> Parsed:
    """Read what a JSON file held.

    Args:
        found: What read_json returned.
    """
    reader = _Reader()
    if not isinstance(found, dict):
        reader.add(kinds.SHAPE, f"the file is {found!r:.60}; expected a JSON object")
        return Parsed(None, reader.problems)
    for key, expected in (("format", FORMAT), ("version", VERSION)):
        value = found.get(key)
        if value != expected or isinstance(value, bool):
            reader.add(
                kinds.FORMAT,
                f"{key} is {value!r:.60}; expected {expected!r}: make the file with `egmt annotate "
                "release`, or use the egmt_ros that knows this format",
            )
    if reader.problems:
        return Parsed(None, reader.problems)
    required = ("format", "version", "dataset", "annotated_by", "vocabulary", "pairs")
    reader.keys("", found, required, ("extractor",))
    dataset = reader.text("dataset", found.get("dataset", ""))
    annotated_by = reader.text("annotated_by", found.get("annotated_by", ""))
    extractor = reader.extractor(found["extractor"]) if "extractor" in found else None
    vocabulary = reader.vocabulary(found.get("vocabulary", []))
    usable = not reader.problems
    pairs = reader.pairs(found.get("pairs", {}))
    if not usable:
        return Parsed(None, reader.problems)
    file = AnnotationFile(dataset, annotated_by, extractor, vocabulary, pairs)
    return Parsed(file, reader.problems)


class _Reader:
    """Reads values and notes what is wrong with them; a wrong value becomes an empty one."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._pair: str | None = None

    def add(self, kind: str, message: str) -> None:
        self.problems.append(Problem(kind, message, self._pair))

    def keys(
        self, where: str, found: Any, required: Collection[str], optional: Collection[str]
    ) -> bool:
        """Check that an object has the keys it must have, and no others."""
        if not isinstance(found, dict):
            self.add(kinds.SHAPE, f"{where or 'it'} is {found!r:.60}; expected a JSON object")
            return False
        dot = f"{where}." if where else ""
        known = (*required, *optional)
        for key in sorted(found.keys() - set(known)):
            self.add(kinds.SHAPE, f"{dot}{key!r:.60} is unknown; expected of {', '.join(known)}")
        for key in required:
            if key not in found:
                self.add(kinds.SHAPE, f"{dot}{key} is missing; add it")
        for key in _repeated(found):
            self.add(kinds.REPEATED_KEY, f"{dot}{key!r:.60} stands twice; remove one of the two")
        return True

    def text(self, where: str, value: Any, kind: str = kinds.SHAPE) -> str:
        if not isinstance(value, str):
            self.add(kinds.SHAPE, f"{where} is {value!r:.60}; expected a text")
            return ""
        if not value.strip():
            self.add(kind, f"{where} is {value!r:.60}; expected a text that is not empty")
        return value

    def names(self, where: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            self.add(kinds.SHAPE, f"{where} is {value!r:.60}; expected a list of names")
            return ()
        names = []
        for name in value:
            if not isinstance(name, str) or not name.strip():
                self.add(kinds.SHAPE, f"{where} holds {name!r:.60}; expected names")
            elif name in names:
                self.add(kinds.REPEATED_NAME, f"{where} holds {name!r:.60} twice; remove one")
            else:
                names.append(name)
        return tuple(names)

    def extractor(self, found: Any) -> Extractor | None:
        if not self.keys("extractor", found, Extractor._fields, ()):
            return None
        return Extractor(
            *(self.text(f"extractor.{key}", found.get(key, "?")) for key in Extractor._fields)
        )

    def vocabulary(self, found: Any) -> tuple[str, ...]:
        names = self.names("vocabulary", found)
        if found == []:
            self.add(kinds.SHAPE, "vocabulary is empty; expected the names that were looked for")
        return names

    def pairs(self, found: Any) -> dict[str, PairAnnotation]:
        if not isinstance(found, dict):
            self.add(kinds.SHAPE, f"pairs is {found!r:.60}; expected a JSON object")
            return {}
        if not found:
            self.add(kinds.SHAPE, "pairs is empty; expected the annotations of at least one pair")
        pairs = {}
        for name, entry in found.items():
            self._pair = name
            before = len(self.problems)
            if not name.strip():
                self.add(kinds.SHAPE, "its name is empty; expected the stem of its files")
            pair = self.pair(entry)
            if name in _repeated(found):
                self.add(
                    kinds.REPEATED_PAIR,
                    "two annotations of one pair; remove one, or join them",
                )
            if pair is not None and len(self.problems) == before:
                pairs[name] = pair
        self._pair = None
        return pairs

    def pair(self, found: Any) -> PairAnnotation | None:
        if not self.keys("", found, ("split", "infrared"), ("visible", "entities", "unsure")):
            return None
        chosen = None
        if "entities" in found:
            chosen = self.names("entities", found["entities"])
            if len(chosen) > MOST:
                self.add(
                    kinds.COUNT,
                    f"entities holds {len(chosen)} names; expected {FEWEST} to {MOST}: leave out "
                    "the less important ones",
                )
        return PairAnnotation(
            self.text("split", found.get("split", "?")),
            self.image("infrared", found.get("infrared", {"entities": []})),
            self.image("visible", found["visible"]) if "visible" in found else None,
            chosen,
            self.names("unsure", found.get("unsure", [])),
        )

    def image(self, side: str, found: Any) -> ImageAnnotation:
        if not self.keys(side, found, (), _IMAGE_KEYS):
            return ImageAnnotation(None, None, None)
        if "entities" not in found and "extracted" not in found:
            self.add(
                kinds.SHAPE,
                f"{side} has neither entities nor extracted; list the entities that were seen (an "
                "empty list if there are none), or extract them with `egmt annotate release`",
            )
        caption = None
        if "caption" in found:
            caption = self.text(f"{side}.caption", found["caption"], kinds.CAPTION)
        lists = (
            self.names(f"{side}.{key}", found[key]) if key in found else None
            for key in ("entities", "extracted")
        )
        return ImageAnnotation(caption, *lists)


def _repeated(found: dict[str, Any]) -> tuple[str, ...]:
    return found.repeated if isinstance(found, JsonObject) else ()
