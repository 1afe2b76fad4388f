"""`egmt evaluate bag`: a bag through the classes of the node, as fast as the machine goes."""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.offline.earlier import Earlier, check_same, set_aside
from egmt_ros.evaluation.offline.folder import EARLIER, PROGRESS, clear_folder, prepare_folder
from egmt_ros.evaluation.offline.frames import FrameMaker
from egmt_ros.evaluation.offline.fusing import PairFusing, load_configured_engine
from egmt_ros.evaluation.offline.interrupting import Interruption
from egmt_ros.evaluation.offline.output_bag import OutputBag, topics_of_run
from egmt_ros.evaluation.offline.pairing import BagPairing
from egmt_ros.evaluation.offline.progress import ReplayProgress
from egmt_ros.evaluation.offline.reading import Message, MessageStream
from egmt_ros.evaluation.offline.result_files import ResultFiles
from egmt_ros.evaluation.offline.scoring import Scoring
from egmt_ros.evaluation.offline.setting import (
    Setting,
    effective_thresholds,
    model_facts,
    settle,
)
from egmt_ros.evaluation.replay.inputs import changed
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.evaluation.replay.result import OUTPUT_BAG
from egmt_ros.evaluation.replay.run import Run, load_run
from egmt_ros.evaluation.report.facts import machine, versions
from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.processing import Engine, EngineFactory, load_engine
from egmt_ros.pipeline.frames import Side

UNFINISHED = "the evaluation has not ended; --resume goes on with it"

SAVED_EVERY = 2.0
"""Seconds after which run.json is brought up to date, for whoever finds an interrupted run."""


def run_offline(request: ReplayRequest, engine_factory: EngineFactory = load_engine) -> Run:
    """Evaluate a bag; the tables, run.json and the output bag are in `request.out` then.

    A bag that is damaged from some message on, and an interruption (SIGINT, SIGTERM), end the
    evaluation early: `Run.complete` is False then, and `Run.problems` says why.

    Args:
        request: What is asked for.
        engine_factory: Makes the engine.

    Raises:
        BagError: The bag cannot be read at all, or lacks a topic.
        ConfigError: A parameter or option cannot be used.
        DataError: The folder cannot be used, the disk is full, no pair could be fused, or this is
            not what an interrupted evaluation began with.
        EgmtError: The engine cannot be loaded.
    """
    begun = time.monotonic()
    setting = settle(request)
    # What is to be replaced stays until there is an engine to replace it with.
    expected = request.resume or request.overwrite
    found = prepare_folder(request.out, request.bag, may_hold_results=expected)
    engine = load_configured_engine(engine_factory, setting.parameters, lambda line: None)
    try:
        if request.overwrite:
            clear_folder(request.out)
        replay = _Replay(request, setting, engine)
        replay.seconds["prepare"] = time.monotonic() - begun
        if request.overwrite or not found:
            return replay.run()
        before = load_run(request.out)
        check_same(before, replay.fields(), request.out)
        return before if before.complete else replay.run(Earlier(set_aside(request.out)))
    finally:
        engine.close()


