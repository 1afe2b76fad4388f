"""Scoring fused images in processes beside the fusion."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import NamedTuple

import cv2
import torch

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.fusion.pair_worker import one_thread
from egmt_ros.evaluation.replay.measuring import Images, Measurer, Metrics


class Scored(NamedTuple):
    """Metrics of a frame, and how long they took."""

    metrics: Metrics
    ms: float


class Scoring:
    """Scores frames, one thread each; the values do not depend on `jobs`.

    Args:
        measurer: Says what is scored.
        jobs: Processes; with 1 this process scores, at once. The others start anew ("spawn").
    """

    def __init__(self, measurer: Measurer, jobs: int) -> None:
        self._measurer = measurer
        self._executor = None
        self._started = False
        if jobs > 1:
            self._executor = ProcessPoolExecutor(
                jobs,
                multiprocessing.get_context("spawn"),
                _start_worker,
                (measurer.methods,),
            )

    def submit(self, images: Images) -> Future[Scored]:
        """Have a frame scored."""
        if self._executor is not None:
            try:
                if self._started:
                    return self._executor.submit(_score, images)
                with _deaf():
                    self._started = True
                    return self._executor.submit(_score, images)
            except BrokenProcessPool as error:
                raise _ended() from error
        done: Future[Scored] = Future()
        with one_thread():
            done.set_result(_timed(self._measurer, images))
        return done

    @staticmethod
    def result(future: Future[Scored]) -> Scored:
        """Wait for a frame's metrics.

        Raises:
            EgmtError: A process was ended from outside.
        """
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise _ended() from error

    def close(self) -> None:
        """End the processes; what is not scored yet is given up."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)


_measurer: Measurer | None = None
"""Of this process, where it is a worker."""


@contextmanager
def _deaf() -> Iterator[None]:
    """Processes that are started meanwhile do not hear SIGINT: this one ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_worker(methods: Sequence[str]) -> None:
    global _measurer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(19)  # the fusion goes first, so that its times are hardly longer for the scoring
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _measurer = Measurer(methods)


def _score(images: Images) -> Scored:
    return _timed(_measurer, images)


def _timed(measurer: Measurer, images: Images) -> Scored:
    begun = time.perf_counter()
    metrics = measurer.score(images)
    return Scored(metrics, 1e3 * (time.perf_counter() - begun))


def _ended() -> EgmtError:
    return EgmtError(
        "a process that scored images was ended from outside or failed to start, perhaps for want"
        " of memory; use fewer --jobs, and --resume to go on"
    )
