"""The numbers of an evaluated bag, all of them from the files of its folder."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import OUTCOMES, SIDES
from egmt_ros.evaluation.plain_json import plain
from egmt_ros.evaluation.replay.fusion_over_frames import (
    RULE,
    Answer,
    Difference,
    FramePick,
    MetricMean,
    answers,
    fusion_differences,
    fusion_means,
    picks,
)
from egmt_ros.evaluation.replay.labels_over_time import EntityOverTime, labels_over_time
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.run import RUN
from egmt_ros.evaluation.replay.tables import FRAMES, SCORES, TRUTH
from egmt_ros.evaluation.replay.time_axis import Rate
from egmt_ros.evaluation.replay.truth_figures import TruthReport
from egmt_ros.evaluation.replay.truth_report import truth_report
from egmt_ros.evaluation.report.summary import InputAccount

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Summary:
    """Everything that summary.json holds.

    Attributes:
        kind, complete, created: As of `run.Run`.
        frames: Fused frames.
        consistent: There are no problems.
        problems: What went wrong or does not add up, one sentence each.
        run: "bag", "topics", "changed", "model", "methods", "metrics_every", "seconds",
            "versions", "machine", "live": as of `run.Run`.
        account: Side -> where its frames went.
        reasons: Side -> "<outcome>" or "<outcome>.<reason>" -> frames that are in no fused image.
        rates: "thermal" and "visible" as they came, "fused"; by stamps.
        pair_gap_ms: Size of the difference of the two stamps of a pair; None without a frame.
        timing_ms: Column of timing.csv -> distribution; None where it is empty.
        fusion: Method -> metric -> mean; empty without metrics.
        differences: Other method -> metric -> ours minus that.
        answers: Is the fused image better than either camera? Empty without metrics.
        labels: One entry for each entity, those seen most often first.
        worst, best: Frames to look at, by `rule`; empty without metrics.
        rule: How they were picked.
        truth: Labels beside the ground truth; None where there is none.
        notes: What a reader should know.
    """

    kind: str
    complete: bool
    created: str
    frames: int
    consistent: bool
    problems: tuple[str, ...]
    run: dict[str, Any]
    account: dict[str, InputAccount]
    reasons: dict[str, dict[str, int]]
    rates: dict[str, Rate]
    pair_gap_ms: Distribution | None
    timing_ms: dict[str, Distribution | None]
    fusion: dict[str, dict[str, MetricMean]]
    differences: dict[str, dict[str, Difference]]
    answers: tuple[Answer, ...]
    labels: tuple[EntityOverTime, ...]
    worst: tuple[FramePick, ...]
    best: tuple[FramePick, ...]
    rule: str
    truth: TruthReport | None
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; floats to 6 significant digits, not-a-number as None."""
        return plain(asdict(self))

    def save(self, folder: Path) -> None:
        """Write summary.json.

        Raises:
            DataError: It cannot be written.
        """
        text = json.dumps(self.to_dict(), indent=2, allow_nan=False)
        try:
            (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"{folder / SUMMARY} cannot be written ({error}); give a folder with room that"
                " may be written"
            ) from error


_RUN_FACTS = (
    "bag", "topics", "changed", "model", "methods", "metrics_every", "seconds", "versions",
    "machine", "live",
)  # fmt: skip


def summarise(result: Result) -> Summary:
    """Put the numbers of an evaluation together: a pure function of its files.

    Raises:
        DataError: The files do not belong together.
    """
    _check(result)
    run = result.run
    account = {side: _account(result, side) for side in SIDES}
    reasons = {side: _reasons(result, side) for side in SIDES}
    problems = [*run.problems, *(p for a in account.values() for p in a.problems())]
    problems += [p for side in SIDES for p in _contradictions(result, account[side], side)]
    differences = fusion_differences(result)
    worst, best = picks(result)
    stamps = {side: _stamps(result, side) for side in SIDES}
    stamps["fused"] = result.frames.keys["stamp"]
    return Summary(
        kind=run.kind,
        complete=run.complete,
        created=run.created,
        frames=len(result.frames),
        consistent=not problems,
        problems=tuple(problems),
        run={name: getattr(run, name) for name in _RUN_FACTS},
        account=account,
        reasons=reasons,
        rates={name: Rate.of(found) for name, found in stamps.items()},
        pair_gap_ms=_spread(np.abs(result.frames.values.get("gap_ms", np.zeros(0)))),
        timing_ms={name: _spread(values) for name, values in result.timing.values.items()},
        fusion=fusion_means(result),
        differences=differences,
        answers=answers(differences) if differences else (),
        labels=labels_over_time(result),
        worst=worst,
        best=best,
        rule=RULE,
        truth=truth_report(result),
        notes=run.notes,
    )


def _check(result: Result) -> None:
    tables = {SCORES: result.scores, TRUTH: result.truth}
    for name, table in tables.items():
        if table is not None and len(table) != len(result.frames):
            raise DataError(
                f"{result.folder / name} has {len(table)} rows; expected {len(result.frames)}, as"
                f" {FRAMES} has: evaluate the bag again"
            )
    missing = [name for name in result.run.entities if name not in result.run.thresholds]
    if missing:
        raise DataError(
            f"{result.folder / RUN} has no threshold of {missing[0]!r}; expected one for each"
            " entity: evaluate the bag again"
        )


def _account(result: Result, side: str) -> InputAccount:
    counters = result.run.account.get(side, {})
    received = counters.get("received", 0)
    reasons = {k.split(".", 1)[1]: n for k, n in counters.items() if k.startswith("rejected.")}
    sent = counters.get("sent", received)
    return InputAccount(
        topic=result.run.topics.get(side, {}).get("name", side),
        sent=sent,
        received=received,
        lost=counters.get("lost", sent - received),
        rejected_reasons=reasons,
        **{name: counters.get(name, 0) for name in (*OUTCOMES, "in_flight")},
    )


def _reasons(result: Result, side: str) -> dict[str, int]:
    """Of unused.csv, the most frequent first."""
    named = [
        f"{row['outcome']}.{row['reason']}" if row["reason"] else row["outcome"]
        for row in result.unused
        if row["side"] == side
    ]
    return dict(sorted(Counter(named).items(), key=lambda entry: (-entry[1], entry[0])))


def _contradictions(result: Result, account: InputAccount, side: str) -> list[str]:
    """Where the account and unused.csv differ; a live replay knows most outcomes as totals only."""
    if result.run.kind != "offline":
        return []
    listed = Counter(row["outcome"] for row in result.unused if row["side"] == side)
    return [
        f"{account.topic}: {getattr(account, name)} frames are {name} by the account, but"
        f" {listed[name]} by the list of unused frames"
        for name in OUTCOMES
        if name not in ("fused", "passthrough") and listed[name] != getattr(account, name)
    ]


def _stamps(result: Result, side: str) -> np.ndarray:
    """(N,) stamps of the frames of a camera, ns: those fused and those not, in order of time.

    The two lists hold no common order, so a stamp that comes twice, as where a bag was looped, is
    taken once.
    """
    fused = result.frames.keys[f"{side}_stamp"]
    unused = [int(row["stamp"]) for row in result.unused if row["side"] == side]
    found = np.unique(np.concatenate([fused, np.array(unused, np.int64)]))
    return found[found > 0]


def _spread(values: np.ndarray) -> Distribution | None:
    return Distribution.of(values[np.isfinite(values)])
