"""Tables of what emphasis does."""

from __future__ import annotations

from typing import Any

import numpy as np

from egmt_ros.evaluation.emphasis.emphasis import DOSES, NEUTRAL, Emphasised, EmphasisEvaluation

ALLOWED = 0.01
"""Share of the pixels that emphasising an absent entity may change noticeably."""


def as_json(found: EmphasisEvaluation) -> dict[str, Any]:
    """Every figure of the tables."""
    return {
        "model_id": found.model_id,
        "split": found.split,
        "doses": DOSES,
        "by_entity": {name: _summary(name, one) for name, one in found.by_entity.items()},
        "absent": {
            "cases": len(found.absent),
            "mean_share": float(found.absent.mean()) if len(found.absent) else 0.0,
            "above_1_percent": [
                {"frame": frame, "entity": entity, "share": float(share)}
                for (frame, entity), share in zip(found.absent_cases, found.absent, strict=True)
                if share > ALLOWED
            ],
        },
    }


def _summary(name: str, found: Emphasised) -> dict[str, Any]:
    gains = {entity: found.gain(entity) for entity, rows in found.contrast.items() if len(rows)}
    rest = {metric: rows.mean(0) for metric, rows in found.rest.items()}
    return {
        "objects": {entity: len(rows) for entity, rows in found.contrast.items()},
        "contrast": {
            entity: rows.mean(0).tolist() for entity, rows in found.contrast.items() if len(rows)
        },
        "gain_at_largest": {
            entity: [float(bound[0]) for bound in gain] for entity, gain in gains.items()
        },
        "hottest_instead": float(found.hottest.mean()),
        "change": found.change.mean(0).tolist(),
        "rest_change": {
            metric: (means / means[NEUTRAL] - 1.0).tolist() for metric, means in rest.items()
        },
    }


def markdown(found: EmphasisEvaluation) -> str:
    """The tables, for people."""
    lines = [
        f"# Emphasis in {found.model_id} on {found.split}",
        "",
        "CNR: |mean of an object - mean around it| / standard deviation around it, mean over the "
        "drawn objects. Rest: change of the metric against emphasis 1 where the emphasised objects "
        "and 16 pixels around them are put back. Brackets: 95 % bootstrap interval over frames.",
    ]
    for name, one in found.by_entity.items():
        values = _summary(name, one)
        lines += ["", f"## {name}", "", f"| emphasis of {name} | {_row(f'{d:g}' for d in DOSES)}"]
        lines.append("| --- " * (len(DOSES) + 1) + "|")
        for entity, means in values["contrast"].items():
            count = values["objects"][entity]
            lines.append(f"| CNR of {entity} ({count}) | {_row(f'{v:.3f}' for v in means)}")
        for metric, title in (("vif", "VIF"), ("qabf", "Qabf")):
            changes = (f"{100 * v:+.2f} %" for v in values["rest_change"][metric])
            lines.append(f"| {title} of the rest | {_row(changes)}")
        change = (f"{v:.2f}" for v in values["change"])
        lines.append(f"| mean change, grey levels | {_row(change)}")
        lines.append("")
        for entity, (mean, low, high) in values["gain_at_largest"].items():
            share = ""
            own = float(found.by_entity[entity].gain(entity).mean[0])
            if entity != name and own:
                share = f", {100 * abs(mean / own):.0f} % of what emphasising {entity} changes"
            lines.append(
                f"- CNR of {entity} at {DOSES[-1]:g} against 1, mean of the frames: {mean:+.3f} "
                f"[{low:+.3f}, {high:+.3f}]{share}"
            )
        neutral, largest = (values["contrast"][name][i] for i in (NEUTRAL, -1))
        lines.append(
            f"- Hottest pixels whitened until the image has changed as much as at {DOSES[-1]:g}: "
            f"CNR of {name} {values['hottest_instead']:.3f} (neutral {neutral:.3f}, emphasis "
            f"{largest:.3f})"
        )
    absent = found.absent
    if len(absent):
        over = int(np.count_nonzero(absent > ALLOWED))
        lines += [
            "",
            "## Absent entities",
            "",
            f"{len(absent)} frames and entities known to be absent, emphasis {DOSES[-1]:g}: "
            f"{100 * absent.mean():.3f} % of the pixels change by more than 2 grey levels in the "
            f"mean; more than 1 % of them in {over} ({100 * over / len(absent):.1f} %), where the "
            "network takes the entity to be there.",
        ]
    return "\n".join(lines)


def _row(cells: Any) -> str:
    return " | ".join(cells) + " |"
