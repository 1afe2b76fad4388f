"""The fused images beside the cameras and the classical methods, as sections of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.replay.fusion_over_frames import (
    BETTER,
    OURS,
    TELLING,
    WORSE,
    Difference,
    MetricMean,
)
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.replay.tables import metric_column
from egmt_ros.evaluation.report.page_charts import axis
from egmt_ros.evaluation.report.page_parts import NOTHING, number
from egmt_ros.evaluation.report.time_charts import Axis, time_chart

DRAWN = (OURS, "thermal", "visible")
NAMES = {"ours": "fused (ours)", "thermal": "thermal alone", "visible": "visible alone",
         "max": "maximum", "mean": "mean", "laplacian": "Laplacian pyramid", "gff": "guided filter"}


def fusion_section(summary: Summary, result: Result, time: Axis) -> str:
    """Table of means with intervals and marks, and metrics over time."""
    scored = {m: v for m, v in summary.fusion.items() if v}
    if not scored:
        return ('<section id="fusion"><h2>Fused images</h2><p>No metrics were measured in this '
                "evaluation.</p></section>")
    every = result.run.metrics_every
    which = "every fused frame" if every == 1 else f"one of {every} fused frames"
    counts = [mean.count for values in scored.values() for mean in values.values()]
    return (
        '<section id="fusion"><h2>Fused images</h2>'
        f'<p class="small soft">Means over {which} ({max(counts)} scored) with intervals of 95 % '
        "by blocks of neighbouring frames. "
        '<span class="yes">▲</span> ours is better than this method, '
        '<span class="no">▼</span> worse, paired by frame; no mark: cannot be told. VIFmin to '
        "CCmin tell how well the camera is shown that is shown worse; VIF to SSIM are sums, of "
        "which a copy of one camera earns its half. Noise and gain lift the metrics of the second "
        "table.</p>"
        + _table(scored, summary.differences, TELLING + ("vif", "qabf", "scd", "ssim"))
        + '<details><summary>More metrics</summary>'
        + _table(scored, summary.differences, tuple(m for m in COLUMNS if m not in TELLING
                                                    and m not in ("vif", "qabf", "scd", "ssim")))
        + "</details>" + _over_time(result, time) + "</section>")


def _table(scored: Mapping[str, Mapping[str, MetricMean]],
           differences: Mapping[str, Mapping[str, Difference]], metrics: Sequence[str]) -> str:
    metrics = [m for m in metrics if any(m in values for values in scored.values())]
    head = "".join(f'<th scope="col">{escape(COLUMNS[m].title)}</th>' for m in metrics)
    rows = "".join(
        f'<tr{" class=ours" if method == OURS else ""}><td>{escape(NAMES.get(method, method))}</td>'
        + "".join(_cell(m, values.get(m), differences.get(method, {}).get(m)) for m in metrics)
        + "</tr>" for method, values in scored.items())
    return f'<div class="scroll" tabindex="0"><table><tr><th></th>{head}</tr>{rows}</table></div>'


def _cell(metric: str, mean: MetricMean | None, difference: Difference | None) -> str:
    if mean is None or mean.mean is None:
        return f"<td>{NOTHING}</td>"
    column = COLUMNS[metric]
    interval = "" if mean.low is None or mean.high is None else (
        f'<span class="interval">{number(mean.low * column.factor, column.decimals)} to '
        f"{number(mean.high * column.factor, column.decimals)}</span>")
    mark = {BETTER: '<span class="yes" title="ours is better">▲</span> ',
            WORSE: '<span class="no" title="ours is worse">▼</span> '}.get(
                (difference.verdict or "") if difference else "", "")
    return f"<td>{mark}{number(mean.mean * column.factor, column.decimals)}{interval}</td>"


def _over_time(result: Result, time: Axis) -> str:
    methods = [m for m in DRAWN if m in result.run.methods]
    metrics = [m for m in (*TELLING, *(m for m in COLUMNS if m not in TELLING))
               if any(_measured(result, method, m) for method in methods)]
    if not metrics:
        return ""
    charts = {
        COLUMNS[metric].title: time_chart(
            time, {method: result.frames.values[metric_column(method, metric)]
                   * COLUMNS[metric].factor for method in methods
                   if metric_column(method, metric) in result.frames.values},
            f"{COLUMNS[metric].title} over time, of {', '.join(methods)}")
        for metric in metrics}
    legend = "".join(f'<span><i class="k{i}"></i>{escape(NAMES.get(m, m))}</span>'
                     for i, m in enumerate(methods))
    return (f'<h3>Over time</h3><div class="legend">{legend}</div>'
            + choice_of_charts("metrics", "metric", charts, time)
            + '<p class="small soft">A curve breaks where nothing was measured. With many frames '
            "the line is the mean and the tint the range.</p>")


def choice_of_charts(key: str, name: str, charts: Mapping[str, str], time: Axis) -> str:
    """Charts of which a list chooses one; all are shown where no script runs."""
    options = "".join(f"<option>{escape(title)}</option>" for title in charts)
    drawn = "".join(
        f'<div data-name="{escape(title)}"><div class="small soft under">{escape(title)}</div>'
        f"{chart}</div>" for title, chart in charts.items())
    return (f'<p hidden><label>{escape(name)} <select data-charts="{key}">{options}</select>'
            f'</label></p><div id="{key}">{drawn}</div>'
            f'<div class="under">{axis(time.duration)}</div>')


def _measured(result: Result, method: str, metric: str) -> bool:
    values = result.frames.values.get(metric_column(method, metric))
    return values is not None and bool(np.isfinite(values).any())
