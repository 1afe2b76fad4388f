"""Fusion and labels under faults of the cameras, and the flicker under noise, over a split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from tqdm import tqdm

from egmt_ros.entities.annotations import Annotations
from egmt_ros.entities.vocabulary import Vocabulary, load_vocabulary
from egmt_ros.errors import ConfigError, DataError
from egmt_ros.evaluation.fusion.classical import METHODS
from egmt_ros.evaluation.fusion.metrics import PairScores, score_pair
from egmt_ros.evaluation.labels.label_metrics import average_precision
from egmt_ros.evaluation.labels.labelled_pairs import data_sets
from egmt_ros.evaluation.robustness.conditions import CONDITIONS, Condition, Pair, random_source
from egmt_ros.evaluation.robustness.flicker import NOISES, FlickerScore, measure_flicker
from egmt_ros.model.network import MINIMUM_SIDE
from egmt_ros.pipeline.engine import FusionEngine
from egmt_ros.pipeline.image_files import match_pairs, read_thermal, read_visible, to_grey
from egmt_ros.resources import config_path

OURS = "ours"
REFERENCE = "max"
"""Classical fusion, scored beside ours under the same conditions."""
ALL = "all data sets"

Item = TypeVar("Item")


class Closeness(NamedTuple):
    """How close a fused image is to the one source that still shows the scene, in luminance.

    Attributes:
        difference: Mean absolute difference, grey levels.
        cc: Pearson correlation.
        ssim: SSIM.
    """

    difference: float
    cc: float
    ssim: float


@dataclass(frozen=True)
class ConditionResult:
    """What a condition leaves of fusion and labels; means over pairs.

    Attributes:
        condition: Name.
        fusion: ALL and each data set -> method -> field of PairScores -> mean.
        closeness: The same, to Closeness; empty where both sources show the scene.
        macro_ap: Mean average precision over the entities with a known positive and a known
            negative, over all pairs; None without such an entity.
    """

    condition: str
    fusion: dict[str, dict[str, dict[str, float]]]
    closeness: dict[str, dict[str, Closeness]]
    macro_ap: float | None


@dataclass(frozen=True)
class Robustness:
    """Robustness of one checkpoint on one split.

    Attributes:
        model_id: Name and short hash of the weights.
        split: Name.
        seed: Of the noise.
        pairs: Data set -> number of pairs.
        entities: Entities in the macro AP.
        conditions: One result for each condition, the clean one first.
        flicker: One score for each noise and pair.
    """

    model_id: str
    split: str
    seed: int
    pairs: dict[str, int]
    entities: tuple[str, ...]
    conditions: tuple[ConditionResult, ...]
    flicker: tuple[FlickerScore, ...]


def evaluate_robustness(
    engine: FusionEngine,
    data: Path,
    split: str,
    *,
    datasets: Sequence[str] = (),
    limit: int | None = None,
    flicker_pairs: int = 2,
    seed: int = 0,
) -> Robustness:
    """Score the engine and a classical fusion under every condition.

    Luminance is scored as the method gives it, in whole grey levels and without a stretch: against
    the clean sources under noise, and against the sources as given under all other conditions.
    The labels are scored against what is known of the scene, also where a fault hides it.

    Args:
        engine: What is scored as OURS.
        data: Folder of data sets `<dataset>/<split>/{ir,vi}/<name>.<extension>`, or one data set.
        split: Folder of each data set.
        datasets: Names of those to use; empty for all.
        limit: Pairs of each data set, evenly spaced; None for all.
        flicker_pairs: Of these, pairs of each data set whose flicker is measured, 0 or more.
        seed: Of the noise, 0 or more. A pair's noise depends on nothing but this and the names of
            pair, data set and condition.

    Raises:
        ConfigError: A data set is not there, or a number is too small.
        DataError: There are no pairs, one is not of 8 bits, not of equal size or too small, or an
            annotation file is damaged.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}; expected at least 1 pair of each data set")
    for name, value in (("flicker_pairs", flicker_pairs), ("seed", seed)):
        if value < 0:
            raise ConfigError(f"{name} is {value}; expected 0 or more")
    aliases = load_vocabulary(config_path("vocabulary.yaml")).aliases
    vocabulary = Vocabulary(engine.names, engine.text_encoder, aliases=aliases)
    methods = {
        OURS: lambda pair: to_grey(engine.fuse(*pair).image),
        REFERENCE: lambda pair: METHODS[REFERENCE](pair.thermal, to_grey(pair.visible)),
    }
    tables = {condition.name: _Table() for condition in CONDITIONS}
    truth, flickers, pairs = [], [], {}
    for folder in _chosen_data_sets(data, split, datasets):
        annotations = Annotations(folder, vocabulary)
        files = match_pairs(folder / split / "ir", folder / split / "vi")
        files = evenly_spaced(files, limit)
        pairs[folder.name] = len(files)
        still = {stem for stem, *_ in evenly_spaced(files, flicker_pairs)}
        for stem, pair in _read(files, f"{folder.name} {split}"):
            truth.append(annotations.target(stem))
            for condition in CONDITIONS:
                rng = random_source(seed, folder.name, stem, condition.name)
                given = condition.degrade(pair, rng)
                result = engine.fuse(*given)
                fused = {OURS: to_grey(result.image), REFERENCE: methods[REFERENCE](given)}
                table = tables[condition.name]
                table.labels.append([result.scores[name] for name in engine.names])
                _score(table, folder.name, condition, pair, given, fused)
            if stem in still:
                flickers += _flicker(methods, pair, folder.name, stem, seed)
    known = np.array(truth)
    results = tuple(table.result(name, known) for name, table in tables.items())
    precisions = _precisions(known, known)
    entities = tuple(n for n, p in zip(engine.names, precisions, strict=True) if p is not None)
    return Robustness(engine.model_id, split, seed, pairs, entities, results, tuple(flickers))


