"""`egmt evaluate bag --live`: a bag played into a real node, and the same files as offline."""

from __future__ import annotations

import dataclasses
import datetime
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

import torch

from egmt_ros.errors import ConfigError, DataError, EgmtError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.live.environment import require_ros
from egmt_ros.evaluation.live.figures import TIMES, live_figures, times
from egmt_ros.evaluation.live.options import LiveOptions
from egmt_ros.evaluation.live.outputs import UNKNOWN, Fused, Recorded, read_outputs, unused
from egmt_ros.evaluation.live.rebuilding import Rebuilding, signed_gap
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.live.session import SessionOptions, run_session
from egmt_ros.evaluation.live.sweep import recorded_rate, run_sweep
from egmt_ros.evaluation.live.topics import check_inputs
from egmt_ros.evaluation.offline.evaluate import bag_facts
from egmt_ros.evaluation.offline.folder import LIVE, clear_folder, prepare_folder
from egmt_ros.evaluation.offline.interrupting import Interruption
from egmt_ros.evaluation.offline.output_bag import topics_of_run
from egmt_ros.evaluation.offline.setting import Setting, settle, weights_facts
from egmt_ros.evaluation.replay.inputs import changed
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.evaluation.replay.result import OUTPUT_BAG
from egmt_ros.evaluation.replay.run import Run
from egmt_ros.evaluation.replay.tables import (
    FRAME_VALUES,
    FRAMES,
    KEYS,
    SCORES,
    TIMING,
    UNUSED,
    UNUSED_COLUMNS,
    metric_column,
    write_table,
)
from egmt_ros.evaluation.report.facts import machine, versions

MOST_LABELS = 1024
START_TIMEOUT = 180.0  # s for the node to load and prepare the network, on a busy machine
TIMEOUT = 40.0  # s for everything else that is waited for
DIAGNOSTICS_PERIOD = 0.5  # s; at its end a replay waits for two of them


def run_live(request: ReplayRequest, options: LiveOptions) -> Run:
    """Evaluate a bag live; the tables, run.json and the output bag are in `request.out` then.

    A bag that is damaged from some message on, and an interruption (SIGINT, SIGTERM) while it is
    played, end the replay early: what was recorded is evaluated, `Run.complete` is False, and
    `Run.problems` says why.

    Raises:
        MissingDependencyError: rclpy or egmt_msgs is not installed.
        BagError: The bag cannot be read at all, or lacks a topic.
        ConfigError: A parameter or option cannot be used.
        DataError: The folder cannot be used, or nothing was fused.
        EgmtError: A process failed or did not answer in time; the message names its log.
        KeyboardInterrupt: It was interrupted before the playing began, or twice.
    """
    require_ros()
    if request.resume:
        raise ConfigError(
            "--resume cannot go on with a live replay: play the bag again, with --overwrite")
    overrides = {"entities.publish_all": True, "entities.max_labels": MOST_LABELS,
                 "diagnostics.period": DIAGNOSTICS_PERIOD}
    request = dataclasses.replace(request, parameters={**request.parameters, **overrides})
    setting = settle(request)
    # What is to be replaced stays until the bag was played.
    prepare_folder(request.out, request.bag, may_hold_results=request.overwrite)
    shutil.rmtree(request.out / LIVE, ignore_errors=True)
    with Interruption() as interruption:
        return _Evaluation(request, options, setting, interruption).run()