class _Replay:
    """One evaluation on its way.

    Attributes:
        seconds: Stage -> s, so far.
    """

    def __init__(self, request: ReplayRequest, setting: Setting, engine: Engine) -> None:
        self._request = request
        self._setting = setting
        self._engine = engine
        self._model = ModelIdentity.of(engine)
        self._facts = model_facts(engine, setting.parameters)
        self._versions, self._machine = versions(), machine()
        self._pairing = BagPairing(setting.parameters)
        self._fusing = PairFusing(engine, setting.parameters, setting.cameras.pair)
        self._created = datetime.datetime.now(datetime.timezone.utc)
        self._problems: list[str] = []
        self._complete = self._interrupted = False
        self._sha256 = ""
        self._bag: dict[str, Any] = {}
        self.seconds: dict[str, float] = {}

    def run(self, earlier: Earlier | None = None) -> Run:
        """Replay the bag to its end, or as far as it goes.

        Args:
            earlier: What an interrupted run left.
        """
        request, setting = self._request, self._setting
        begun = time.monotonic()
        with ExitStack() as stack:
            source = stack.enter_context(BagSource(request.bag))
            self._bag = bag_facts(source, self._roles())
            self._save(UNFINISHED)
            interruption = stack.enter_context(Interruption())
            scoring = None
            if setting.measurer is not None:
                scoring = Scoring(setting.measurer, request.jobs)
                stack.callback(scoring.close)
            methods = () if setting.measurer is None else setting.measurer.methods
            # A scored frame holds its images until it is its turn.
            limit = 2 * request.jobs + 2 if scoring else 64
            files = ResultFiles(request.out, self._engine.names, methods, limit)
            stack.callback(files.close)
            bag = stack.enter_context(
                OutputBag(request.out / OUTPUT_BAG, self._model, setting.parameters)
            )
            frames = FrameMaker(request, setting, self._fusing, scoring, bag, files, earlier)
            stream = MessageStream(source, self._roles())
            stack.callback(stream.close)
            progress = stack.enter_context(
                ReplayProgress(sum(self._bag["messages"].values()), show=request.progress)
            )
            self._go_through(stream, frames, files, progress, lambda: interruption.asked)
            files.finish()
        self.seconds |= frames.seconds()
        self.seconds["wall"] = time.monotonic() - begun
        if self._complete:
            (request.out / PROGRESS).unlink(missing_ok=True)
            shutil.rmtree(request.out / EARLIER, ignore_errors=True)
        notes = (*setting.notes, *frames.notes())
        run = self._save(*self._problems, notes=notes)
        if not files.rows and not frames.alone and not self._interrupted:
            raise DataError(self._why_nothing())
        return run

    def _go_through(
        self,
        stream: MessageStream,
        frames: FrameMaker,
        files: ResultFiles,
        progress: ReplayProgress,
        asked_to_end: Callable[[], bool],
    ) -> None:
        pairing, saved = self._pairing, time.monotonic()
        for message in stream:
            self._sha256 = message.sha256
            frames.read(message)
            begun = time.perf_counter()
            due = pairing.advance(message.arrival)
            frames.paired(time.perf_counter() - begun)
            frames.handle(due)
            self._take(message, frames)
            files.add_unused(pairing.unused())
            progress.update(files.rows)
            if asked_to_end():
                pairing.abandon()
                self._interrupted = True
                self._problems.append(
                    f"interrupted after {frames.fused} fused frames; --resume goes on"
                )
                break
            if time.monotonic() - saved > SAVED_EVERY:
                self._save(UNFINISHED)
                saved = time.monotonic()
        else:
            frames.handle(pairing.finish())
            self._complete = stream.error is None
            if stream.error is not None:
                self._problems.append(str(stream.error))
        files.add_unused(pairing.unused())

    def _take(self, message: Message, frames: FrameMaker) -> None:
        side = Side(message.role.removesuffix("_info"))
        if message.role != side.value:
            if message.content is not None:
                self._setting.cameras.take(side, message.content)
            return
        begun = time.perf_counter()
        made = self._pairing.receive(side, message)
        frames.paired(time.perf_counter() - begun)
        frames.handle(made)

    def _roles(self) -> dict[str, str]:
        """Topic -> role."""
        roles = {topic: side.value for side, topic in self._setting.topics.items()}
        infos = {topic: f"{side.value}_info" for side, topic in self._setting.info_topics.items()}
        return roles | infos

    def _save(self, *problems: str, notes: tuple[str, ...] = ()) -> Run:
        """Write run.json as things stand."""
        run = Run(
            **self.fields(),
            complete=self._complete,
            bag={**self._bag, "sha256": self._sha256},
            account=self._pairing.counters(),
            seconds={name: round(value, 6) for name, value in self.seconds.items()},
            problems=tuple(problems),
            notes=notes or self._setting.notes,
        )
        run.save(self._request.out)
        return run

    def fields(self) -> dict[str, Any]:
        """Those of `Run` that are known before the first message."""
        setting = self._setting
        return {
            "kind": "offline",
            "created": f"{self._created:%Y-%m-%dT%H:%M:%SZ}",
            "topics": {**setting.inputs.topics(), **topics_of_run()},
            "parameters": setting.values,
            "changed": changed(setting.values),
            "model": self._facts,
            "entities": tuple(self._engine.names),
            "thresholds": effective_thresholds(self._engine, setting.parameters),
            "methods": () if setting.measurer is None else setting.measurer.methods,
            "metrics_every": self._request.metrics_every,
            "versions": self._versions,
            "machine": self._machine,
        }

    def _why_nothing(self) -> str:
        """Why no pair was fused."""
        pairing, topics = self._pairing, self._setting.topics
        bag = self._request.bag
        sides = (Side.THERMAL, Side.VISIBLE)
        if all(side in pairing.first for side in sides):
            (a, b), (c, d) = ((pairing.first[s], pairing.last[s]) for s in sides)
            if b < c or d < a:
                ranges = " and ".join(
                    f"{topics[side]} from {first / 1e9:.3f} to {last / 1e9:.3f} s"
                    for side, first, last in zip(sides, (a, c), (b, d), strict=True)
                )
                return (
                    f"bag {bag}: the two topics do not overlap in time, so that no frames are a"
                    f" pair: by their stamps {ranges}. Give topics that were recorded together, or"
                    " --param sync.thermal_offset:=SECONDS where a camera's clock is off"
                )
        reasons = pairing.reasons()
        errors = {**self._fusing.errors, **{r: e for (_, r), e in pairing.errors.items()}}
        # Of a frame that was rejected the other camera's is left without a partner.
        rejected = {name: n for name, n in reasons.items() if name.startswith("rejected.")}
        found = (rejected or reasons).items()
        name, count = max(found, key=lambda entry: entry[1], default=("no frame", 0))
        reason = name.partition(".")[2] or name
        said = f": {errors[reason]}" if reason in errors else ""
        return f"bag {bag}: no pair could be fused, most often ({count} frames) by {name}{said}"


def bag_facts(source: BagSource, roles: dict[str, str]) -> dict[str, Any]:
    """`Run.bag` of a bag, of which the topics in `roles` are used; the hash is empty."""
    path = source.path
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return {
        "path": str(path),
        "storage": source.storage,
        "sha256": "",
        "duration_s": source.duration / 1e9,
        "size_bytes": sum(file.stat().st_size for file in files),
        "messages": {topic: source.topic(topic).count for topic in roles},
    }


