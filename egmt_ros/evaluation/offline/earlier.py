"""What an interrupted evaluation left, to be gone on with.

Decoding, pairing and the thermal range are cheap and depend on what came before, so they are done
again. Fused images, labels, scores and metrics are taken over as they were written.
"""

from __future__ import annotations

import csv
import shutil
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from egmt_ros.errors import BagError, DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.offline.folder import EARLIER, PROGRESS
from egmt_ros.evaluation.offline.output_bag import TOPICS, Recorded
from egmt_ros.evaluation.replay.result import OUTPUT_BAG
from egmt_ros.evaluation.replay.run import Run
from egmt_ros.evaluation.replay.tables import FRAME_VALUES, FRAMES, KEYS, SCORES, TIMING

TABLES = (FRAMES, SCORES, TIMING, PROGRESS)
_PART = f"{EARLIER}.part"
_KEPT = len(KEYS) + len(FRAME_VALUES) - 2  # columns of FRAMES that are worked out again


class EarlierFrame(NamedTuple):
    """A frame of the earlier run; cells as they were written.

    Attributes:
        key: Of `tables.KEYS`.
        values: Of the first `tables.FRAME_VALUES`, up to the range, which are worked out again.
        rest: Temperatures and metrics.
        scores, times: Of SCORES and TIMING, without the keys.
        progress: Messages that had been read, and their hash.
        recorded: Image and labels.
    """

    key: tuple[str, ...]
    values: tuple[str, ...]
    rest: tuple[str, ...]
    scores: tuple[str, ...]
    times: tuple[str, ...]
    progress: tuple[str, str]
    recorded: Recorded


class Earlier:
    """Gives the frames of the earlier run one after another, as far as all of each is there.

    Args:
        folder: As `set_aside` made it.
    """

    def __init__(self, folder: Path) -> None:
        self._recorded = _outputs(folder / OUTPUT_BAG)
        self._rows = zip(*(_rows(folder / name) for name in TABLES), strict=False)
        self._row = next(self._rows, None)

    @property
    def done(self) -> bool:
        """Whether there is nothing more to take over."""
        return self._row is None

    def is_next(self, key: tuple[int, ...]) -> bool:
        """Whether a frame with these `tables.KEYS` is the next one."""
        return self._row is not None and tuple(self._row[0][: len(KEYS)]) == tuple(map(str, key))

    def take(self) -> EarlierFrame | None:
        """The next frame; None, and from then on, if its image is not there any more."""
        frame, scores, times, progress = self._row
        recorded = next(self._recorded, None)
        if recorded is None:
            self._row = None
            return None
        self._row = next(self._rows, None)
        head = len(KEYS)
        return EarlierFrame(
            tuple(frame[:head]),
            tuple(frame[head:_KEPT]),
            tuple(frame[_KEPT:]),
            tuple(scores[2:]),
            tuple(times[2:]),
            (progress[0], progress[1]),
            recorded,
        )

    def skip_recorded(self) -> None:
        """Pass over an image that was made without the other camera; it is made again."""
        next(self._recorded, None)


def set_aside(out: Path) -> Path:
    """Move what an interrupted run left into a folder of its own, where it stays meanwhile.

    Of two interruptions, what has more frames is kept. An interruption in here does no harm.

    Returns:
        The folder.
    """
    part, kept = out / _PART, out / EARLIER
    if kept.exists() and not part.exists():
        if _length(out / FRAMES) < _length(kept / FRAMES):
            for name in TABLES:
                (out / name).unlink(missing_ok=True)
            shutil.rmtree(out / OUTPUT_BAG, ignore_errors=True)
            return kept
        part.mkdir()
    part.mkdir(exist_ok=True)
    for name in (*TABLES, OUTPUT_BAG):
        if (out / name).exists() and not (part / name).exists():
            (out / name).rename(part / name)
    shutil.rmtree(kept, ignore_errors=True)
    part.rename(kept)
    return kept


def check_same(before: Run, now: Mapping[str, Any], folder: Path) -> None:
    """See that a run goes on as it began.

    Args:
        before: The interrupted run.
        now: Fields of `Run` of the new one: parameters, model, topics, methods, metrics_every.
        folder: For the message.

    Raises:
        DataError: It does not; the message names each difference.
    """
    differences = []
    for field in ("parameters", "model", "versions"):
        old, new = getattr(before, field), now[field]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name) and name != "weights":
                what = name if field == "parameters" else f"{field}: {name}"
                differences.append(f"{what} was {old.get(name)!r} and is {new.get(name)!r}")
    for field in ("thermal", "visible"):
        old, new = (topics.get(field, {}).get("name") for topics in (before.topics, now["topics"]))
        if old != new:
            differences.append(f"the {field} topic was {old} and is {new}")
    for field in ("kind", "methods", "metrics_every"):
        old, new = getattr(before, field), now[field]
        if old != new:
            differences.append(f"{field.replace('_', '-')} was {_said(old)} and is {_said(new)}")
    if differences:
        raise DataError(
            f"{folder} cannot be gone on with, because this run differs from the one that was"
            f" interrupted: {'; '.join(differences)}. Ask for the same, or give --overwrite in"
            " place of --resume"
        )


def other_bag(folder: Path, what: str) -> DataError:
    """The bag is not that of the interrupted run."""
    return DataError(
        f"{folder} cannot be gone on with: the bag is not the one that was being evaluated"
        f" ({what}). Give that bag, or --overwrite in place of --resume"
    )


def _said(value: Any) -> str:
    return (",".join(value) or "none") if isinstance(value, tuple) else str(value)


def _rows(path: Path) -> Iterator[list[str]]:
    """The rows of a table below its header; a last line that was cut short is left out."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            whole = (line for line in stream if line.endswith("\n"))
            rows = csv.reader(whole)
            columns = next(rows, [])
            yield from (row for row in rows if len(row) == len(columns))
    except FileNotFoundError:
        return


def _length(path: Path) -> int:
    return sum(1 for _ in _rows(path))


def _outputs(bag: Path) -> Iterator[Recorded]:
    """Images with their label arrays in order, as far as a bag can be read."""
    names = [TOPICS["image"].name, TOPICS["entities"].name]
    path = bag if (bag / "metadata.yaml").is_file() else bag / f"{bag.name}.mcap"
    try:
        with BagSource(path) as source:
            waiting: dict[str, deque[bytes]] = {name: deque() for name in names}
            for record in source.messages(names):
                waiting[record.topic].append(bytes(record.data))
                if all(waiting.values()):
                    yield Recorded(*(waiting[name].popleft() for name in names))
    except BagError:
        return
