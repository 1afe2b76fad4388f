"""Scoring pairs one after another, here or in several processes at once."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.fusion.classical import METHODS
from egmt_ros.evaluation.fusion.image_statistics import stretch
from egmt_ros.evaluation.fusion.pair_metrics import measure
from egmt_ros.evaluation.fusion.pair_source import PairTask, Rejection, read_fused, read_pair
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.image_files import to_grey
from egmt_ros.pipeline.results import FusionResult

OURS = "ours"
STRETCHED = " (stretched)"
"""Put behind a method's name where its image was stretched before scoring."""


@dataclass(frozen=True)
class LabelEvidence:
    """What the engine said about one pair.

    Attributes:
        scores: (E,) probabilities 0..1 in the order of the vocabulary.
        peaks: (E, 2) int, row and column of the pixel in the middle of the cell that the entity's
            attention is strongest in.
    """

    scores: np.ndarray
    peaks: np.ndarray


@dataclass(frozen=True)
class PairResult:
    """One pair, scored.

    Attributes:
        task: The pair.
        metrics: Method -> metric -> value; the methods that could be scored.
        evidence: Of the engine, where "ours" was scored.
        rejected: The pair, or methods on it, that could not be scored.
    """

    task: PairTask
    metrics: dict[str, dict[str, float]]
    evidence: LabelEvidence | None
    rejected: tuple[Rejection, ...]


@dataclass(frozen=True)
class Settings:
    """What is scored: methods (without those of `PairTask.fused`), and how "ours" is run."""

    methods: tuple[str, ...]
    stretch: bool = False
    weights: str | None = None
    device: str = "auto"
    runtime: str = "torch"

    def load_engine(self) -> FusionEngine | None:
        """The engine, if "ours" is scored."""
        if OURS not in self.methods:
            return None
        return FusionEngine.load(self.weights, self.device, runtime=self.runtime)


class PairScorer:
    """Scores one pair after another with an engine of its own."""

    def __init__(self, settings: Settings, engine: FusionEngine | None) -> None:
        self._settings = settings
        self._engine = engine

    def score(self, task: PairTask) -> PairResult:
        """Score every method on a pair; what fails is named in the result."""
        try:
            thermal, visible = read_pair(task)
        except EgmtError as error:
            return PairResult(task, {}, None, (_rejection(task, error),))
        grey = to_grey(visible)
        metrics: dict[str, dict[str, float]] = {}
        evidence, rejected = None, []
        for method in (*self._settings.methods, *task.fused):
            try:
                if method == OURS:
                    result = self._engine.fuse(thermal, visible)
                    evidence, fused = _evidence(result), to_grey(result.image)
                elif method in task.fused:
                    fused = read_fused(task.fused[method], thermal)
                else:
                    fused = METHODS[method](thermal, grey)
            except EgmtError as error:
                rejected.append(_rejection(task, error, method))
                continue
            metrics[method] = measure(thermal, grey, fused)
            if self._settings.stretch:
                metrics[method + STRETCHED] = measure(thermal, grey, stretch(fused))
        return PairResult(task, metrics, evidence, tuple(rejected))


def score_all(
    tasks: Sequence[PairTask], settings: Settings, engine: FusionEngine | None, jobs: int
) -> Iterator[PairResult]:
    """Score pairs in their order, with one thread in each of `jobs` processes.

    The values do not depend on `jobs`. With 1 this process does it with `engine`; the others load
    engines of their own, and start anew ("spawn"): a script that asks for several needs the usual
    `if __name__ == "__main__":`.

    Raises:
        EgmtError: A process was ended from outside.
    """
    if jobs == 1 or len(tasks) < 2:
        with one_thread():
            yield from map(PairScorer(settings, engine).score, tasks)
        return
    executor = ProcessPoolExecutor(
        min(jobs, len(tasks)),
        multiprocessing.get_context("spawn"),
        _start_worker,
        (settings,),
    )
    try:
        yield from executor.map(_score, tasks)
    except BrokenProcessPool as error:
        raise EgmtError(
            "a process that scored pairs was ended from outside or failed to start, perhaps for "
            "want of memory; use fewer --jobs"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


_scorer: PairScorer | None = None
"""Of this process, where it is a worker."""


def _start_worker(settings: Settings) -> None:
    global _scorer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the workers
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _scorer = PairScorer(settings, settings.load_engine())


def _score(task: PairTask) -> PairResult:
    return _scorer.score(task)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of PyTorch and OpenCV, as in the workers: sums depend on how they are split."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def _evidence(result: FusionResult) -> LabelEvidence:
    height, width = result.image.shape[:2]
    maps = result.attention
    cells = np.unravel_index(maps.reshape(len(maps), -1).argmax(1), maps.shape[1:])
    peaks = np.stack(cells, 1) * result.attention_cell + result.attention_cell // 2
    # The last row and column of cells can reach beyond the image.
    peaks = np.minimum(peaks, (height - 1, width - 1))
    return LabelEvidence(np.array(list(result.scores.values())), peaks)


def _rejection(task: PairTask, error: EgmtError, method: str | None = None) -> Rejection:
    return Rejection(task.dataset, task.split, task.name, str(error), method)