def score_fused(
    thermal: np.ndarray, visible: np.ndarray, fused: Sequence[np.ndarray]
) -> list[PairScores]:
    """Fusion metrics of several fused images of one pair, each field a float.

    As `score_pair`, except where one source has one grey level and so nothing to represent. Such a
    source adds its limit to the sums, VIF 1 and correlation 0, and no edges, where `score_pair`
    would show what float32 leaves of its variance and the border of its padding; and the minima
    are those of the other source. SSIM stays the sum of both.

    Args:
        thermal: (H, W) uint8.
        visible: (H, W) uint8 luminance.
        fused: (H, W) uint8 luminance, each.
    """
    scores = _score_batch(thermal, visible, fused)
    shown = [image for image in (thermal, visible) if image.min() != image.max()]
    if len(shown) != 1:
        return scores
    alone = _score_batch(shown[0], shown[0], fused)
    return [
        one._replace(vif=one.vif_min + 1.0, scd=one.cc_min, ssim=both.ssim)
        for both, one in zip(scores, alone, strict=True)
    ]


def closeness(source: np.ndarray, fused: Sequence[np.ndarray]) -> list[Closeness]:
    """Compare (H, W) uint8 fused images with one source."""
    scores = _score_batch(source, source, fused)
    return [
        Closeness(
            float(np.abs(image.astype(np.float32) - source).mean()), score.cc_min, score.ssim_min
        )
        for image, score in zip(fused, scores, strict=True)
    ]


