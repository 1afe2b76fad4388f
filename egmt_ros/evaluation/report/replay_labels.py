"""The labels of an evaluated bag, as sections of the report: over time, and beside the truth."""

from __future__ import annotations

from html import escape

import numpy as np

from egmt_ros.evaluation.replay.labels_over_time import (
    PRESENT,
    UNLABELLED,
    EntityOverTime,
    entity_scores,
    label_states,
)
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.replay.time_axis import steps
from egmt_ros.evaluation.replay.truth_figures import SHOWN, EntityTruth, Figure
from egmt_ros.evaluation.report.page_charts import axis, score_strip
from egmt_ros.evaluation.report.page_parts import NOTHING, number
from egmt_ros.evaluation.report.time_charts import Axis, telling_rows

STRIPS = 24
"""Entities whose strips are shown at once; the others' wait in a fold."""


def labels_section(summary: Summary, result: Result, time: Axis) -> str:
    """A strip for each entity."""
    labels = [entry for entry in summary.labels if entry.mean_score is not None]
    if not labels or not len(result.frames):
        return ('<section id="labels"><h2>Labels over time</h2><p>No frame has labels.</p>'
                "</section>")
    states = label_states(result)
    truth = result.truth

    def told(name: str) -> np.ndarray | None:
        return None if truth is None else truth.values.get(name)

    def strip(entry: EntityOverTime) -> str:
        drawing = _strip(entry, entity_scores(result, entry.name), states[entry.name],
                         told(entry.name), result.frames.keys["stamp"], time)
        share = f"{entry.share:.0%}" if entry.share is not None else NOTHING
        return (f'<div class="strip"><b>{escape(entry.name)}</b>{drawing}<span>{share} · '
                f"{number(entry.switches_per_minute, 1)}/min</span></div>")

    def seen(entry: EntityOverTime) -> bool:
        there = told(entry.name)
        return bool(entry.present) or (there is not None and bool((there == 1).any()))

    shown = [entry for entry in labels if seen(entry)]
    rest = [entry for entry in labels if not seen(entry)]
    rest, shown = shown[STRIPS:] + rest, shown[:STRIPS]
    legend = ('<span><i style="background:var(--score);height:2px;vertical-align:4px"></i>score'
              '</span><span><i style="background:var(--present)"></i>present</span>'
              "<span>┄ threshold</span>")
    if truth is not None:
        legend += ('<span><i style="background:var(--truth);height:4px;vertical-align:3px"></i>'
                   "really there</span><span><i style=\"background:var(--soft);opacity:.45;"
                   'height:2px;vertical-align:4px"></i>not known</span>')
    folded = (f"<details><summary>{len(rest)} more, {_many(rest)} of them never present</summary>"
              f"{''.join(map(strip, rest))}</details>") if rest else ""
    none = "" if shown else "<p>No entity was present in any frame.</p>"
    return (
        '<section id="labels"><h2>Labels over time</h2><p class="small soft">On the right: share '
        "of the frames in which the entity was present, and how often a minute it switched on or "
        f'off.</p><div class="legend">{legend}</div>{none}<div class="strips">'
        f"{''.join(map(strip, shown))}"
        f'<div class="strip"><b></b>{axis(time.duration)}<span></span></div></div>{folded}'
        "</section>")


def _many(entries: list[EntityOverTime]) -> int:
    return sum(not entry.present for entry in entries)


def _strip(entry: EntityOverTime, scores: np.ndarray, states: np.ndarray,
           truth: np.ndarray | None, stamps: np.ndarray, time: Axis) -> str:
    """The rows that tell, and after each pause or jump a row of nothing."""
    rows = telling_rows(time.seconds, time.duration, scores)
    pauses = np.flatnonzero(np.isnan(steps(stamps)))
    times, drawn, present, there = [], [], [], []
    events = [(float(time.seconds[i]), int(i), True) for i in rows]
    events += [(float(time.seconds[i]) + 1e-6, int(i), False) for i in pauses]
    for second, row, real in sorted(events):
        score = float(scores[row]) if real and np.isfinite(scores[row]) else None
        times.append(second)
        drawn.append(score)
        present.append(real and states[row] == PRESENT and states[row] != UNLABELLED)
        if truth is not None:
            known = real and np.isfinite(truth[row])
            there.append(bool(truth[row] == 1) if known else None if real else False)
    said = (f"{entry.name}: present in {entry.present} of {entry.frames} frames, "
            f"{entry.switches} switches")
    return score_strip(times, drawn, present, there if truth is not None else None,
                       entry.threshold, time.duration, said)


