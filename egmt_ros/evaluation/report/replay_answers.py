"""What the report of an evaluated bag says first: its answers in plain words."""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.replay.fusion_over_frames import UNKNOWN
from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.report.page_parts import NOTHING, number

YES, NO, UNSURE = "yes", "no", "unsure"
RIGHT, HALF_RIGHT = 0.8, 0.5
"""F1 from which labels are called mostly and partly right."""

STEADY, UNSTEADY = 0.01, 0.2
"""Share of a camera's frames that a live node may lose or leave out, to be called fast enough, and
to be called not steady."""

_MARKS = {YES: "good", NO: "bad", UNSURE: "unsure"}


class Reply(NamedTuple):
    """A question, a word or two, YES, NO or UNSURE, and what it rests on."""

    question: str
    word: str
    mark: str
    reason: str


def replies(summary: Summary) -> list[Reply]:
    """The four answers."""
    return [_better(summary), _labels(summary), _fast(summary), _accounted(summary)]


def answers_html(summary: Summary) -> str:
    """The answers as a section."""
    rows = "".join(
        f'<div><dt>{escape(r.question)}</dt><dd><b class="{_MARKS[r.mark]}">{escape(r.word)}</b>'
        f"{escape(r.reason)}</dd></div>" for r in replies(summary))
    return f'<section id="answers"><h2>Answers</h2><dl class="answers">{rows}</dl></section>'


def main_timing(summary: Summary) -> tuple[str, Any] | None:
    """Name and distribution of the time that tells most of the speed; None without times."""
    names = ("release_to_publish_ms", "reference_to_image_ms", "processing_ms", "fuse_ms")
    for name in (*names, *summary.timing_ms):
        if summary.timing_ms.get(name) is not None:
            return name, summary.timing_ms[name]
    return None


def _better(summary: Summary) -> Reply:
    question = "Is the fused image better than either camera?"
    telling = next((answer for answer in summary.answers if answer.tells), None)
    if telling is None or not summary.frames:
        why = ("Neither camera's image was scored beside the fused one."
               if any(summary.fusion.values()) else "No frame was scored.")
        return Reply(question, "Not measured.", UNSURE, why)
    verdicts = set(telling.better_than.values())
    more = "".join(f" {a.sentence}" for a in summary.answers if not a.tells)
    if verdicts == {"yes"}:
        return Reply(question, "Yes.", YES, telling.sentence + more)
    if verdicts == {"no"}:
        return Reply(question, "No.", NO, telling.sentence + more)
    word = "Cannot be told." if verdicts == {UNKNOWN} else "In part."
    return Reply(question, word, UNSURE, telling.sentence + more)


def _labels(summary: Summary) -> Reply:
    question = "Are the labels right?"
    truth = summary.truth
    rates = {e.name: e.switches_per_minute for e in summary.labels
             if e.present and e.switches_per_minute is not None}
    worst = max(rates, key=rates.__getitem__, default="")
    restless = (f" The most restless label, {worst}, switched {rates[worst]:.1f} times a minute."
                if rates else "")
    if truth is None or not truth.frames_known:
        return Reply(question, "Not known.", UNSURE,
                     "There is no ground truth for these frames." + restless)
    macro = truth.macro
    f1, ap, recall = (macro[name] for name in ("f1", "ap", "recall"))
    if f1.value is None:
        return Reply(question, "Not known.", UNSURE, f"F1 is not defined: {f1.reason}." + restless)
    reason = (
        f"{truth.frames_known} frames have ground truth. Mean over the entities for which it is "
        f"defined (in brackets how many): F1 {_figure(f1)}, recall {_figure(recall)}, average "
        f"precision {_figure(ap)}.")
    delay = truth.delay.median_s.value
    if delay is not None:
        reason += f" An entity that came was labelled after {delay:.2f} s (median)."
    word, mark = (("Mostly.", YES) if f1.value >= RIGHT else ("Partly.", UNSURE)
                  if f1.value >= HALF_RIGHT else ("Mostly not.", NO))
    return Reply(question, word, mark, reason + restless)


