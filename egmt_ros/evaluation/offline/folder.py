"""The folder of an evaluation: whether it may be written, and what an earlier one left."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from egmt_ros.errors import DataError
from egmt_ros.evaluation.replay.result import OUTPUT_BAG
from egmt_ros.evaluation.replay.run import RUN
from egmt_ros.evaluation.replay.tables import FRAMES, SCORES, TIMING, TRUTH, UNUSED
from egmt_ros.evaluation.report.montage import FILES

PROGRESS = "progress.csv"
"""For each frame of a run that is not complete: messages of the bag so far, and their hash."""
EARLIER = "earlier"
"""Folder in it with what an interrupted run left, while it is gone on with."""

LIVE = "live"
"""Folder in it with the logs of a live replay, and what was sent and received when."""

TABLES = (FRAMES, SCORES, TRUTH, UNUSED, TIMING)
MADE = (RUN, *TABLES, PROGRESS, "summary.json", "report.html", *FILES)
"""Files of an evaluation that a new one replaces."""


def prepare_folder(out: Path, bag: Path, *, may_hold_results: bool) -> bool:
    """See that the results can go into a folder; an earlier evaluation stays as it is.

    Args:
        out: The folder; made if need be.
        bag: What is evaluated.
        may_hold_results: Whether an earlier evaluation is to be gone on with or replaced.

    Returns:
        Whether there is an earlier evaluation.

    Raises:
        DataError: It cannot be written, holds other things, or an evaluation that is neither to be
            replaced nor gone on with.
    """
    _check_place(out, bag)
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise DataError(
            f"results cannot be written to {out} ({error.strerror}); give a folder with --out that"
            " may be written"
        ) from error
    if (out / RUN).is_file():
        if may_hold_results:
            return True
        raise DataError(
            f"{out} holds an evaluation already; give --overwrite to replace it, --resume to go on"
            " with one that was interrupted, or another --out"
        )
    if any(entry.name != LIVE for entry in out.iterdir()):
        raise DataError(
            f"{out} holds other things than an evaluation; expected a new or empty folder: give"
            " another --out"
        )
    return False


def clear_folder(out: Path, keep: Collection[str] = ()) -> None:
    """Remove an evaluation but for the folders `keep`; other files in the folder stay."""
    for name in MADE:
        (out / name).unlink(missing_ok=True)
    for name in {OUTPUT_BAG, EARLIER, f"{EARLIER}.part", LIVE}.difference(keep):
        shutil.rmtree(out / name, ignore_errors=True)


def _check_place(out: Path, bag: Path) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"--out is {out}, which is a file; expected a folder")
    place, source = out.resolve(), bag.resolve()
    if source.is_dir() and (place == source or source in place.parents):
        raise DataError(
            f"--out is {out}, inside the bag {bag}; expected a folder elsewhere, so that the bag"
            " stays as it is"
        )
    if place in source.parents and (out / RUN).is_file():
        raise DataError(
            f"the bag {bag} is part of the evaluation {out}; expected another folder with --out"
        )
