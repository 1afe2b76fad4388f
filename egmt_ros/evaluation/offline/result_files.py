"""The tables of a replay while they grow: a row is written once all of it is known."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egmt_ros.errors import DataError
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.offline.folder import PROGRESS
from egmt_ros.evaluation.offline.pairing import Unused
from egmt_ros.evaluation.offline.scoring import Scored, Scoring
from egmt_ros.evaluation.replay.tables import (
    FRAME_VALUES,
    FRAMES,
    KEYS,
    SCORES,
    TIMING,
    UNUSED,
    UNUSED_COLUMNS,
    cell,
    metric_column,
)

TIMES = ("read_ms", "convert_ms", "pair_ms", "fuse_ms", "metrics_ms", "write_ms")
"""Columns of `TIMING`; of a frame that was taken over from an earlier run, those of that run."""


class GrowingTable:
    """A CSV file that is complete up to its last line at any time.

    Raises:
        DataError: It cannot be written.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path = path
        self._told(lambda: self._open(path))
        self.write(columns)

    def _open(self, path: Path) -> None:
        self._stream = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream, lineterminator="\n")

    def write(self, row: Iterable[Any]) -> None:
        """Add a row; see `tables.cell`."""
        self._told(lambda: self._writer.writerow([cell(value) for value in row]))

    def flush(self) -> None:
        """Have what was written so far outlive this process."""
        self._told(self._stream.flush)

    def close(self) -> None:
        """Finish the file."""
        self._told(self._stream.close)

    def _told(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            raise DataError(
                f"{self._path} cannot be written ({error.strerror}); see whether the disk is full"
            ) from error


@dataclass
class Row:
    """A frame until all of it is known.

    Attributes:
        key, values, scores: Cells of `tables`; `values` without metrics.
        progress: Messages so far, and their hash.
        times: Of reading, converting, pairing and fusing, ms.
        scored: Metrics to come; None where the frame is not scored.
        written: When its image is in the output bag.
        earlier: Cells of the metrics and all times, where an earlier run measured them.
    """

    key: tuple[int, ...]
    values: Sequence[Any]
    scores: Sequence[Any]
    progress: tuple[int, str]
    times: Sequence[float]
    scored: Future[Scored] | None
    written: Future[float]
    earlier: tuple[Sequence[Any], Sequence[Any]] | None = None

    @property
    def ready(self) -> bool:
        return self.written.done() and (self.scored is None or self.scored.done())


class ResultFiles:
    """Takes rows in the order of the frames and writes each once it is ready.

    Args:
        folder: Where the tables are.
        entities: Vocabulary.
        methods: Those that are scored.
        limit: Rows that may wait; more are waited for.

    Attributes:
        rows: How many were written.
        metrics_ms, write_ms: Spent on them in all.
    """

    def __init__(
        self, folder: Path, entities: Sequence[str], methods: Sequence[str], limit: int
    ) -> None:
        self._metrics = [(method, metric) for method in methods for metric in COLUMNS]
        columns = [metric_column(*pair) for pair in self._metrics]
        self._frames = GrowingTable(folder / FRAMES, (*KEYS, *FRAME_VALUES, *columns))
        self._scores = GrowingTable(folder / SCORES, (*KEYS[:2], *entities))
        self._timing = GrowingTable(folder / TIMING, (*KEYS[:2], *TIMES))
        self._unused = GrowingTable(folder / UNUSED, UNUSED_COLUMNS)
        self._progress = GrowingTable(folder / PROGRESS, ("messages", "sha256"))
        self._waiting: deque[Row] = deque()
        self._limit = limit
        self.rows = 0
        self.metrics_ms = self.write_ms = 0.0

    def add(self, row: Row) -> None:
        """Take a row, and write what is ready.

        Raises:
            DataError, BagError: The disk takes no more.
            EgmtError: A process that scores was ended.
        """
        self._waiting.append(row)
        while self._waiting and (self._waiting[0].ready or len(self._waiting) > self._limit):
            self._write(self._waiting.popleft())

    def add_unused(self, frames: Iterable[Unused]) -> None:
        """Take frames that are in no fused image."""
        for frame in frames:
            self._unused.write(frame)

    def finish(self) -> None:
        """Wait for all rows and write them."""
        while self._waiting:
            self._write(self._waiting.popleft())

    def flush(self) -> None:
        """Have what was written so far outlive this process."""
        for table in self._tables:
            table.flush()

    def close(self) -> None:
        """Close the files; rows that wait are lost."""
        for table in self._tables:
            table.close()

    @property
    def _tables(self) -> tuple[GrowingTable, ...]:
        return self._frames, self._scores, self._timing, self._unused, self._progress

    def _write(self, row: Row) -> None:
        write_ms = row.written.result()
        if row.earlier is not None:
            metrics, times = row.earlier
        else:
            scored = None if row.scored is None else Scoring.result(row.scored)
            found = {} if scored is None else scored.metrics
            metrics = [found.get(method, {}).get(metric) for method, metric in self._metrics]
            times = (*row.times, None if scored is None else scored.ms, write_ms)
            self.metrics_ms += 0.0 if scored is None else scored.ms
        self.write_ms += write_ms
        self._frames.write((*row.key, *row.values, *metrics))
        self._scores.write((*row.key[:2], *row.scores))
        self._timing.write((*row.key[:2], *times))
        self._progress.write(row.progress)
        self.rows += 1
        self.flush()