def _figure(figure: Any) -> str:
    if figure.value is None:
        return "not defined"
    interval = "" if figure.low is None or figure.high is None else (
        f" [{number(figure.low)}, {number(figure.high)}]")
    return f"{number(figure.value)}{interval} ({figure.count})"


def _fast(summary: Summary) -> Reply:
    question = "Is it fast and steady enough?"
    time = main_timing(summary)
    if time is None:
        return Reply(question, "Not measured.", UNSURE, "No frame was timed.")
    name, spread = time
    said = (f"{plain_name(name)}: median {spread.p50:.1f} ms, 95 % within {spread.p95:.1f} ms, at "
            f"most {spread.max:.1f} ms.")
    if summary.kind == "live":
        return _fast_live(summary, question, said)
    periods = [rate.period_ms for side in SIDES if (rate := summary.rates[side]).period_ms]
    if not periods:
        return Reply(question, "Cannot be told.", UNSURE, said)
    # Pairs come at most as often as the slower camera's frames.
    period = max(periods)
    said += f" A pair came each {period:.1f} ms."
    rest = (" This is the time of the fusion alone, offline: --live measures the node with its "
            "cameras' messages.")
    if spread.p95 <= period:
        return Reply(question, "Yes, on this machine.", YES, said + rest)
    if summary.fusion:
        return Reply(question, "Cannot be told.", UNSURE, f"{said} But metrics were scored beside "
                     "it, on the same processors, which slows it: --no-metrics tells the time of "
                     "the fusion alone, --live that of the node with its cameras' messages.")
    if spread.p50 <= period:
        return Reply(question, "Not steadily.", UNSURE, said + rest)
    return Reply(question, "No.", NO, said + " The newest pair wins, so frames would be left out."
                 + rest)


def _fast_live(summary: Summary, question: str, said: str) -> Reply:
    live = summary.run.get("live") or {}
    dropped = {side: a.lost + a.superseded for side, a in summary.account.items()}
    sent = max((a.sent for a in summary.account.values()), default=0)
    worst = max(dropped.values(), default=0)
    rates = live.get("rates_hz") or {}
    out = rates.get("fused")
    said += f" {number(out, 1)} fused images came a second; of {sent} frames of a camera {worst} "
    said += "were lost or left out for newer ones."
    highest = live.get("highest_rate_hz")
    if highest is not None:
        said += f" The highest rate that it followed is {highest:g} Hz."
    share = worst / sent if sent else 1.0
    if share <= STEADY:
        return Reply(question, "Yes, on this machine.", YES, said)
    if share <= UNSTEADY:
        return Reply(question, "Not steadily.", UNSURE, said)
    return Reply(question, "No.", NO, said)


def _accounted(summary: Summary) -> Reply:
    question = "Was every frame accounted for?"
    parts = []
    for side in SIDES:
        account = summary.account[side]
        rest = ", ".join(f"{n} {name.replace('_', ' ')}"
                         for name, n in account.not_fused().items()) or "no other"
        parts.append(f"{side}: {account.fused} of {account.sent} fused, {rest}")
    said = "; ".join(parts) + "."
    if summary.consistent:
        return Reply(question, "Yes.", YES, said)
    return Reply(question, "No.", NO, f"{said} {'; '.join(summary.problems)}.")


_PLAIN = {
    "fuse_ms": "Fusing a pair",
    "read_ms": "Reading its messages",
    "convert_ms": "Converting its images",
    "pair_ms": "Pairing",
    "metrics_ms": "Metrics",
    "write_ms": "Writing",
    "processing_ms": "From the pair's images to the fused one, in the node",
    "release_to_publish_ms": "From the release of the pair to publishing",
    "reference_to_image_ms": "From the sending of the reference frame to the arrival of the image",
    "last_frame_to_image_ms": "From the sending of the pair's later frame to that arrival",
}


def plain_name(column: str) -> str:
    """What a column of timing.csv is, in words."""
    return _PLAIN.get(column, column.removesuffix("_ms").replace("_", " ") or NOTHING)
