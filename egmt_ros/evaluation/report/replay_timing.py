"""Pairs, rates, drops and times of an evaluated bag, as sections of the report."""

from __future__ import annotations

from html import escape

import numpy as np

from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import OUTCOMES, SIDES
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.report.page_charts import COLOURED_FATES, axis, fate_class, histogram
from egmt_ros.evaluation.report.page_parts import NOTHING, number
from egmt_ros.evaluation.report.replay_answers import main_timing, plain_name
from egmt_ros.evaluation.report.replay_fusion import choice_of_charts
from egmt_ros.evaluation.report.time_charts import Axis, outcome_bars, time_chart

_RANKS = ("p50", "p95", "p99", "max")


def account_section(summary: Summary, result: Result) -> str:
    """Where the frames of each camera went, in all and over time; rates and gaps of pairs."""
    columns = ("sent", "lost", "received", *OUTCOMES, "in_flight")
    head = "".join(f'<th scope="col">{name.replace("_", " ")}</th>' for name in columns)
    rows = "".join(
        f"<tr><td>{side}</td>"
        + "".join(f"<td>{getattr(summary.account[side], name)}</td>" for name in columns) + "</tr>"
        for side in SIDES)
    reasons = "".join(
        f'<tr><td>{side}</td><td class="left">{escape(_named(reason))}</td>'
        f"<td>{count}</td></tr>"
        for side in SIDES for reason, count in _reasons(summary, side).items())
    reasons = ('<div class="scroll" tabindex="0"><table><tr><th>camera</th><th class="left">'
               f"outcome and reason</th><th>frames</th></tr>{reasons}</table></div>"
               if reasons else "<p>Every frame was fused.</p>")
    return (
        '<section id="account"><h2>Account of every frame</h2><p class="small soft">'
        "sent = received + lost; received = fused + unpaired + superseded + rejected + inactive + "
        "disabled + passthrough + in flight</p>"
        f'<div class="scroll" tabindex="0"><table><tr><th></th>{head}</tr>{rows}</table></div>'
        f"<h3>Frames that are in no fused image</h3>{reasons}{_over_time(result)}"
        f"<h3>Rates and pairs</h3>{_rates(summary)}{_gaps(result)}</section>")


def _reasons(summary: Summary, side: str) -> dict[str, int]:
    """Of the list of unused frames; where it is not complete, of the account."""
    listed = summary.reasons[side]
    account = summary.account[side].not_fused()
    known = {name.split(".")[0] for name in listed}
    return listed | {name: n for name, n in account.items() if name not in known}


def _named(reason: str) -> str:
    """An outcome and its reason, or the one where both are the same word."""
    outcome, _, why = reason.partition(".")
    return (outcome if why in ("", outcome) else f"{outcome}: {why}").replace("_", " ")


def _over_time(result: Result) -> str:
    """Bars of what became of the frames, by their stamps; both cameras on one axis."""
    stamps: dict[str, list[int]] = {}
    outcomes: dict[str, list[str]] = {}
    for side in SIDES:
        fused = [int(v) for v in result.frames.keys.get(f"{side}_stamp", ()) if v > 0]
        unused = [row for row in result.unused if row["side"] == side and int(row["stamp"]) > 0]
        stamps[side] = fused + [int(row["stamp"]) for row in unused]
        outcomes[side] = ["fused"] * len(fused) + [row["outcome"] for row in unused]
    everything = [stamp for side in SIDES for stamp in stamps[side]]
    if not everything:
        return ""
    begin, end = min(everything), max(everything)
    duration = (end - begin) / 1e9 + 1e-3
    kinds = {kind for side in SIDES for kind in outcomes[side]}
    named = [k for k in COLOURED_FATES if k in kinds] + sorted(kinds - set(COLOURED_FATES))
    legend = "".join(f'<span><i class="{fate_class(kind)}"></i>{escape(kind.replace("_", " "))}'
                     "</span>" for kind in named)
    charts = "".join(
        f'<div class="small soft">{side}</div>' + outcome_bars(
            (np.array(stamps[side]) - begin) / 1e9, outcomes[side], duration,
            f"What became of the {side} frames over time: {_counted(outcomes[side])}")
        for side in SIDES if stamps[side])
    return (f'<h3>By the time of their stamps</h3><div class="legend">{legend}</div>{charts}'
            f"{axis(duration)}")