class _Evaluation:
    """One live evaluation: replay, sweep, and what is made of them."""

    def __init__(self, request: ReplayRequest, options: LiveOptions, setting: Setting,
                 interruption: Interruption) -> None:
        self._request = request
        self._options = options
        self._setting = setting
        self._interruption = interruption
        self._folder = request.out / LIVE
        self._created = datetime.datetime.now(datetime.timezone.utc)
        self._session_options = SessionOptions(
            thermal_topic=setting.inputs.thermal_topic, visible_topic=setting.inputs.visible_topic,
            ground_truth_topic="", rate=options.rate, params_file=request.params_file,
            parameters={**_settable(setting.values), "use_sim_time": True},
            domain_id=options.domain_id, progress=request.progress, interruption=interruption,
            start_timeout=START_TIMEOUT, match_timeout=TIMEOUT, drain_timeout=TIMEOUT,
            stop_timeout=TIMEOUT)

    def run(self) -> Run:
        begun = time.monotonic()
        request = self._request
        session = run_session(request.bag, self._folder, self._session_options)
        recorded = read_outputs(session)
        account = account_of(session, recorded)
        if not recorded.frames and not session.interrupted:
            raise DataError(self._why_nothing(session, account))
        clear_folder(request.out, keep=(LIVE,))
        timing = times(recorded, published(account))
        live = live_figures(session, recorded, timing)
        notes = [*self._setting.notes, *session.notes]
        problems = _problems(session, recorded, account)
        if self._options.sweep and not self._interruption.asked:
            try:
                found, more = self._sweep(recorded)
            except EgmtError as error:  # the replay itself stays
                problems.append(f"the sweep failed: {error}")
            else:
                live |= found
                notes += more
        asked_before = self._interruption.asked
        rebuilding = Rebuilding(self._setting, session, recorded, request.metrics_every,
                                request.jobs)
        checked = check_inputs(request.bag, self._session_options)
        rebuilding.run(
            request.out / OUTPUT_BAG, checked, progress=request.progress,
            asked_to_end=lambda: self._interruption.asked and not asked_before)
        left_out = unused(recorded, account, rebuilding.order)
        notes += _notes(recorded, account, left_out)
        notes += _metric_notes(rebuilding, len(recorded.frames))
        self._write_tables(recorded, rebuilding, timing)
        write_table(request.out / UNUSED, UNUSED_COLUMNS, left_out)
        if session.interrupted:
            problems.append("interrupted: the end of the bag was not played")
        if session.damage:
            problems.append(session.damage)
        cut = self._interruption.asked and not asked_before
        if cut:
            problems.append("interrupted while the metrics were made: those of later frames lack")
        self._tidy()
        run = self._run(session, recorded, rebuilding, account, live, problems, notes,
                        complete=not (session.interrupted or session.damage or cut),
                        seconds={"wall": time.monotonic() - begun, "play": session.play_s,
                                 "metrics": rebuilding.seconds})
        run.save(request.out)
        return run

    def _sweep(self, recorded: Recorded) -> tuple[dict[str, Any], list[str]]:
        reference = self._setting.parameters.output.reference
        rate = recorded_rate([frame.stamp for frame in recorded.sent[reference]])
        if rate is None:
            return {}, ["The bag has too few frames for a sweep."]
        return run_sweep(self._request.bag, self._folder / "sweep", self._session_options,
                         self._options, rate, reference, self._tell)

    def _tell(self, line: str) -> None:
        if self._request.progress:
            print(f"sweep: {line}", file=sys.stderr)

    def _why_nothing(self, session: SessionResult, account: dict[str, dict[str, int]]) -> str:
        fates = "; ".join(
            f"{side}: " + ", ".join(f"{count} {name}" for name, count in row.items() if count)
            for side, row in account.items())
        return (f"Bag {self._request.bag}: the node fused no pair ({fates}). Its log is"
                f" {session.node_log}; `egmt evaluate bag` without --live names the frames.")

    def _write_tables(self, recorded: Recorded, rebuilding: Rebuilding,
                      timing: Sequence[Sequence[float | None]]) -> None:
        out = self._request.out
        methods = self._methods()
        columns = [(method, metric) for method in methods for metric in COLUMNS]
        keys = [_key(number, frame) for number, frame in enumerate(recorded.frames)]
        write_table(
            out / FRAMES, (*KEYS, *FRAME_VALUES, *(metric_column(*pair) for pair in columns)),
            ((*key, *self._values(frame, limits),
              *((metrics or {}).get(method, {}).get(metric) for method, metric in columns))
             for key, frame, limits, metrics in zip(
                keys, recorded.frames, rebuilding.ranges, rebuilding.metrics, strict=True)))
        write_table(out / SCORES, (*KEYS[:2], *recorded.vocabulary.names),
                    ((*key[:2], *map(float, frame.scores))
                     for key, frame in zip(keys, recorded.frames, strict=True)))
        write_table(out / TIMING, (*KEYS[:2], *TIMES),
                    ((*key[:2], *row) for key, row in zip(keys, timing, strict=True)))

    def _values(self, frame: Fused, limits: tuple[float, float] | None) -> tuple[Any, ...]:
        """Cells of `tables.FRAME_VALUES`."""
        gap = signed_gap(self._setting, frame.thermal_stamp, frame.visible_stamp) / 1e6
        return (gap, *frame.size, *(limits or (None, None)), *frame.celsius)

    def _methods(self) -> tuple[str, ...]:
        measurer = self._setting.measurer
        return () if measurer is None else measurer.methods

    def _run(self, session: SessionResult, recorded: Recorded, rebuilding: Rebuilding,
             account: dict[str, dict[str, int]], live: dict[str, Any], problems: list[str],
             notes: list[str], *, complete: bool, seconds: dict[str, float]) -> Run:
        request, setting = self._request, self._setting
        inputs, threshold = setting.inputs, setting.parameters.entities.threshold
        vocabulary = recorded.vocabulary
        with BagSource(request.bag) as source:
            bag = bag_facts(source, {name: side.value for side, name in setting.topics.items()})
        return Run(
            kind="live", complete=complete, created=f"{self._created:%Y-%m-%dT%H:%M:%SZ}",
            bag={**bag, "sha256": rebuilding.sha256},
            topics={
                "thermal": {"name": inputs.thermal_topic, "type": inputs.thermal_type,
                            "how": inputs.thermal_how},
                "visible": {"name": inputs.visible_topic, "type": inputs.visible_type,
                            "how": inputs.visible_how},
                **topics_of_run(),
            },
            parameters=setting.values, changed=changed(setting.values),
            model=self._model(session, recorded), entities=vocabulary.names,
            thresholds={name: own if threshold < 0.0 else threshold for name, own in zip(
                vocabulary.names, vocabulary.thresholds, strict=True)},
            account=account, methods=self._methods(), metrics_every=request.metrics_every,
            seconds={name: round(value, 3) for name, value in seconds.items()}, live=live,
            versions=versions(session.middleware), machine=machine(),
            problems=tuple(problems), notes=tuple(notes))

    def _model(self, session: SessionResult, recorded: Recorded) -> dict[str, Any]:
        told = session.diagnostics.get("model", {})
        return {
            "model_id": recorded.vocabulary.model_id, **weights_facts(self._setting.parameters),
            "runtime": told.get("runtime", ""), "device": told.get("device", ""),
            # 0: as many as the library chooses, in the node as here.
            "threads": self._setting.parameters.model.threads or torch.get_num_threads(),
            "text_encoder": recorded.vocabulary.text_encoder,
            "vocabulary_hash": recorded.vocabulary.vocabulary_hash,
        }

    def _tidy(self) -> None:
        """Removes the recording, which the output bag now holds."""
        shutil.rmtree(self._folder / "bag", ignore_errors=True)
        (self._folder / "session.json").unlink(missing_ok=True)


