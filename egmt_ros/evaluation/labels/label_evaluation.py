"""Everything that is said about the labels of one checkpoint on one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.labels.label_bootstrap import RESAMPLES
from egmt_ros.evaluation.labels.label_report import (
    entity_table,
    macro_table,
    pointing_table,
    shown_table,
)
from egmt_ros.evaluation.labels.labelled_pairs import SplitScores, engine_vocabulary, score_split
from egmt_ros.evaluation.labels.labels import LEAST, LabelScores, score_labels
from egmt_ros.evaluation.labels.linear_probe import FEATURES, FOLDS, ProbeResult, probe
from egmt_ros.evaluation.labels.modality import (
    PointingScore,
    ShownScore,
    entity_regions,
    read_box_counts,
    score_pointing,
    score_shown,
    shown_in,
)
from egmt_ros.pipeline.engine import FusionEngine

ALL = "all"
POINTED = "person"
"""Entity whose attention is asked where it looks."""


@dataclass(frozen=True)
class LabelEvaluation:
    """Quality of the labels of one checkpoint on one split.

    Attributes:
        model_id: Name and short hash of the weights.
        split: Name.
        scores: "all", the counted data sets joined ("MSRS + RoadScene"), and each data set ->
            scores over its frames.
        counted: Key of `scores` for the macro AP over frequent entities; None without them.
        by_people: Data set -> entities that people looked for in it.
        shown: Data set -> scores by what each image shows.
        pointing: Which frames -> pointing accuracy of POINTED.
        probes: Kind -> probe.
        held_out: Data set -> kind -> scores of the probe over its train and val frames, each frame
            by a probe that saw no frame of its scene.
    """

    model_id: str
    split: str
    scores: dict[str, LabelScores]
    counted: str | None
    by_people: dict[str, tuple[str, ...]]
    shown: dict[str, list[ShownScore]]
    pointing: dict[str, list[PointingScore]]
    probes: dict[str, ProbeResult]
    held_out: dict[str, dict[str, LabelScores]]


def evaluate_labels(
    data: Path,
    split: str,
    *,
    weights: str | None = None,
    device: str = "auto",
    probes: Sequence[str] = (),
    counted: Sequence[str] = ("MSRS", "RoadScene"),
    draw_scenes: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> LabelEvaluation:
    """Score the labels of a checkpoint.

    Args:
        data: Folder of data sets, or one data set.
        split: "train", "val" or "test".
        weights: Checkpoint; None takes the packaged one.
        device: "auto", "cpu" or "cuda:N".
        probes: Linear probes to compare with, of linear_probe.FEATURES; they need train and val.
        counted: Data sets whose frames make the macro AP over frequent entities.
        draw_scenes: The bootstrap draws whole scenes; False draws single frames.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ConfigError: A probe is unknown.
        DataError: A split or annotation file is missing or damaged.
        MissingDependencyError: The probe "backbone" lacks its packages.
    """
    unknown = [name for name in probes if name not in FEATURES]
    if unknown:
        raise ConfigError(f"--probe names {unknown[0]!r}; expected of none, {', '.join(FEATURES)}")
    # The reference runtime, and no preparation for each of many image sizes.
    engine = FusionEngine.load(weights, device, runtime="torch")
    vocabulary = engine_vocabulary(engine)
    found = score_split(engine, data, split)
    baselines = {name: probe(data, split, vocabulary, name) for name in probes}
    groups = found.scenes if draw_scenes else list(range(len(found.frames)))

    def score(datasets: Sequence[str] | None) -> LabelScores:
        rows = [i for i, d in enumerate(found.datasets) if datasets is None or d in datasets]
        return score_labels(
            found.truth[rows],
            found.scores[rows],
            engine.thresholds,
            engine.names,
            groups=[groups[i] for i in rows],
            others={name: result.scores[rows] for name, result in baselines.items()},
            resamples=resamples,
            seed=seed,
        )

    scores = {ALL: score(None)}
    present = [name for name in counted if name in found.datasets]
    joined = " + ".join(present) or None
    if joined:
        scores[joined] = score(present)
    for dataset in dict.fromkeys(found.datasets):
        scores.setdefault(dataset, score([dataset]))
    folders = list(dict.fromkeys(found.folders))
    held_out = {
        folder.name: {
            name: _score_held_out(result, folder.name, engine, draw_scenes, resamples, seed)
            for name, result in baselines.items()
            if folder.name in result.held_out_datasets
        }
        for folder in folders
    }
    return LabelEvaluation(
        engine.model_id,
        split,
        scores,
        joined,
        {folder.name: _looked_for(folder, vocabulary) for folder in folders},
        _score_modalities(found, folders, vocabulary, engine.thresholds),
        _score_pointing(found, folders, split, vocabulary),
        baselines,
        held_out,
    )


def as_markdown(evaluation: LabelEvaluation) -> str:
    """The evaluation as Markdown tables with what one needs to read them."""
    scores, parts = evaluation.scores, []
    parts.append(f"# Labels of {evaluation.model_id} on {evaluation.split}")
    parts.append(
        "Brackets: 95 % interval of the percentile bootstrap (for AP it lies somewhat high: frames "
        "drawn twice lift it). Unknown labels are left out."
    )
    parts.append("## Macro AP\n\n" + macro_table(_scopes(evaluation)))
    for name, result in evaluation.probes.items():
        parts.append(
            f"Probe `{name}`: C = {result.strength:g}, chosen on val "
            f"(macro AP {max(result.val_macro_ap.values()):.3f} there)."
        )
    for dataset, names in evaluation.by_people.items():
        rows = [scores[dataset].of(name) for name in names]
        if any(row.ap.value is not None for row in rows):
            parts.append(
                f"## {dataset}, labelled by people ({scores[dataset].frames} frames)\n\n"
                + entity_table(rows)
            )
            for kind, held_out in evaluation.held_out[dataset].items():
                parts.append(
                    f"Beside it, the probe `{kind}` over the {held_out.frames} pairs of train and "
                    f"val, {held_out.groups} scenes, each scored without its scene "
                    f"({FOLDS}-fold):\n\n" + entity_table(held_out.of(name) for name in names)
                )
    parts.append(f"## All data sets\n\n{entity_table(scores[ALL].entities)}")
    for dataset, shown in evaluation.shown.items():
        parts.append(
            f"## {dataset}, by the image that shows it\n\n{shown_table(shown)}\n\n"
            "Boxes as people counted them on each image alone. `neither`: no box on any image, "
            "and labelled absent. Wilson's interval."
        )
    if any(evaluation.pointing.values()):
        parts.append(
            f"## Where the attention peaks\n\n{pointing_table(evaluation.pointing)}\n\n"
            "Share of the frames whose strongest attention cell has its middle in the region. "
            "Wilson's interval."
        )
    return "\n\n".join(parts)


def as_json(evaluation: LabelEvaluation) -> dict[str, Any]:
    """The evaluation as plain objects; probes without their scores of single frames."""
    found = asdict(replace(evaluation, probes={}))
    found["probes"] = {
        name: {"strength": result.strength, "val_macro_ap": result.val_macro_ap}
        for name, result in evaluation.probes.items()
    }
    return found


def _scopes(evaluation: LabelEvaluation) -> dict[str, Any]:
    """The rows of the table of macro APs."""
    every = evaluation.scores[ALL]
    scopes = {"all data sets, every entity": (every, every.macro)}
    if evaluation.counted:
        part = evaluation.scores[evaluation.counted]
        what = f"{evaluation.counted}, at least {LEAST} present and {LEAST} absent"
        scopes[f"{evaluation.counted}, every entity"] = (part, part.macro)
        scopes[what] = (part, part.counted)
    return scopes


def _score_held_out(
    result: ProbeResult,
    dataset: str,
    engine: FusionEngine,
    draw_scenes: bool,
    resamples: int,
    seed: int,
) -> LabelScores:
    """Score a probe's held-out frames of one data set at the threshold 0.5."""
    rows = [i for i, name in enumerate(result.held_out_datasets) if name == dataset]
    return score_labels(
        result.held_out_truth[rows],
        result.held_out[rows],
        [0.5] * len(engine.names),
        engine.names,
        groups=[result.held_out_scenes[i] if draw_scenes else i for i in rows],
        resamples=resamples,
        seed=seed,
    )


