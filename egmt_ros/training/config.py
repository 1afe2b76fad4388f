"""Training configuration, read from YAML."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from egmt_ros.errors import ConfigError
from egmt_ros.model.config import EGMTConfig


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss terms; see config/training.yaml."""

    intensity: float
    entity_intensity: float
    gradient: float
    spurious: float
    patches: float
    halos: float
    ssim: float
    vif: float
    vif_min: float
    qabf: float
    q_min: float
    scd: float
    ssim_min: float
    cc_min: float
    labels: float
    dense: float
    matte: float


BALANCED = ("ssim", "ssim_min", "vif", "vif_min", "qabf", "q_min", "scd", "cc_min")
"""Loss terms that are metrics of single pairs, so that pairs can have a balance of their own."""


@dataclass(frozen=True)
class LateLoss:
    """Loss weights that count from a step on."""

    from_step: int
    loss: LossWeights


@dataclass(frozen=True)
class View:
    """Size of one kind of batch; `share` is the part of all batches that are of this kind."""

    batch: int
    height: int
    width: int
    share: float = 0.0


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides a training run; see config/training.yaml for the meaning."""

    vocabulary: Path
    small: View
    large: View
    thermal_only: int
    loss: LossWeights
    steps: int
    name: str = "egmt"
    seed: int = 7
    threads: int = 2
    learning_rate: float = 2e-3
    warm_up: int = 200
    weight_decay: float = 0.02
    gradient_clip: float = 5.0
    late_loss: LateLoss | None = None
    balance: dict[str, dict[str, float]] = field(default_factory=dict)
    pretrained: bool = False
    backbone_rate: float = 1.0
    unguided: float = 0.0
    faults: float = 0.0
    label_smoothing: float = 0.0
    average: float = 0.998
    start_share: float = 0.0
    freeze_norms_at: float = 0.8
    validate_every: int = 500
    checkpoint_every: int = 100
    network: dict[str, Any] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)
    overlaps: dict[str, list[str]] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    annotations: dict[str, Path] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


class _Number(NamedTuple):
    """What a number must be; a rule is called with a key's full name and its value."""

    fits: Callable[[float], bool]
    expected: str
    kind: type = float

    def __call__(self, where: str, value: Any) -> Any:
        try:  # PyYAML reads 2e-3, without a point, as a text
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        whole = self.kind is float or number.is_integer()
        if not (math.isfinite(number) and whole and self.fits(number)):
            raise ConfigError(f"{where} is {value!r:.60}; expected {self.expected}")
        return self.kind(number)


_FROM_ZERO = _Number(lambda v: v >= 0, "a number from 0 up")
_ABOVE_ZERO = _Number(lambda v: v > 0, "a number above 0")
_SHARE = _Number(lambda v: 0 <= v <= 1, "a number from 0 to 1")
_COUNT = _Number(lambda v: 1 <= v < 2**31, "a whole number from 1 up", int)
_SIDE = _Number(lambda v: v >= 64 and v % 16 == 0, "one of the multiples of 16 from 64 up", int)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{where} is {value!r:.60}; expected a text")
    return value


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{where} is {value!r:.60}; expected true or false")
    return value


