"""What only a live replay knows, as a section of the report."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.report.page_charts import axis
from egmt_ros.evaluation.report.page_parts import fact_table, number
from egmt_ros.evaluation.report.replay_answers import plain_name
from egmt_ros.evaluation.report.replay_timing import spread_row, spread_table
from egmt_ros.evaluation.report.time_charts import Axis, time_chart


def live_section(summary: Summary) -> str:
    """Latency, jitter, lost frames, processor and memory, and the search for the highest rate.

    Whatever run.json lacks is left out; empty for an offline evaluation.
    """
    live: dict[str, Any] = summary.run.get("live") or {}
    if summary.kind != "live" or not live:
        return ""
    latencies = "".join(spread_row(plain_name(name), spread)
                        for name, spread in (live.get("latency_ms") or {}).items() if spread)
    if live.get("jitter_ms"):
        latencies += spread_row("Jitter: change of the interval between two images",
                                live["jitter_ms"])
    table = spread_table("ms", latencies) if latencies else "<p>No latency was measured.</p>"
    rates = {f"{name}, Hz": number(value, 2) for name, value in (live.get("rates_hz") or {}).items()
             if value is not None}
    lost = {f"lost {side} frames": count for side, count in (live.get("lost") or {}).items()}
    facts = {"speed of the replay": _times(live.get("rate")), **rates, **lost,
             "middleware": live.get("middleware"), "start of the node, s": live.get("start_s"),
             "replay, s": live.get("play_s")}
    return (
        '<section id="live"><h2>Live: node, DDS and this machine</h2>'
        f'{table}<div class="pair"><div>{fact_table(facts)}</div>'
        f"<div>{_process(live.get('process'))}</div></div>{_process_chart(live.get('process'))}"
        f"{_sweep(live)}</section>")


def _times(rate: float | None) -> str:
    return "" if rate is None else f"{rate:g} ×"


def _process(process: dict[str, Any] | None) -> str:
    if not process:
        return '<p class="soft">Processor and memory were not measured.</p>'
    cores, memory = process.get("cpu_cores") or {}, process.get("memory_mib") or {}
    return fact_table({
        "busy cores, mean · peak": f"{number(cores.get('mean'))} · {number(cores.get('peak'))}",
        "memory, median · peak, MiB":
            f"{number(memory.get('median'), 0)} · {number(memory.get('peak'), 0)}",
        "resident peak, MiB": number(memory.get("resident_peak"), 0),
        "growth of memory, MiB/min": number(process.get("slope_mib_per_min"), 2),
    })


def _process_chart(process: dict[str, Any] | None) -> str:
    rows = np.array((process or {}).get("over_time") or np.zeros((0, 3)), float)
    if len(rows) < 2:
        return ""
    time = Axis(rows[:, 0], float(rows[-1, 0]) + 1e-3, 0)
    return "".join(
        f"<h3>{title}</h3>{time_chart(time, {title: rows[:, column]}, f'{title} over time')}"
        f'<div class="under">{axis(time.duration)}</div>'
        for column, title in ((1, "Busy cores"), (2, "Private memory of the node, MiB")))


def _sweep(live: dict[str, Any]) -> str:
    search, at_rate = live.get("search") or (), live.get("at_rate") or ()
    if not search and not at_rate:
        return '<p class="small soft">No highest rate was searched: that is what --sweep does.</p>'
    highest = live.get("highest_rate_hz")
    said = (f"The highest rate that the node followed is <b>{highest:g} Hz</b>."
            if isinstance(highest, (int, float)) else "No rate that was tried was followed.")
    rows = "".join(
        f"<tr><td>{number(row.get('rate'), 1)}</td><td>{number(row.get('sent_hz'), 1)}</td>"
        f"<td>{_count(row, 'sent')}</td><td>{_count(row, 'fused')}</td>"
        f"<td>{_count(row, 'dropped')}</td><td>{'yes' if row.get('followed') else 'no'}</td>"
        f"<td>{number(row.get('p50'), 1)}</td><td>{number(row.get('p95'), 1)}</td></tr>"
        for row in search)
    table = ('<details><summary>Rates that were tried</summary><div class="scroll" tabindex="0">'
             "<table><tr><th>Hz</th><th>sent Hz</th><th>sent</th><th>fused</th><th>dropped</th>"
             f"<th>followed</th><th>median ms</th><th>p95 ms</th></tr>{rows}</table></div>"
             "</details>") if rows else ""
    fixed = "".join(spread_row(f"at {number(row.get('rate'), 0)} Hz", row.get("latency_ms"))
                    for row in at_rate)
    latencies = ('<h3>Latency at fixed rates</h3><p class="small soft">From the sending of the '
                 "reference frame to the arrival of the image.</p>"
                 + spread_table("ms", fixed)) if fixed else ""
    return f"<h3>Highest rate</h3><p>{said}</p>{table}{latencies}"


def _count(row: dict[str, Any], name: str) -> str:
    return escape(str(row.get(name, "")))