def _looked_for(folder: Path, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Entities of the vocabulary that people looked for in a data set."""
    resolved = map(vocabulary.resolve, Annotations(folder, vocabulary).looked_for)
    wanted = {entity for entity in resolved if entity is not None}
    return tuple(name for name in vocabulary.names if name in wanted)


def _score_modalities(
    found: SplitScores, folders: Sequence[Path], vocabulary: Vocabulary, limits: Sequence[float]
) -> dict[str, list[ShownScore]]:
    tables = {}
    for folder in folders:
        counts = read_box_counts(folder, vocabulary)
        boxed = {e for images in counts.values() for kinds in images.values() for e in kinds}
        rows = [i for i, f in enumerate(found.folders) if f == folder and found.frames[i] in counts]
        if not rows or not boxed:
            continue
        tables[folder.name] = [
            score
            for e, name in enumerate(vocabulary.names)
            if name in boxed
            for score in score_shown(
                name,
                limits[e],
                found.truth[rows, e],
                found.scores[rows, e],
                [shown_in(counts[found.frames[i]], name) for i in rows],
            )
        ]
    return tables


def _score_pointing(
    found: SplitScores, folders: Sequence[Path], split: str, vocabulary: Vocabulary
) -> dict[str, list[PointingScore]]:
    if POINTED not in vocabulary.names:
        return {}
    entity = vocabulary.names.index(POINTED)
    tables: dict[str, list[PointingScore]] = {"all with a region": []}
    for folder in folders:
        counts = read_box_counts(folder, vocabulary)
        rows = np.array([i for i, f in enumerate(found.folders) if f == folder])
        names = [found.frames[i] for i in rows]
        alone = [n in counts and shown_in(counts[n], POINTED) == "thermal alone" for n in names]
        for region, masks in entity_regions(folder, split, POINTED, vocabulary).items():
            choices = {"all with a region": [True] * len(names)}
            if any(alone):
                choices["boxed on the thermal image alone"] = alone
            for which, chosen in choices.items():
                shown = [masks.get(n) if c else None for n, c in zip(names, chosen, strict=True)]
                score = score_pointing(
                    POINTED, folder.name, region, found.peaks[rows, entity], shown
                )
                tables.setdefault(which, []).append(score)
    return tables
