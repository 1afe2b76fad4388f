"""Two evaluations of bags side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from egmt_ros.errors import DataError
from egmt_ros.evaluation.compare import setups
from egmt_ros.evaluation.compare.figures import Compared, Draws, Figure
from egmt_ros.evaluation.compare.frame_figures import frame_figures
from egmt_ros.evaluation.compare.fusion_figures import fusion_figures
from egmt_ros.evaluation.compare.gates import Gate, Outcome, judge
from egmt_ros.evaluation.compare.label_figures import label_figures
from egmt_ros.evaluation.compare.live_figures import live_figures
from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.compare.speed_figures import speed_figures
from egmt_ros.evaluation.compare.truth_figures import truth_figures
from egmt_ros.evaluation.plain_json import plain

FORMAT = 1


@dataclass(frozen=True)
class Frames:
    """How the frames were matched.

    Attributes:
        matched: In both, by the stamps of the output and of both cameras.
        only_a, only_b: In one alone.
        partners: Of those, frames whose own stamp is in both, with another partner.
    """

    matched: int
    only_a: int
    only_b: int
    partners: int


@dataclass(frozen=True)
class Comparison:
    """B against A.

    Attributes:
        a, b: Folders.
        differences: What differs in the set-ups.
        warnings: What makes them less comparable.
        frames: How they were matched.
        figures: Everything that was compared.
        notes: What a reader should know.
        outcomes: Of the gates.
        draws: Of the bootstrap.
    """

    a: Path
    b: Path
    differences: tuple[setups.Difference, ...]
    warnings: tuple[str, ...]
    frames: Frames
    figures: tuple[Compared, ...]
    notes: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    draws: Draws

    @property
    def failed(self) -> bool:
        """Whether a gate failed."""
        return any(outcome.failed for outcome in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; not-a-number as None."""
        return plain({
            "format": FORMAT,
            "a": self.a,
            "b": self.b,
            "differences": [d._asdict() for d in self.differences],
            "warnings": self.warnings,
            "frames": asdict(self.frames),
            "figures": {figure.name: _figure(figure) for figure in self.figures},
            "notes": self.notes,
            "gates": [asdict(outcome) for outcome in self.outcomes],
            "bootstrap": self.draws._asdict(),
            "failed": self.failed,
        })  # fmt: skip

    def save(self, path: Path) -> None:
        """Write it as JSON.

        Raises:
            DataError: It cannot be written.
        """
        write(path, json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n")


def figures_of(pair: Pair) -> tuple[list[Figure], list[str]]:
    """Everything that can be compared, not yet measured, and what a reader should know."""
    truth, notes = truth_figures(pair)
    figures = [
        *fusion_figures(pair),
        *truth,
        *label_figures(pair),
        *frame_figures(pair),
        *speed_figures(pair),
        *live_figures(pair),
    ]
    return figures, notes


def compare(
    pair: Pair,
    figures: Sequence[Figure],
    notes: Sequence[str],
    gates: Sequence[Gate] = (),
    surely: bool = False,
    draws: Draws | None = None,
) -> Comparison:
    """Measure the figures and hold the gates against them.

    Args:
        pair: The two.
        figures, notes: As from `figures_of`.
        gates: Each names one of the figures.
        surely: A gate fails only where the whole interval is beyond its limit.
        draws: Of the bootstrap; None: the default ones.
    """
    draws = draws or Draws()
    found = [Compared(f.name, f.title, f.direction, f.measure(draws)) for f in figures]
    by_name = {figure.name: figure for figure in found}
    return Comparison(
        pair.whole_a.folder,
        pair.whole_b.folder,
        tuple(setups.differences(pair.whole_a.run, pair.whole_b.run)),
        tuple(setups.warnings(pair)),
        Frames(len(pair), pair.only_a, pair.only_b, pair.partners),
        tuple(found),
        tuple(notes),
        tuple(judge(gate, by_name[gate.quantity], surely) for gate in gates),
        draws,
    )


def write(path: Path, text: str) -> None:
    """Write a file whole.

    Raises:
        DataError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error}); give a file in a folder that may be written"
        ) from error


def _figure(figure: Compared) -> dict[str, Any]:
    found = figure.measured
    interval = found.difference
    return {
        "title": figure.title,
        "verdict": figure.verdict,
        "better": {1: "more", -1: "less", 0: None}[figure.direction],
        "a": found.a,
        "b": found.b,
        "difference": figure.difference,
        "percent": figure.percent,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "frames": 0 if interval is None else interval.count,
        "block": None if interval is None else interval.block,
        "exact": found.exact,
        "reason": found.reason,
    }
