"""Label scores as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from egmt_ros.evaluation.labels.label_bootstrap import Estimate
from egmt_ros.evaluation.labels.labels import EntityScore, LabelScores, MacroScore
from egmt_ros.evaluation.labels.modality import PointingScore, ShownScore


def entity_table(entities: Iterable[EntityScore]) -> str:
    """One row an entity that has a known positive and a known negative."""
    entities = [entity for entity in entities if entity.ap.value is not None]
    others = list(entities[0].others) if entities else []
    header = [
        "entity", "known", "present", "prevalence", "AP", *(f"{name} AP" for name in others),
        "AUROC", "F1", "recall", "specificity", "calibration error",
    ]  # fmt: skip
    rows = [
        [
            entity.name,
            entity.known,
            entity.positives,
            _figure(entity.prevalence, 2),
            estimate(entity.ap),
            *(_figure(entity.others[name]) for name in others),
            estimate(entity.auroc),
            _figure(entity.f1),
            _figure(entity.recall),
            _figure(entity.specificity),
            _figure(entity.calibration_error),
        ]
        for entity in entities
    ]
    return _table(header, rows)


def macro_table(scopes: dict[str, tuple[LabelScores, MacroScore]]) -> str:
    """Macro AP beside the mean prevalence and the probes; one row a choice of frames and entities.

    Args:
        scopes: What the row is about -> the scores of its frames and the mean to show.
    """
    others = list(next(iter(scopes.values()))[1].others)
    header = ["frames and entities", "frames", "scenes", "entities", "macro AP", "prevalence",
              "above prevalence"]  # fmt: skip
    for name in others:
        header += [f"{name} probe", f"above {name} probe"]
    header += ["F1", "calibration error"]
    rows = []
    for what, (scores, macro) in scopes.items():
        row = [what, scores.frames, scores.groups, len(macro.entities), estimate(macro.ap)]
        row += [_figure(macro.prevalence), estimate(macro.gain)]
        for name in others:
            row += [estimate(macro.others[name].ap), estimate(macro.others[name].gain)]
        rows.append([*row, _figure(macro.f1), _figure(macro.calibration_error)])
    return _table(header, rows)


def shown_table(rows: Sequence[ShownScore]) -> str:
    """Frame recall for each way of being shown; the specificity in the rows "neither"."""
    header = ["entity", "boxed on", "frames", "labelled present", "reported", "rate"]
    return _table(
        header,
        [
            [
                row.entity,
                row.shown,
                row.frames,
                row.labelled,
                row.reported,
                f"{'specificity' if row.shown == 'neither' else 'recall'} {estimate(row.rate)}"
                if row.frames
                else "-",
            ]
            for row in rows
        ],
    )


def pointing_table(rows: dict[str, Sequence[PointingScore]]) -> str:
    """Pointing accuracy beside what a random point reaches.

    Args:
        rows: Which frames -> scores.
    """
    header = ["entity", "data set", "frames", "region", "count", "peak inside", "random point"]
    return _table(
        header,
        [
            [r.entity, r.dataset, which, r.region, r.frames, estimate(r.rate), _figure(r.chance)]
            for which, scores in rows.items()
            for r in scores
        ],
    )


def estimate(found: Estimate) -> str:
    """ "0.812 [0.700, 0.900]"; a dash for what is not defined."""
    if found.value is None or found.low is None or found.high is None:
        return _figure(found.value)
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