def _mapping(where: str, value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is {value!r:.60}; expected a mapping")
    return value


def _network(where: str, value: Any) -> dict[str, Any]:
    try:
        EGMTConfig.from_dict(_mapping(where, value))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return value


def _masks(where: str, value: Any) -> dict[str, Any]:
    rules = {"folder": _text, "classes": _classes}
    return {
        _text(where, name): _checked(f"{where}.{name}", entry, rules)
        for name, entry in _mapping(where, value).items()
    }


def _classes(where: str, value: Any) -> dict[int, str]:
    pixel = _Number(lambda v: 0 <= v <= 255, "pixel values, whole numbers from 0 to 255", int)
    return {
        pixel(f"a key of {where}", key): _text(f"{where}.{key}", name)
        for key, name in _mapping(where, value).items()
    }


def _overlaps(where: str, value: Any) -> dict[str, list[str]]:
    for name, others in _mapping(where, value).items():
        if not isinstance(others, list):
            raise ConfigError(f"{where}.{name} is {others!r:.60}; expected a list of entities")
        for entity in (name, *others):
            _text(f"{where}.{name}", entity)
    return value


_VIEW = {"batch": _COUNT, "height": _SIDE, "width": _SIDE, "share": _SHARE}


def _view(where: str, value: Any) -> View:
    return View(**_checked(where, value, _VIEW, optional={"share"}))


_VIEWS = {
    "small": _view,
    "large": _view,
    "thermal_only": _Number(lambda v: v >= 0, "a whole number from 0 up", int),
}


def _views(where: str, value: Any) -> dict[str, Any]:
    views = _checked(where, value, _VIEWS)
    if views["thermal_only"] >= views["small"].batch:
        raise ConfigError(
            f"{where}.thermal_only is {views['thermal_only']}; expected less than "
            f"views.small.batch, {views['small'].batch}: a batch needs a pair"
        )
    return views


def _loss(where: str, value: Any) -> LossWeights:
    names = [entry.name for entry in fields(LossWeights)]
    return LossWeights(**_checked(where, value, dict.fromkeys(names, _FROM_ZERO)))


def _late_loss(where: str, value: Any) -> dict[str, Any]:
    """The step and the weights that change; the others stay what `loss` says."""
    names = [entry.name for entry in fields(LossWeights)]
    rules = {"from_step": _COUNT, **dict.fromkeys(names, _FROM_ZERO)}
    return _checked(where, value, rules, optional=set(names))


def _balance(where: str, value: Any) -> dict[str, dict[str, float]]:
    """Data set -> name of a term -> factor on what the data set's pairs add to it."""
    rules = dict.fromkeys(BALANCED, _FROM_ZERO)
    return {
        _text(where, name): _checked(f"{where}.{name}", entry, rules, set(rules))
        for name, entry in _mapping(where, value).items()
    }


def _names(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{where} is {value!r:.60}; expected a list of names")
    return tuple(_text(where, name) for name in value)


def _annotations(where: str, value: Any) -> dict[str, str]:
    return {
        _text(where, name): _text(f"{where}.{name}", file)
        for name, file in _mapping(where, value).items()
    }


_RULES = {
    "vocabulary": _text,
    "views": _views,
    "loss": _loss,
    "late_loss": _late_loss,
    "balance": _balance,
    "name": _text,
    "steps": _COUNT,
    "seed": _Number(lambda v: 0 <= v < 2**32, "a whole number from 0 to 4294967295", int),
    "threads": _COUNT,
    "learning_rate": _ABOVE_ZERO,
    "warm_up": _COUNT._replace(expected="a whole number from 1 up (1: no warm-up)"),
    "weight_decay": _FROM_ZERO,
    "gradient_clip": _ABOVE_ZERO,
    "pretrained": _flag,
    "backbone_rate": _SHARE,
    "unguided": _SHARE,
    "faults": _SHARE,
    "label_smoothing": _SHARE,
    "start_share": _SHARE,
    "average": _Number(lambda v: 0 <= v < 1, "a number from 0 to below 1"),
    "freeze_norms_at": _SHARE,
    "validate_every": _COUNT,
    "checkpoint_every": _COUNT,
    "network": _network,
    "masks": _masks,
    "overlaps": _overlaps,
    "only": _names,
    "annotations": _annotations,
    "left_out": _names,
}
_REQUIRED = {"vocabulary", "views", "loss", "steps"}


def _checked(
    where: str,
    found: Any,
    rules: Mapping[str, Callable[[str, Any], Any]],
    optional: Set[str] = frozenset(),
) -> dict[str, Any]:
    """The values of a mapping by the rule of each key; every key that is not optional is there."""
    found = _mapping(where or "the file", found)
    dot = f"{where}." if where else ""
    for key in found:
        if key not in rules:
            raise ConfigError(f"{dot}{key} is unknown; expected of {', '.join(rules)}")
    for key in rules:
        if key not in found and key not in optional:
            raise ConfigError(f"{dot}{key} is missing; expected {', '.join(rules)}")
    return {key: rules[key](f"{dot}{key}", value) for key, value in found.items()}


def load_training_config(path: Path) -> TrainingConfig:
    """Read a training YAML.

    Raises:
        ConfigError: The file is missing or not YAML, a key is missing or unknown, or its value
            is of another kind or out of range.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise ConfigError(f"training configuration {path} does not exist; give --config") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"training configuration {path} is not YAML: {error}") from error
    try:
        values = _checked("", data, _RULES, _RULES.keys() - _REQUIRED)
    except ConfigError as error:
        raise ConfigError(f"training configuration {path}: {error}") from error
    if "late_loss" in values:
        changed = dict(values["late_loss"])
        step = changed.pop("from_step")
        values["late_loss"] = LateLoss(step, replace(values["loss"], **changed))
    files = values.pop("annotations", {})
    values["annotations"] = {name: path.parent / file for name, file in files.items()}
    return TrainingConfig(
        vocabulary=path.parent / values.pop("vocabulary"), **values.pop("views"), **values
    )
