"""An evaluation of pairs as a summary (for JSON), Markdown and CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.evaluation.fusion.confidence import LEVEL, mean_interval
from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS, COMPARED
from egmt_ros.evaluation.fusion.pair_worker import OURS, STRETCHED
from egmt_ros.evaluation.fusion.pairs import Evaluation, PairRow
from egmt_ros.evaluation.labels.label_table import label_table, markdown_labels

Table = dict[str, dict[str, float]]


def summarize(evaluation: Evaluation, resamples: int = 2000, seed: int = 0) -> dict[str, Any]:
    """Means, confidence intervals and label scores.

    Returns:
        "model_id", "splits";
        "pairs": {dataset: scored pairs}; "scored": {dataset: {method: pairs}};
        "fusion": {dataset: {method: {metric: mean}}};
        "intervals": the same with [low, high] for each mean;
        "differences": {dataset: {method: {metric: {"mean", "low", "high"}}}}, "ours" minus that
        method over the pairs that both were scored on;
        "bootstrap": {"level", "resamples", "seed"} of these two;
        "labels": see `label_table`, over all pairs; "labels_by_split": {split: the same};
        "rejected": [{"dataset", "split", "name", "reason", "method"}], "rejected_count".
    """
    by_dataset: dict[str, list[PairRow]] = {}
    for row in evaluation.rows:
        by_dataset.setdefault(row.dataset, []).append(row)
    summary: dict[str, Any] = {
        "model_id": evaluation.model_id,
        "splits": list(evaluation.splits),
        "pairs": {dataset: len(rows) for dataset, rows in by_dataset.items()},
    }
    parts = ("scored", "fusion", "intervals", "differences")
    summary |= {part: {dataset: {} for dataset in by_dataset} for part in parts}
    for dataset, rows in by_dataset.items():
        for method in _methods(evaluation, rows):
            values = _values([row for row in rows if method in row.metrics], method)
            bounds = mean_interval(values, resamples, seed)
            summary["scored"][dataset][method] = len(values)
            summary["fusion"][dataset][method] = _named(bounds.mean)
            summary["intervals"][dataset][method] = {
                metric: [float(low), float(high)]
                for metric, low, high in zip(COLUMNS, bounds.low, bounds.high, strict=True)
            }
            ours = OURS + (STRETCHED if method.endswith(STRETCHED) else "")
            both = [row for row in rows if method in row.metrics and ours in row.metrics]
            if both and method != ours:
                difference = _values(both, ours) - _values(both, method)
                bounds = mean_interval(difference, resamples, seed)
                named = {field: _named(value) for field, value in bounds._asdict().items()}
                summary["differences"][dataset][method] = {
                    metric: {field: named[field][metric] for field in named} for metric in COLUMNS
                }
    summary["bootstrap"] = {"level": LEVEL, "resamples": resamples, "seed": seed}
    summary["labels"] = _labels(evaluation, evaluation.rows)
    summary["labels_by_split"] = {
        split: _labels(evaluation, [row for row in evaluation.rows if row.split == split])
        for split in evaluation.splits
    }
    summary["rejected"] = [asdict(rejection) for rejection in evaluation.rejected]
    summary["rejected_count"] = len(evaluation.rejected)
    return summary


def markdown(evaluation: Evaluation, summary: dict[str, Any]) -> str:
    """The summary as Markdown: means, paired differences, labels, what was rejected."""
    parts = []
    for dataset, table in summary["fusion"].items():
        splits = {row.split for row in evaluation.rows if row.dataset == dataset}
        named = " + ".join(split for split in evaluation.splits if split in splits)
        count = summary["pairs"][dataset]
        parts += [f"### {dataset} ({named}), {count} pairs"]
        parts += [markdown_table(table, summary["scored"][dataset], count)]
        if summary["differences"][dataset]:
            parts += [
                "ours minus each, mean and 95 % bootstrap interval over pairs, bold where it "
                "leaves out 0:",
                _difference_table(summary["differences"][dataset]),
            ]
    if summary["labels"]:
        parts += [f"### Labels, all data sets, {summary['model_id']}"]
        parts += [markdown_labels(summary["labels"])]
    if evaluation.rejected:
        parts += [f"{len(evaluation.rejected)} rejected, see the log or the JSON summary."]
    return "\n\n".join(parts)


def markdown_table(table: Table, scored: dict[str, int], pairs: int) -> str:
    """Method -> metric -> value as a Markdown table; a method that lacks pairs shows its count."""
    titles = [column.title for column in COLUMNS.values()]
    lines = [f"| method | {' | '.join(titles)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for method, values in table.items():
        few = f" ({scored[method]} of {pairs})" if scored[method] < pairs else ""
        cells = [f"{values[key] * c.factor:.{c.decimals}f}" for key, c in COLUMNS.items()]
        lines.append(f"| {method}{few} | {' | '.join(cells)} |")
    return "\n".join(lines)


def write_csv(evaluation: Evaluation, path: Path) -> None:
    """Write a line for each pair and method: dataset, split, name, method, and every metric."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "split", "name", "method", *COLUMNS])
        for row in evaluation.rows:
            for method, values in row.metrics.items():
                cells = [f"{values[key]:.8g}" for key in COLUMNS]
                writer.writerow([row.dataset, row.split, row.name, method, *cells])


def _methods(evaluation: Evaluation, rows: Sequence[PairRow]) -> list[str]:
    """Methods that are scored on any of the pairs, each followed by its stretched self."""
    names = [name for m in evaluation.methods for name in (m, m + STRETCHED)]
    return [name for name in names if any(name in row.metrics for row in rows)]


def _values(rows: Sequence[PairRow], method: str) -> np.ndarray:
    """(N, M) of one method, in the order of COLUMNS."""
    return np.array([[row.metrics[method][metric] for metric in COLUMNS] for row in rows])


def _named(values: np.ndarray) -> dict[str, float]:
    return {metric: float(value) for metric, value in zip(COLUMNS, values, strict=True)}


def _labels(evaluation: Evaluation, rows: Sequence[PairRow]) -> Table:
    known = [row for row in rows if row.evidence is not None]
    if not known:
        return {}
    truth = np.stack([row.truth for row in known])
    scores = np.stack([row.evidence.scores for row in known])
    return label_table(truth, scores, evaluation.thresholds, evaluation.names)


def _difference_table(differences: dict[str, dict[str, dict[str, float]]]) -> str:
    titles = [COLUMNS[metric].title for metric in COMPARED]
    lines = [f"| ours minus | {' | '.join(titles)} |", "|---" * (len(COMPARED) + 1) + "|"]
    for method, values in differences.items():
        cells = []
        for metric in COMPARED:
            mean, low, high = (values[metric][field] for field in ("mean", "low", "high"))
            cell = f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]"
            cells.append(f"**{cell}**" if low > 0 or high < 0 else cell)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)
