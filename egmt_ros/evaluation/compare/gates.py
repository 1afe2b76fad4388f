"""Conditions under which a comparison fails, for continuous integration.

"qabf<-0.01": fail if Qabf of B minus that of A is below -0.01. "fuse_ms>10%": fail if the median
time of B is more than 10 % above that of A.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.compare.figures import Compared, Figure

_OPERATORS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_PATTERN = re.compile(
    r"\s*(?P<quantity>[^<>=%]*?)\s*(?P<operator><=|>=|<|>)\s*"
    r"(?P<limit>[+-]?\s*(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)\s*(?P<percent>%?)\s*"
)
_EXPECTED = (
    "expected QUANTITY<LIMIT with <, <=, > or >= and a number, in % of A's value if it ends in %:"
    " qabf<-0.01, fuse_ms>10%"
)


@dataclass(frozen=True)
class Gate:
    """Fail if the quantity of B minus that of A is beyond the limit.

    Attributes:
        text: As it was given.
        quantity: What is compared.
        operator: "<", "<=", ">" or ">=".
        limit: Finite.
        percent: The limit is in % of the size of A's value.
    """

    text: str
    quantity: str
    operator: str
    limit: float
    percent: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a gate.

    Attributes:
        gate: Its text.
        quantity: Name of the figure.
        value: B minus A in the gate's unit; None where it could not be measured.
        failed: Whether it failed.
        reason: Why, in words.
    """

    gate: str
    quantity: str
    value: float | None
    failed: bool
    reason: str


def parse_gate(text: str) -> Gate:
    """Read an expression; blanks between its parts do not matter.

    Raises:
        ConfigError: It is none.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or not match["quantity"]:
        raise ConfigError(f"{text!r} is no condition; {_EXPECTED}")
    limit = float(re.sub(r"\s", "", match["limit"]))
    if not math.isfinite(limit):
        raise ConfigError(f"the limit of {text!r} is too large; {_EXPECTED}")
    return Gate(text.strip(), match["quantity"], match["operator"], limit, bool(match["percent"]))


def resolve(gates: Sequence[Gate], figures: Sequence[Figure]) -> list[Gate]:
    """Give each gate the name of the figure that it means.

    Upper and lower case, blanks and hyphens do not matter: "labels.Traffic light.ap".

    Raises:
        ConfigError: There is no such figure.
    """
    names = {_plain(name): f.name for f in figures for name in (f.name, *f.aliases)}
    found = []
    for gate in gates:
        name = names.get(_plain(gate.quantity))
        if name is None:
            raise ConfigError(
                f"{gate.quantity!r} in {gate.text!r} is no quantity of these evaluations;"
                f" expected one of:\n{known(figures)}"
            )
        found.append(Gate(gate.text, name, gate.operator, gate.limit, gate.percent))
    return found


def known(figures: Sequence[Figure]) -> str:
    """Every name that a gate may use, a line a figure, its other names behind it."""
    return "\n".join(
        f"  {f.name}" + (f" ({', '.join(f.aliases)})" if f.aliases else "") for f in figures
    )


def judge(gate: Gate, figure: Compared, surely: bool = False) -> Outcome:
    """Hold a gate against its figure; what could not be measured fails.

    Args:
        gate: With the figure's name.
        figure: As it was measured.
        surely: Fail only where the whole interval is beyond the limit. An exact count is its own
            interval; what has no interval fails.
    """
    change, interval = figure.difference, figure.measured.difference
    if change is None or interval is None:
        return _unmeasured(gate, figure.measured.reason or "it could not be measured")
    scale = 1.0
    if gate.percent:
        if not figure.measured.a:
            return _unmeasured(gate, "A's value is 0 or there is none, so there are no % of it")
        scale = 100.0 / abs(figure.measured.a)
    decisive = change
    if surely and not figure.measured.exact:
        decisive = interval.high if gate.operator.startswith("<") else interval.low
        if math.isnan(decisive):
            reason = figure.measured.reason or "it has no interval"
            return _unmeasured(gate, f"the interval is missing: {reason}", change * scale)
    failed = _OPERATORS[gate.operator](decisive * scale, gate.limit)
    unit = " %" if gate.percent else ""
    said = f"B - A is {change * scale:+.4g}{unit}"
    if surely and not figure.measured.exact:
        said += f" [{interval.low * scale:+.4g}, {interval.high * scale:+.4g}]"
    return Outcome(gate.text, figure.name, change * scale, bool(failed), said)


def _unmeasured(gate: Gate, reason: str, value: float | None = None) -> Outcome:
    return Outcome(gate.text, gate.quantity, value, True, f"cannot be judged: {reason}")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().lower())
