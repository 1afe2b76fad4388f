"""How long a label takes to come, and how restless it is, beside the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.replay.labels_over_time import per_minute, switches
from egmt_ros.evaluation.replay.time_axis import runs
from egmt_ros.evaluation.replay.truth_figures import SHORT_S, Delay, Figure, Flicker


class Onsets(NamedTuple):
    """Times that an entity came into view: see `Delay`. ``delays`` in s, one of each found."""

    delays: tuple[float, ...]
    missed: int
    at_start: int
    at_start_found: int


class Stay(NamedTuple):
    """Frames [start, stop) in which an entity was there.

    Attributes:
        came: It was seen coming: known to be absent in the frame before, from which time goes on.
    """

    start: int
    stop: int
    came: bool


class Turns(NamedTuple):
    """Changes of a label and of the truth: see `Flicker`. ``seconds``: in which they happened."""

    switches: int
    truth_switches: int
    seconds: float
    wrong: int
    short: int
    cut: int


def stays(truth: np.ndarray, joined: np.ndarray) -> Iterator[Stay]:
    """Find the stretches in which an entity was there, in order.

    Args:
        truth: (N,) 1 there, 0 not, -1 unknown.
        joined: (N - 1,) whether time goes on from a frame to the next.
    """
    for start, stop in runs(truth, joined):
        if truth[start] == 1:
            came = start > 0 and truth[start - 1] == 0 and bool(joined[start - 1])
            yield Stay(start, stop, came)


def onsets(truth: np.ndarray, states: np.ndarray, seconds: np.ndarray) -> Onsets:
    """Find the times at which an entity came, and when it was labelled after them.

    Args:
        truth: (N,) 1 there, 0 not, -1 unknown.
        states: (N,) 1 labelled present, 0 absent, -1 without labels.
        seconds: (N - 1,) from frame to frame, as of `time_axis.steps`.
    """
    delays, missed, at_start, at_start_found = [], 0, 0, 0
    for start, stop, came in stays(truth, np.isfinite(seconds)):
        labelled = np.flatnonzero(states[start:stop] == 1)
        if not came:
            at_start += 1
            at_start_found += bool(len(labelled))
        elif len(labelled):
            delays.append(float(seconds[start : start + labelled[0]].sum()))
        else:
            missed += 1
    return Onsets(tuple(delays), missed, at_start, at_start_found)


def turns(truth: np.ndarray, states: np.ndarray, seconds: np.ndarray) -> Turns:
    """Count how often a label and the truth change where both are known; arguments as above."""
    known = (truth >= 0) & (states >= 0)
    label = np.where(known, states, -1)
    changes, time = switches(label, seconds)
    truth_changes, _ = switches(np.where(known, truth, -1), seconds)
    verdict = np.where(known, states != truth, -1)
    joined = np.isfinite(seconds)
    wrong = short = cut = 0
    for start, stop in runs(verdict, joined):
        if verdict[start] != 1:
            continue
        wrong += 1
        began = start > 0 and joined[start - 1] and verdict[start - 1] == 0
        ended = stop < len(verdict) and joined[stop - 1] and verdict[stop] == 0
        lasted = float(seconds[start : stop if ended else stop - 1].sum())
        if lasted < SHORT_S:
            short, cut = (short + 1, cut) if began and ended else (short, cut + 1)
    return Turns(changes, truth_changes, time, wrong, short, cut)


def delay(found: Sequence[Onsets]) -> Delay:
    """Put the onsets of one or more entities together."""
    delays = [seconds for entry in found for seconds in entry.delays]
    missed = sum(entry.missed for entry in found)
    if delays:
        median, late = (
            Figure(float(v), count=len(delays)) for v in np.percentile(delays, (50, 95))
        )
    else:
        reason = "no onset was labelled" if missed else "no onset was seen"
        median = late = Figure(None, reason=reason)
    return Delay(
        onsets=len(delays) + missed,
        found=len(delays),
        missed=missed,
        at_start=sum(entry.at_start for entry in found),
        at_start_found=sum(entry.at_start_found for entry in found),
        median_s=median,
        p95_s=late,
    )


def flicker(found: Sequence[Turns]) -> Flicker:
    """Put the changes of one or more entities together; rates are then of a mean entity."""
    total = Turns(*(sum(values) for values in zip(*found, strict=True))) if found else Turns(
        0, 0, 0.0, 0, 0, 0)  # fmt: skip
    excess = total.switches - total.truth_switches
    told = total.wrong - total.cut
    if told:
        share = Figure(total.short / told, count=told)
    else:
        reason = "no wrong label was seen from beginning to end" if total.wrong else (
            "no label was wrong")  # fmt: skip
        share = Figure(None, reason=reason)
    return Flicker(
        switches=total.switches,
        truth_switches=total.truth_switches,
        per_minute=_rate(total.switches, total.seconds),
        truth_per_minute=_rate(total.truth_switches, total.seconds),
        excess_per_minute=_rate(excess, total.seconds),
        wrong_flips=total.wrong,
        short_flips=total.short,
        cut_flips=total.cut,
        short_share=share,
    )


def _rate(count: int, seconds: float) -> Figure:
    rate = per_minute(count, seconds)
    reason = "" if rate is not None else "no two neighbouring frames are known"
    return Figure(rate, count=count, reason=reason)
