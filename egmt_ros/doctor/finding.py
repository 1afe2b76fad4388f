"""What a check found, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much a finding matters; only a problem makes `egmt doctor` fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        level: How much it matters.
        name: What was checked ("numpy", "/thermal/image_raw").
        found: What was found.
        remedy: What to do; empty where nothing is to be done.
    """

    level: Level
    name: str
    found: str
    remedy: str = ""

    def line(self) -> str:
        """Level, name, what was found and what to do, in one line."""
        text = f"{self.level.value:<8} {self.name}: {self.found}"
        return " ".join((f"{text} -> {self.remedy}" if self.remedy else text).splitlines())


def ok(name: str, found: str) -> Finding:
    """Nothing is to be done."""
    return Finding(Level.OK, name, found)


def warning(name: str, found: str, remedy: str) -> Finding:
    """It works, though not as well as it could, or not for everyone."""
    return Finding(Level.WARNING, name, found, remedy)


def problem(name: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, name, found, remedy)


def summary(findings: Sequence[Finding]) -> str:
    """How many of each level, in one line."""
    counts = {level: sum(f.level is level for f in findings) for level in Level}
    return (
        f"{len(findings)} checks: {counts[Level.OK]} ok,"
        f" {counts[Level.WARNING]} warnings, {counts[Level.PROBLEM]} problems"
    )


def exit_status(findings: Sequence[Finding]) -> int:
    """1 where there is a problem, otherwise 0."""
    return int(any(finding.level is Level.PROBLEM for finding in findings))
