"""Robustness as Markdown and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from egmt_ros.evaluation.robustness.conditions import CONDITIONS
from egmt_ros.evaluation.robustness.flicker import FRAMES, NOISES
from egmt_ros.evaluation.robustness.robustness import ALL, OURS, REFERENCE, Closeness, Robustness

COLUMNS = {
    "vif": "VIF",
    "qabf": "Qabf",
    "scd": "SCD",
    "ssim": "SSIM",
    "vif_min": "VIFmin",
    "q_min": "Qmin",
    "ssim_min": "SSIMmin",
    "cc_min": "CCmin",
}
DESCRIPTIONS = {condition.name: condition.description for condition in CONDITIONS}


def markdown(robustness: Robustness) -> str:
    """The conditions, the missing cameras and the flicker, with what one needs to read them."""
    pairs = ", ".join(f"{name} {count}" for name, count in robustness.pairs.items())
    parts = [
        f"# Robustness of {robustness.model_id} on {robustness.split}",
        f"Means over {sum(robustness.pairs.values())} pairs ({pairs}); in brackets the change "
        "against clean. Under noise the fused image is scored against the clean sources, under all "
        "other conditions against the sources as given: there a change also holds what the fault "
        "does to the sources, so compare with max. A source of one grey level adds VIF 1 and no "
        "edges to the sums and is left out of the minima. Macro AP: "
        f"{len(robustness.entities)} entities with a known positive and a known negative.",
        condition_table(robustness),
    ]
    if any(result.closeness for result in robustness.conditions):
        parts += [
            "## Closeness to the source that is left",
            "Difference: mean absolute, in grey levels.",
            closeness_table(robustness),
        ]
    if robustness.flicker:
        parts += [
            "## Flicker",
            f"A still scene with fresh noise in each of {FRAMES} frames: mean over the pixels of "
            "the standard deviation over time, grey levels. Ratio: output over the noisier input, "
            "mean and largest of the pairs; above 1 the fusion adds flicker.",
            flicker_table(robustness),
        ]
    return "\n\n".join(parts)


def as_json(robustness: Robustness) -> dict[str, Any]:
    """Every figure as plain objects: `Robustness`, each condition described, flicker with ratios.

    A ratio that is infinite (see `FlickerScore.ratio`) is None.
    """
    found = asdict(robustness)
    for result in found["conditions"]:
        result["description"] = DESCRIPTIONS[result["condition"]]
        result["closeness"] = {
            dataset: {method: dict(close._asdict()) for method, close in by_method.items()}
            for dataset, by_method in result["closeness"].items()
        }
    for score, entry in zip(robustness.flicker, found["flicker"], strict=True):
        ratios = {method: score.ratio(method) for method in score.fused}
        entry["ratio"] = {m: r if np.isfinite(r) else None for m, r in ratios.items()}
    return found


def condition_table(robustness: Robustness) -> str:
    """Two rows a condition, ours and the classical reference; changes against the first one."""
    clean = robustness.conditions[0]
    rows = []
    for result in robustness.conditions:
        for method, scores in result.fusion[ALL].items():
            before = clean.fusion[ALL][method]
            macro_ap, clean_ap = (
                (result.macro_ap, clean.macro_ap) if method == OURS else (None, None)
            )
            if result is clean:
                before, clean_ap = {}, None
            cells = [_change(scores[c], before.get(c)) for c in COLUMNS]
            name = DESCRIPTIONS[result.condition] if method == OURS else ""
            rows.append([name, method, *cells, _change(macro_ap, clean_ap)])
    return _table(["condition", "fusion", *COLUMNS.values(), "macro AP"], rows)


def closeness_table(robustness: Robustness) -> str:
    """Two rows a condition that leaves one source."""
    rows = []
    for result in robustness.conditions:
        for method, close in result.closeness.get(ALL, {}).items():
            name = DESCRIPTIONS[result.condition] if method == OURS else ""
            rows.append([name, method, *_close_cells(close)])
    return _table(["condition", "fusion", "difference", "CC", "SSIM"], rows)


def flicker_table(robustness: Robustness) -> str:
    """One row a noise."""
    rows = []
    for camera, deviation in NOISES:
        scores = [s for s in robustness.flicker if (s.camera, s.deviation) == (camera, deviation)]
        levels = [[s.thermal, s.visible, s.fused[OURS]] for s in scores]
        row = [f"{deviation:g} grey levels, {camera}", str(len(scores))]
        row += [f"{value:.2f}" for value in np.mean(levels, axis=0)]
        for method in (OURS, REFERENCE):
            ratios = [score.ratio(method) for score in scores]
            row += [f"{np.mean(ratios):.2f}", f"{max(ratios):.2f}"]
        rows.append(row)
    header = ["noise", "pairs", "thermal", "visible", OURS]
    for method in (OURS, REFERENCE):
        header += [f"ratio {method}, mean", "largest"]
    return _table(header, rows)


def _close_cells(close: Closeness) -> list[str]:
    return [f"{close.difference:.1f}", f"{close.cc:.3f}", f"{close.ssim:.3f}"]


def _change(value: float | None, before: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if before is None else f"{value:.3f} ({value - before:+.3f})"


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
