"""What is compared of two evaluations, how it came out, and what that means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.replay.intervals import RESAMPLES, Interval

BETTER, WORSE, UNCLEAR = "better", "worse", "cannot be told"
NEUTRAL, SAME, UNMEASURED = "no verdict", "the same", "not measured"


class Draws(NamedTuple):
    """Of the bootstrap."""

    resamples: int = RESAMPLES
    seed: int = 0


@dataclass(frozen=True)
class Measured:
    """B minus A.

    Attributes:
        a, b: What each of the two has, over what both have; None where that is not defined.
        difference: b - a and its interval; None where it could not be measured.
        exact: A count that would come out the same again: it needs no interval.
        reason: Why there is no difference or interval; empty otherwise.
    """

    a: float | None
    b: float | None
    difference: Interval | None
    exact: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Figure:
    """Something to compare; its name is known before the work is done.

    Attributes:
        name: As gates call it, such as "metric.qabf".
        title: As tables call it.
        direction: 1 more is better, -1 less is better, 0 neither.
        measure: Does the work.
        aliases: Further names for gates.
    """

    name: str
    title: str
    direction: int
    measure: Callable[[Draws], Measured] = field(repr=False, compare=False)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compared:
    """A figure that was measured.

    Attributes:
        name, title, direction: As of `Figure`.
        measured: How it came out.
    """

    name: str
    title: str
    direction: int
    measured: Measured

    @property
    def difference(self) -> float | None:
        """B minus A; None where it could not be measured."""
        found = self.measured.difference
        return None if found is None or np.isnan(found.mean) else found.mean

    @property
    def verdict(self) -> str:
        """One of the words above, of B against A."""
        interval, change = self.measured.difference, self.difference
        if interval is None or change is None:
            return UNMEASURED
        side = interval.verdict
        if self.measured.exact:
            side = "higher" if change > 0 else "lower" if change < 0 else "equal"
        if side == "equal":
            return SAME
        if self.direction == 0:
            return NEUTRAL
        if side == "unclear":
            return UNCLEAR
        return BETTER if (side == "higher") == (self.direction > 0) else WORSE

    @property
    def moved(self) -> bool:
        """Whether the interval leaves out 0."""
        interval = self.measured.difference
        return interval is not None and interval.verdict in ("higher", "lower")

    @property
    def percent(self) -> float | None:
        """The difference by the size of A's value, %; None where that is 0 or missing."""
        base, change = self.measured.a, self.difference
        return None if change is None or not base else 100.0 * change / abs(base)


ONE_VALUE = "one value of each: no interval"


def of_one_value(a: float, b: float, exact: bool = False) -> Measured:
    """What a run has a single value of; equal values are the same, others cannot be told apart.

    Args:
        a, b: Of the two.
        exact: As of `Measured`: they can.
    """
    bound = 0.0 if a == b else np.nan
    reason = "" if exact or a == b else ONE_VALUE
    return Measured(a, b, Interval(b - a, bound, bound, 1), exact, reason)


def unmeasured(reason: str) -> Callable[[Draws], Measured]:
    """A `Figure.measure` of what the evaluations do not hold."""
    return lambda draws: Measured(None, None, None, reason=reason)
