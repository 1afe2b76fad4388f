"""What `egmt evaluate bag` prints: a few lines and a table."""

from __future__ import annotations

from collections.abc import Sequence

from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS, COMPARED
from egmt_ros.evaluation.live.telling import live_lines
from egmt_ros.evaluation.replay.fusion_over_frames import MetricMean
from egmt_ros.evaluation.replay.labels_over_time import EntityOverTime
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.replay.truth_figures import Figure, TruthReport

LABELS = 8
"""Entities that are listed, those seen most often."""


def print_result(result: Result, summary: Summary) -> None:
    """Print what matters of an evaluation."""
    for line in lines(result, summary):
        print(line)


def lines(result: Result, summary: Summary) -> list[str]:
    """The lines of `print_result`."""
    run, found = result.run, []
    for side in ("thermal", "visible"):
        topic = run.topics.get(side, {})
        found.append(f"{side}: {topic.get('name')} ({topic.get('type')}; {topic.get('how')})")
    for side, reasons in summary.reasons.items():
        counters = run.account.get(side, {})
        unused = ", ".join(f"{n} {reason}" for reason, n in reasons.items())
        found.append(
            f"{side} frames: {counters.get('received', 0)}, fused {counters.get('fused', 0)}"
            + (f", unused: {unused}" if unused else "")
        )
    if summary.fusion:
        found += ["", _row("method", [COLUMNS[name].title for name in COMPARED])]
        for method, metrics in summary.fusion.items():
            found.append(_row(method, [_mean(metrics.get(name)) for name in COMPARED]))
        found += ["", *(answer.sentence for answer in summary.answers)]
    if summary.labels:
        found += ["", f"{'entity':<18}{'present':>9}{'switches/min':>14}"]
        found += [_label(entity) for entity in summary.labels[:LABELS]]
    if summary.truth is not None:
        found += ["", *_truth(summary.truth)]
    found += ["", *(speed(result) if run.live is None else live_lines(run.live))]
    found += [f"note: {note}" for note in summary.notes]
    found += [f"problem: {problem}" for problem in summary.problems]
    return found


def speed(result: Result) -> list[str]:
    """How fast it went: the whole beside the engine alone, unless metrics were scored as well."""
    seconds, frames = result.run.seconds, len(result.frames)
    wall, engine = seconds.get("wall", 0.0), seconds.get("engine", 0.0)
    if not frames or not wall:
        return []
    line = f"{frames} frames in {wall:.1f} s, {frames / wall:.1f} a second"
    if seconds.get("metrics"):
        line += "; most of it for metrics: --no-metrics tells the speed of the fusion"
    elif engine:
        line += (
            f"; the engine alone took {1e3 * engine / frames:.1f} ms a frame, the whole"
            f" {1e3 * wall / frames:.1f} ms, {wall / engine:.2f} times that"
        )
    return [line]


def _truth(truth: TruthReport) -> list[str]:
    measures = ", ".join(f"{name} {_figure(figure)}" for name, figure in truth.macro.items())
    shown = ", ".join(f"{way} {_figure(figure)}" for way, figure in truth.recall_shown.items())
    delay, flicker = truth.delay, truth.flicker
    late = "" if delay.median_s.value is None else (
        f", after {_figure(delay.median_s)} s in the median")  # fmt: skip
    return [
        f"against the ground truth of {truth.frames_known} of {truth.frames} frames, mean of the"
        f" entities: {measures}",
        f"recall of what is shown by {shown}",
        f"{delay.found} of {delay.onsets} that came into view were labelled{late}",
        f"switches a minute and entity: {_figure(flicker.per_minute)}, in truth"
        f" {_figure(flicker.truth_per_minute)}",
    ]


def _figure(figure: Figure) -> str:
    if figure.value is None:
        return "-"
    bounds = "" if figure.low is None else f" ({figure.low:.2f}..{figure.high:.2f})"
    return f"{figure.value:.2f}{bounds}"


def _mean(metric: MetricMean | None) -> str:
    return "-" if metric is None or metric.mean is None else f"{metric.mean:.3f}"


def _label(entity: EntityOverTime) -> str:
    share = "-" if entity.share is None else f"{entity.share:.0%}"
    rate = entity.switches_per_minute
    return f"{entity.name:<18}{share:>9}{'-' if rate is None else f'{rate:.1f}':>14}"


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<10}" + "".join(f"{cell:>9}" for cell in cells)