def evenly_spaced(items: Sequence[Item], count: int | None) -> list[Item]:
    """At most `count` items, evenly spaced; None for all."""
    if count is None or count >= len(items):
        return list(items)
    return [items[(2 * i + 1) * len(items) // (2 * count)] for i in range(count)]


class _Table:
    """Scores of one condition, pair after pair."""

    def __init__(self) -> None:
        self.fusion: dict[tuple[str, str], list[PairScores]] = defaultdict(list)
        self.closeness: dict[tuple[str, str], list[Closeness]] = defaultdict(list)
        self.labels: list[list[float]] = []

    def result(self, condition: str, truth: np.ndarray) -> ConditionResult:
        closeness = {
            dataset: {method: Closeness(**means) for method, means in by_method.items()}
            for dataset, by_method in _means(self.closeness).items()
        }
        found = [p for p in _precisions(truth, np.array(self.labels)) if p is not None]
        macro_ap = float(np.mean(found)) if found else None
        return ConditionResult(condition, _means(self.fusion), closeness, macro_ap)


def _means(rows: dict[tuple[str, str], list]) -> dict[str, dict[str, dict[str, float]]]:
    """(data set, method) -> scores to ALL and each data set -> method -> field -> mean."""
    pooled: dict[tuple[str, str], list] = defaultdict(list)
    for (dataset, method), values in rows.items():
        pooled[ALL, method] += values
        pooled[dataset, method] += values
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for (dataset, method), values in pooled.items():
        means = np.mean(values, axis=0)
        table[dataset][method] = dict(zip(values[0]._fields, map(float, means), strict=True))
    return dict(table)


def _precisions(truth: np.ndarray, scores: np.ndarray) -> list[float | None]:
    return [average_precision(t, s) for t, s in zip(truth.T, scores.T, strict=True)]


def _score(
    table: _Table,
    dataset: str,
    condition: Condition,
    clean: Pair,
    given: Pair,
    fused: dict[str, np.ndarray],
) -> None:
    """Append a pair's scores to its condition's table."""
    shown = clean if condition.shows_clean else given
    grey = to_grey(shown.visible)
    images = list(fused.values())
    for method, scores in zip(fused, score_fused(shown.thermal, grey, images), strict=True):
        table.fusion[dataset, method].append(scores)
    if condition.survivor:
        survivor = shown.thermal if condition.survivor == "thermal" else grey
        for method, close in zip(fused, closeness(survivor, images), strict=True):
            table.closeness[dataset, method].append(close)


def _score_batch(
    thermal: np.ndarray, visible: np.ndarray, fused: Sequence[np.ndarray]
) -> list[PairScores]:
    batch = torch.from_numpy(np.stack(fused)).float()[:, None]
    sources = (
        torch.from_numpy(image).float().expand(len(fused), 1, *image.shape)
        for image in (thermal, visible)
    )
    with torch.inference_mode():
        scores = torch.stack(score_pair(*sources, batch), 1)
    return [PairScores(*row) for row in scores.tolist()]


def _flicker(
    methods: dict[str, Callable[[Pair], np.ndarray]],
    pair: Pair,
    dataset: str,
    stem: str,
    seed: int,
) -> list[FlickerScore]:
    return [
        measure_flicker(
            methods,
            pair,
            random_source(seed, dataset, stem, "flicker", camera, f"{deviation:g}"),
            camera=camera,
            deviation=deviation,
            dataset=dataset,
            name=stem,
        )
        for camera, deviation in NOISES
    ]


def _chosen_data_sets(data: Path, split: str, wanted: Sequence[str]) -> list[Path]:
    """The data sets with pairs of the split, or those of them that are wanted."""
    found = data_sets(data, split)
    names = [folder.name for folder in found]
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise ConfigError(
            f"datasets names {unknown[0]!r}; expected of those in {data} with pairs of {split}: "
            f"{', '.join(names)}"
        )
    return [folder for folder in found if not wanted or folder.name in wanted]


def _read(files: Sequence[tuple[str, Path, Path]], description: str) -> Iterator[tuple[str, Pair]]:
    for stem, thermal_path, visible_path in tqdm(files, unit="pair", desc=description):
        thermal, visible = read_thermal(thermal_path), read_visible(visible_path)
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (thermal, visible)]
        if thermal.dtype != np.uint8:
            raise DataError(
                f"{thermal_path} holds {thermal.dtype}; expected 8 bits: the faults and metrics "
                "count grey levels, so bring the images to 8 bits first, all with one range"
            )
        if sizes[0] != sizes[1]:
            raise DataError(
                f"{thermal_path} is {sizes[0]} and {visible_path.name} is {sizes[1]}; expected a "
                "registered pair of equal size: register the images first"
            )
        if min(thermal.shape) < MINIMUM_SIDE:
            raise DataError(
                f"{thermal_path} is {sizes[0]}; expected at least {MINIMUM_SIDE} pixels each way: "
                "remove the pair or enlarge both images"
            )
        yield stem, Pair(thermal, visible)