def truth_section(summary: Summary) -> str:
    """Tables of the labels beside the ground truth; empty without one."""
    truth = summary.truth
    if truth is None:
        return ""
    entities = [e for e in truth.entities if e.positives or e.false_positive]
    quiet = [e.name for e in truth.entities if e not in entities]
    order = sorted(entities, key=lambda e: -e.positives)
    head = "".join(f'<th scope="col">{name}</th>' for name in (
        "entity", "AP", "F1", "precision", "recall", *(f"recall, {shown}" for shown in SHOWN),
        "there / known"))
    macro = "".join(_figure(truth.macro.get(name))
                    for name in ("ap", "f1", "precision", "recall"))
    together = (f'<tr class="ours"><td>all entities</td>{macro}'
                + "".join(_figure(truth.recall_shown.get(shown)) for shown in SHOWN)
                + f"<td>{truth.frames_known} frames</td></tr>")
    rows = "".join(_scores_row(e) for e in order)
    delays = "".join(_delay_row(e.name, e) for e in order if e.delay.onsets or e.flicker.switches
                     or e.flicker.wrong_flips)
    hidden = (f'<p class="small soft">Never there and never labelled: {escape(", ".join(quiet))}.'
              "</p>") if quiet else ""
    return (
        '<section id="truth"><h2>Labels beside the ground truth</h2><p class="small soft">'
        f"{truth.frames_known} of {truth.frames} frames have a known truth; what is unknown counts "
        "nowhere. Small: intervals of 95 %. Recall is told by which camera shows the entity.</p>"
        f'<div class="scroll" tabindex="0"><table><tr>{head}</tr>{together}{rows}</table></div>'
        f"{hidden}<h3>Delay and flicker</h3>"
        '<p class="small soft">Delay: from an entity\'s coming into view to its label. Switches a '
        "minute of the label beside those of the truth; a wrong label that is gone within half a "
        "second is a flicker.</p>"
        '<div class="scroll" tabindex="0"><table><tr><th>entity</th><th scope="col">came</th>'
        '<th scope="col">labelled</th><th scope="col">delay, median s</th>'
        '<th scope="col">p95 s</th><th scope="col">switches/min</th>'
        '<th scope="col">of the truth</th><th scope="col">flickers</th></tr>'
        f"{_delay_row('all entities', truth)}{delays}</table></div></section>")


def _scores_row(entity: EntityTruth) -> str:
    cells = "".join(_figure(entity.measures.get(name))
                    for name in ("ap", "f1", "precision", "recall"))
    cells += "".join(_figure(entity.recall_shown.get(shown)) for shown in SHOWN)
    return (f"<tr><td>{escape(entity.name)}</td>{cells}<td>{entity.positives} / {entity.known}"
            "</td></tr>")


def _figure(figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        reason = f' title="{escape(figure.reason)}"' if figure is not None and figure.reason else ""
        return f"<td{reason}>{NOTHING}</td>"
    interval = "" if figure.low is None or figure.high is None else (
        f'<span class="interval">{number(figure.low)} to {number(figure.high)}</span>')
    return f"<td>{number(figure.value)}{interval}</td>"


def _delay_row(name: str, entry) -> str:
    delay, flicker = entry.delay, entry.flicker
    return (
        f"<tr><td>{escape(name)}</td><td>{delay.onsets}</td><td>{delay.found}</td>"
        f"<td>{number(delay.median_s.value)}</td><td>{number(delay.p95_s.value)}</td>"
        f"<td>{number(flicker.per_minute.value, 1)}</td>"
        f"<td>{number(flicker.truth_per_minute.value, 1)}</td>"
        f"<td>{flicker.short_flips} of {flicker.wrong_flips}</td></tr>")