def account_of(session: SessionResult, recorded: Recorded) -> dict[str, dict[str, int]]:
    """`Run.account`: what the player sent, and what the node counted."""
    account = {}
    for side in SIDES:
        counters = session.account.get(side, {})
        sent = len(recorded.sent[side])
        account[side] = {"sent": sent, "lost": sent - counters.get("received", 0), **counters}
    return account


def published(account: dict[str, dict[str, int]]) -> int:
    """Images that the node published by its own account; each visible frame is fused once."""
    return account["visible"].get("fused", 0) + sum(
        account[side].get("passthrough", 0) for side in SIDES)


def _key(number: int, frame: Fused) -> tuple[int, int, int, int]:
    return number, frame.stamp, frame.thermal_stamp, frame.visible_stamp


def _settable(values: dict[str, Any]) -> dict[str, Any]:
    """Every parameter as the node is given it; None stands for NaN."""
    return {name: float("nan") if value is None else value for name, value in values.items()}


def _notes(recorded: Recorded, account: dict[str, dict[str, int]],
           left_out: Sequence[tuple[str, int, str, str]]) -> list[str]:
    notes = ["The node ran with entities.publish_all and entities.max_labels 1024, so that every"
             " score is recorded; diagnostics.period was 0.5 s and use_sim_time true."]
    if recorded.alone:
        notes.append(f"{recorded.alone} images of one camera were passed through while the other"
                     " was missing: they are in the output bag and not in the tables.")
    told = published(account)
    missing = told - min(recorded.images, recorded.arrays)
    if missing > 0:
        notes.append(f"Of {told} fused pairs that the node published, the recorder received"
                     f" {recorded.images} images and {recorded.arrays} label arrays.")
    if any(outcome == UNKNOWN for _, _, outcome, _ in left_out):
        notes.append("The node counts what becomes of frames but does not name them: in unused.csv"
                     " the outcome is unknown where several are possible; the counts are exact.")
    return notes


def _metric_notes(rebuilding: Rebuilding, frames: int) -> list[str]:
    notes = []
    if rebuilding.partly:
        notes.append(f"the thermal camera does not see all of the visible image in"
                     f" {rebuilding.partly} of {frames} frames: there the metrics are those of the"
                     " largest rectangle that both cameras see")
    if rebuilding.small:
        notes.append(f"{rebuilding.small} of {frames} frames are too small to be scored, or the"
                     " part that both cameras see is")
    notes += [f"{count} of {frames} frames have no metrics: {why}"
              for why, count in rebuilding.refused.items()]
    return notes


def _problems(session: SessionResult, recorded: Recorded,
              account: dict[str, dict[str, int]]) -> list[str]:
    """What does not add up, besides the account itself."""
    found = []
    for side in SIDES:
        row = account[side]
        counted = session.sent.get(session.topics[side], 0)
        if counted != row["sent"]:
            found.append(f"{session.topics[side]}: the player counts {counted} sent frames, but"
                         f" wrote down {row['sent']}")
    if recorded.strange:
        found.append(f"{recorded.strange} outputs carry a stamp that no sent frame has")
    if max(recorded.images, recorded.arrays) > published(account):
        found.append(f"{recorded.images} images and {recorded.arrays} label arrays were received,"
                     f" but the node counts {published(account)} fused pairs")
    if not session.account:
        found.append("the node sent no diagnostics, its account is unknown")
    if not session.drained:
        found.append("the replay ended while frames were still coming or in flight")
    return found
