"""A detector's classes, and which entities of a vocabulary mean them.

Detectors and vocabularies name things differently (VOC: "motorbike", KITTI: "Pedestrian",
Cityscapes: "rider") and draw lines elsewhere: who annotated COCO called a van a car, and has stop
signs where a vocabulary has traffic signs. An entity means a class if the detector reports objects
of the entity as the class, or if objects of the class are such entities. So a class is absent when
all that means it is absent; that it is there, a wider entity ("animal" for "horse") only suggests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from egmt_ros.downstream.settings import check_probability
from egmt_ros.errors import ConfigError

ALIASES: Mapping[str, tuple[str, ...]] = {
    "aeroplane": ("airplane",),
    "automobile": ("car", "van"),
    "bicycle": ("bike", "cyclist"),
    "bike": ("bicycle", "cyclist"),
    "bird": ("animal",),
    "car": ("automobile", "van", "taxi"),
    "cat": ("animal",),
    "cone": ("traffic cone",),
    "cow": ("animal",),
    "deer": ("animal",),
    "dog": ("animal",),
    "horse": ("animal",),
    "lorry": ("truck",),
    "motorbike": ("motorcycle", "motorcyclist"),
    "motorcycle": ("motorbike", "motorcyclist"),
    "pedestrian": ("person", "soldier"),
    "person": ("pedestrian", "cyclist", "motorcyclist", "rider", "soldier"),
    "person sitting": ("person",),
    "rider": ("cyclist", "motorcyclist"),
    "sheep": ("animal",),
    "stop sign": ("traffic sign",),
    "street lamp": ("street light",),
    "traffic lamp": ("traffic light",),
    "traffic light": ("traffic lamp", "traffic signal"),
    "traffic sign": ("road sign", "stop sign"),
    "traffic signal": ("traffic light",),
    "tram": ("train",),
    "truck": ("lorry", "pickup"),
}
"""Class -> entities that mean it, besides the one of its own name; names as `plain_name` has them.

For the classes of COCO, VOC, KITTI, Cityscapes and FLIR that are seen outdoors. Entities that a
vocabulary lacks do no harm.
"""


@dataclass(frozen=True)
class DetectorClass:
    """One class of a detector.

    Attributes:
        name: As the detector calls it.
        threshold: The detector's own threshold for it, 0..1, both excluded.
        base_rate: Share of the images with the class where that threshold was chosen, 0..1, both
            excluded; 0.5: unknown.
        entities: Entities of the vocabulary that mean it; empty: none, the labels say nothing.

    Raises:
        ConfigError: threshold or base rate out of range.
    """

    name: str
    threshold: float = 0.5
    base_rate: float = 0.5
    entities: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_probability(f"threshold of the class {self.name!r}", self.threshold)
        check_probability(f"base rate of the class {self.name!r}", self.base_rate)


def plain_name(name: str) -> str:
    """A name for comparing: lower case, "_" and "-" as spaces, single spaces."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def matching_entities(
    name: str, vocabulary: Iterable[str], aliases: Mapping[str, tuple[str, ...]] = ALIASES
) -> tuple[str, ...]:
    """The entities of a vocabulary that mean a class, in the vocabulary's order.

    Args:
        name: Class, as the detector calls it.
        vocabulary: The entities, as the model calls them.
        aliases: Class -> entities that mean it besides its own name, both in any spelling.
    """
    plain = plain_name(name)
    wanted = {plain}
    for alias, entities in aliases.items():
        if plain_name(alias) == plain:
            wanted |= {plain_name(entity) for entity in entities}
    return tuple(entity for entity in vocabulary if plain_name(entity) in wanted)


def detector_classes(
    names: Iterable[str],
    vocabulary: Iterable[str],
    *,
    threshold: float = 0.5,
    thresholds: Mapping[str, float] | None = None,
    base_rate: float = 0.5,
    base_rates: Mapping[str, float] | None = None,
    aliases: Mapping[str, tuple[str, ...]] = ALIASES,
) -> tuple[DetectorClass, ...]:
    """The classes of a detector, with the entities that mean them.

    Args:
        names: The classes, as the detector calls them.
        vocabulary: Names of the model's entities.
        threshold, base_rate: See DetectorClass; for classes without one of their own.
        thresholds, base_rates: Class -> its own.
        aliases: See `matching_entities`.

    Raises:
        ConfigError: no class, a class twice, a value of a class that is not among them, or a
            value out of range.
    """
    names, vocabulary = list(names), tuple(vocabulary)
    thresholds, base_rates = thresholds or {}, base_rates or {}
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled or not names:
        found = f"{doubled[0]!r} twice" if doubled else "none"
        raise ConfigError(f"classes of the detector: found {found}; expected each class once")
    for what, given in (("thresholds", thresholds), ("base_rates", base_rates)):
        foreign = sorted(set(given) - set(names))
        if foreign:
            raise ConfigError(
                f"{what} has the class {foreign[0]!r}: expected one of {', '.join(names)}"
            )
    return tuple(
        DetectorClass(
            name=name,
            threshold=thresholds.get(name, threshold),
            base_rate=base_rates.get(name, base_rate),
            entities=matching_entities(name, vocabulary, aliases),
        )
        for name in names
    )


def parse_numbers(parameter: str, lines: Iterable[str]) -> dict[str, float]:
    """{"person": 0.4} of ["person=0.4"], as parameters of ROS give it; empty lines are skipped.

    Args:
        parameter: Its name, for the error.
        lines: "class=number" each.

    Raises:
        ConfigError: a line is not of this form, or a class is given twice.
    """
    numbers = {}
    for name, value in _assignments(parameter, lines, "person=0.4").items():
        try:
            numbers[name] = float(value)
        except ValueError:
            raise ConfigError(
                f"parameter {parameter} has {name}={value}: expected a number, as in person=0.4"
            ) from None
    return numbers


def parse_aliases(parameter: str, lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """ALIASES with {"deer": ("animal", "moose")} of ["deer=animal,moose"] in place of their own.

    "deer=" leaves the class its own name alone. Arguments and errors as of `parse_numbers`.
    """
    aliases = {plain_name(name): entities for name, entities in ALIASES.items()}
    for name, value in _assignments(parameter, lines, "deer=animal,moose").items():
        aliases[plain_name(name)] = tuple(part.strip() for part in value.split(",") if part.strip())
    return aliases


def _assignments(parameter: str, lines: Iterable[str], example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        if not line.strip():
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not name or name in found:
            problem = "the class twice" if name in found else "no class=value"
            raise ConfigError(
                f"parameter {parameter} has {line!r}, {problem}: expected each class once, as in"
                f" {example}"
            )
        found[name] = value
    return found
