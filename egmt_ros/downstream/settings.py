"""Settings of the prior: frozen, checked when they are made; bad values raise ConfigError."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from egmt_ros.errors import ConfigError


def _number(default: float | int, low: float, high: float, text: str) -> float:
    """A field with its range and description; nodes declare their parameters from these."""
    return field(default=default, metadata={"low": low, "high": high, "text": text})


def check_number(name: str, value: object, low: float, high: float) -> None:
    """Raise ConfigError unless `value` is a number from `low` to `high`, both included."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not low <= value <= high:  # also for NaN
        raise ConfigError(f"{name} is {value!r}: expected a number from {low:g} to {high:g}")


def check_probability(name: str, value: object) -> None:
    """Raise ConfigError unless `value` lies between 0 and 1, both excluded."""
    check_number(name, value, 0.0, 1.0)
    if value in (0, 1):
        raise ConfigError(
            f"{name} is {value!r}: expected more than 0 and less than 1, which alone have finite"
            " log odds"
        )


@dataclass(frozen=True)
class _Numbers:
    """Checks every field that has a range, under the name that a node's parameter has."""

    def __post_init__(self) -> None:
        group = type(self).__name__.removesuffix("Settings").lower()
        prefix = "" if group == "prior" else f"{group}."
        for entry in fields(self):
            if entry.metadata:
                value = getattr(self, entry.name)
                low, high = entry.metadata["low"], entry.metadata["high"]
                check_number(prefix + entry.name, value, low, high)


@dataclass(frozen=True)
class GateSettings(_Numbers):
    """When the detector of a class runs; times in seconds of source time (stamps)."""

    open_score: float = _number(
        -1.0, -1.0, 1.0, "Score that opens the gate; -1: the entity's own threshold (`present`)."
    )
    keep_score: float = _number(
        -1.0, -1.0, 1.0,
        "Score that keeps it open; -1: the entity's own threshold. A lower one is seen only with"
        " entities.publish_all of the fusion node.",
    )  # fmt: skip
    hold: float = _number(
        1.0, 0.0, 3600.0, "Time that it stays open after the last score that keeps it, s."
    )
    probe: float = _number(
        2.0, 0.0, 3600.0, "A closed gate lets a frame pass after this time, s; 0: never."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.open_score >= 0.0 and self.keep_score > self.open_score:
            raise ConfigError(
                f"gate.keep_score is {self.keep_score:g} and gate.open_score is"
                f" {self.open_score:g}: expected keep_score not above open_score, or the score"
                " that opens the gate would not keep it open"
            )


@dataclass(frozen=True)
class ShiftSettings(_Numbers):
    """How far the prior moves a detector's threshold; log odds are natural logarithms."""

    weight: float = _number(
        1.0, 0.0, 1.0, "Trust in the prior, factor of its log odds; 1: Bayes' rule, 0: no shift."
    )
    max_lowering: float = _number(
        1.0, 0.0, 10.0, "A threshold is lowered by at most this, log odds; 1: odds / 2.7."
    )
    max_raising: float = _number(
        0.0, 0.0, 10.0, "A threshold is raised by at most this, log odds; 0: never."
    )
    floor: float = _number(0.05, 0.0, 1.0, "No threshold is lowered below this score.")


@dataclass(frozen=True)
class CropSettings(_Numbers):
    """From regions to crops; sizes in pixels of the fused image."""

    margin: float = _number(
        0.25, 0.0, 10.0, "Added on each side, as a share of the region's width and height."
    )
    min_size: int = _number(
        160, 1, 65535, "Least width and height of a crop, pixels; less only in a smaller image."
    )
    min_mass: float = _number(
        0.5, 0.0, 1.0, "A region with less of the entity's attention counts as none."
    )
    whole_above: float = _number(
        0.6, 0.0, 1.0, "Crops that cover this share of the image become the whole image."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.min_size, int):
            raise ConfigError(f"crop.min_size is {self.min_size!r}: expected an integer")


@dataclass(frozen=True)
class PriorSettings(_Numbers):
    """All of them; `gate`, `shift` and `crop` are the groups."""

    gate: GateSettings = GateSettings()
    shift: ShiftSettings = ShiftSettings()
    crop: CropSettings = CropSettings()
    max_age: float = _number(
        0.2, 0.0, 3600.0, "Largest difference of the stamps of an image and its prior, s."
    )
