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
    """Read an evaluation; of one that broke off, the frames that all tables hold.

    Raises:
        DataError: The folder is no evaluation, or a file of it is damaged.
    """
    run = load_run(folder)
    tables = {name: read_table(folder / name) for name in (FRAMES, SCORES, TIMING)}
    if (folder / TRUTH).is_file():
        tables[TRUTH] = read_table(folder / TRUTH)
    if not run.complete:
        rows = min(len(table) for table in tables.values())
        tables = {name: table.first(rows) for name, table in tables.items()}
    return Result(
        folder,
        run,
        tables[FRAMES],
        tables[SCORES],
        tables[TIMING],
        tables.get(TRUTH),
        read_unused(folder / UNUSED),
    )
