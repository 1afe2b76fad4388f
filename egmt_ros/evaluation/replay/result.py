"""An evaluation of a bag, read back from its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from egmt_ros.evaluation.replay.run import Run, load_run
from egmt_ros.evaluation.replay.tables import (
    FRAMES,
    SCORES,
    TIMING,
    TRUTH,
    UNUSED,
    Table,
    read_table,
    read_unused,
)

OUTPUT_BAG = "bag"
"""Folder of the fused images, label arrays and vocabulary, an mcap bag."""


@dataclass(frozen=True)
class Result:
    """A folder that `egmt evaluate bag` made; the tables have the same rows.

    Attributes:
        folder: Where it is.
        run: What was replayed, and how.
        frames, scores, timing: See `tables`.
        truth: None where there is no ground truth.
        unused: Frames that are in no fused image, `tables.UNUSED_COLUMNS` each.
    """

    folder: Path
    run: Run
    frames: Table
    scores: Table
    timing: Table
    truth: Table | None
    unused: list[dict[str, str]]


def load_result(folder: Path) -> Result:
    """Read an evaluation.

    Raises:
        DataError: The folder is no evaluation, or a file of it is damaged.
    """
    run = load_run(folder)
    truth = folder / TRUTH
    return Result(
        folder,
        run,
        read_table(folder / FRAMES),
        read_table(folder / SCORES),
        read_table(folder / TIMING),
        read_table(truth) if truth.is_file() else None,
        read_unused(folder / UNUSED),
    )
