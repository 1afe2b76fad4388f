"""Which frames two evaluations fused, what became of the others, and how close the pairs are."""

from __future__ import annotations

import numpy as np

from egmt_ros.evaluation.compare.figures import Draws, Figure, Measured, of_one_value
from egmt_ros.evaluation.compare.fusion_figures import paired
from egmt_ros.evaluation.compare.matching import REFERENCE, Pair, matched_rows
from egmt_ros.evaluation.live.account import OUTCOMES, SIDES
from egmt_ros.evaluation.replay.intervals import Interval, mean_interval
from egmt_ros.evaluation.replay.result import Result

LOSSES = ("lost", *(name for name in OUTCOMES if name not in ("fused", "passthrough")))
"""Counters of frames that are in no fused image."""


def frame_figures(pair: Pair) -> list[Figure]:
    """Fused frames, pair gap, and each way of not being fused."""
    figures = [
        Figure("fused", "fused frames", 1, lambda draws: _fused(pair, draws)),
        Figure("pair_gap_ms", "pair gap, ms", -1, lambda draws: _gap(pair, draws)),
    ]
    for side in SIDES:
        a, b = (result.run.account.get(side, {}) for result in (pair.whole_a, pair.whole_b))
        reasons = [k for k in (*a, *b) if k.split(".")[0] in LOSSES and "." in k]
        for counter in dict.fromkeys((*LOSSES, *sorted(reasons))):
            figures.append(_unused(pair, side, counter))
    return figures


def _fused(pair: Pair, draws: Draws) -> Measured:
    """Over the reference frames that either one fused, in order of their stamps."""
    a, b = pair.whole_a.frames, pair.whole_b.frames
    rows_a, rows_b = matched_rows(a, b, REFERENCE)
    alone = np.delete(a.keys["stamp"], rows_a), np.delete(b.keys["stamp"], rows_b)
    stamps = np.concatenate([*alone, a.keys["stamp"][rows_a]])
    gain = np.repeat([-1.0, 1.0, 0.0], [len(alone[0]), len(alone[1]), len(rows_a)])
    ordered = gain[np.argsort(stamps, kind="stable")]
    found = mean_interval(ordered, resamples=draws.resamples, seed=draws.seed)
    return Measured(float(len(a)), float(len(b)), scaled(found, len(ordered)), _repeats(pair))


def _gap(pair: Pair, draws: Draws) -> Measured:
    rows_a, rows_b = matched_rows(pair.whole_a.frames, pair.whole_b.frames, REFERENCE)
    a, b = (_gaps(pair.whole_a)[rows_a], _gaps(pair.whole_b)[rows_b])
    return paired(a, b, draws, "no frame of equal reference stamp has a gap in both")


def _gaps(result: Result) -> np.ndarray:
    nothing = np.full(len(result.frames), np.nan)
    return np.abs(result.frames.values.get("gap_ms", nothing))


def _unused(pair: Pair, side: str, counter: str) -> Figure:
    def measure(draws: Draws) -> Measured:
        accounts = [result.run.account.get(side) for result in (pair.whole_a, pair.whole_b)]
        if None in accounts:
            return Measured(None, None, None, reason=f"no account of the {side} frames")
        a, b = (float(account.get(counter, 0)) for account in accounts)
        return of_one_value(a, b, _repeats(pair))

    return Figure(f"unused.{side}.{counter}", f"{side} frames {_words(counter)}", -1, measure)


def _words(counter: str) -> str:
    outcome, _, reason = counter.partition(".")
    return f"{outcome} ({reason.replace('_', ' ')})" if reason else outcome


def _repeats(pair: Pair) -> bool:
    """Whether the counts would come out the same again: offline, of one bag."""
    runs = pair.whole_a.run, pair.whole_b.run
    hashes = {run.bag.get("sha256") for run in runs}
    return all(run.kind == "offline" for run in runs) and len(hashes) == 1 and all(hashes)


def scaled(interval: Interval, factor: float) -> Interval:
    """The same in another unit; `factor` is above 0."""
    return Interval(
        interval.mean * factor,
        interval.low * factor,
        interval.high * factor,
        interval.count,
        interval.block,
    )