def _counted(outcomes: list[str]) -> str:
    return ", ".join(f"{outcomes.count(kind)} {kind}" for kind in dict.fromkeys(outcomes))


def _rates(summary: Summary) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{rate.frames}</td><td>{number(rate.hz, 2)}</td>"
        f"<td>{number(rate.period_ms, 1)}</td><td>{number(rate.longest_gap_ms, 1)}</td>"
        f"<td>{rate.pauses}</td><td>{rate.jumps_back}</td></tr>"
        for name, rate in summary.rates.items())
    return ('<div class="scroll" tabindex="0"><table><tr><th></th><th>frames</th><th>Hz</th>'
            "<th>median period ms</th><th>longest gap ms</th><th>pauses</th><th>jumps back</th>"
            f"</tr>{rows}</table></div>")


def _gaps(result: Result) -> str:
    gaps = result.frames.values.get("gap_ms", np.zeros(0))
    gaps = np.abs(gaps[np.isfinite(gaps)])
    if not len(gaps):
        return ""
    return f'<div class="pair">{histogram(gaps, "Distance of the two stamps of a pair, ms")}</div>'


def timing_section(summary: Summary, result: Result, time: Axis) -> str:
    """Distributions, histograms and curves of timing.csv."""
    measured = {name: spread for name, spread in summary.timing_ms.items() if spread is not None}
    if not measured:
        return ('<section id="timing"><h2>Times</h2><p>No frame was timed.</p></section>')
    main = main_timing(summary)
    first = main[0] if main else next(iter(measured))
    order = [first, *(name for name in measured if name != first)]
    second = next((n for n in ("reference_to_image_ms", "metrics_ms") if n in order[1:]), None)
    drawn = [first] + ([second] if second else [])
    histograms = "".join(
        histogram(_finite(result.timing.values[name]), f"{plain_name(name)}, ms") for name in drawn)
    charts = {plain_name(name): time_chart(time, {name: result.timing.values[name]},
                                           f"{plain_name(name)} over time, ms")
              for name in order}
    where = ("Live: the bag was played into a node." if summary.kind == "live" else
             "Offline: as fast as this machine goes, one frame after the other; metrics are no "
             "part of a node's work.")
    rows = "".join(spread_row(plain_name(name), measured[name]) for name in order)
    return (f'<section id="timing"><h2>Times</h2><p class="small soft">{where}</p>'
            f'{spread_table("ms a frame", rows)}<div class="pair">{histograms}</div>'
            f'<h3>Over time</h3>{choice_of_charts("times", "time", charts, time)}</section>')


def _finite(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def spread_table(name: str, rows: str) -> str:
    """A table of distributions, of rows by `spread_row`."""
    head = "".join(f'<th scope="col">{rank}</th>' for rank in ("median", "p95", "p99", "max"))
    return (f'<div class="scroll" tabindex="0"><table><tr><th>{escape(name)}</th>{head}'
            f"<th>count</th></tr>{rows}</table></div>")


def spread_row(name: str, spread: Distribution | dict | None) -> str:
    """A distribution, as `Distribution` or as run.json has it."""
    def part(rank: str) -> float | None:
        return spread.get(rank) if isinstance(spread, dict) else getattr(spread, rank, None)

    count = part("count")
    return (f"<tr><td>{escape(name)}</td>"
            + "".join(f"<td>{number(part(rank), 1)}</td>" for rank in _RANKS)
            + f"<td>{NOTHING if count is None else int(count)}</td></tr>")
