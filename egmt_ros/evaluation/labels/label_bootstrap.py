"""Bootstrap of label scores: which frames are drawn together, how often, and the interval.

Efron and Tibshirani, "An Introduction to the Bootstrap", 1993: percentile interval. Frames of one
scene resemble each other, so whole scenes are drawn (the cluster bootstrap); drawn one by one,
frames pretend to be more than they are and the interval comes out too narrow.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from egmt_ros.errors import InputError

LEVEL = 0.95
RESAMPLES = 2000
SCENE_GAP = 10
"""Frame numbers this near to each other are taken as one scene."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval of 95 %; None where it is not defined."""

    value: float | None
    low: float | None = None
    high: float | None = None


def resample_counts(
    groups: Sequence[Hashable], resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Draw as many groups as there are, with replacement: (resamples, N) times of each frame.

    Args:
        groups: N names; frames of one name are drawn together. Give N different ones to draw
            single frames.
        resamples: How often to draw.
        seed: Of the draws: equal seeds and groups give equal draws, for paired comparisons.

    Raises:
        InputError: There is no frame, or `resamples` is below 1.
    """
    if not len(groups) or resamples < 1:
        raise InputError(
            f"{len(groups)} frames and {resamples} resamples; expected at least 1 of each"
        )
    numbers: dict[Hashable, int] = {}
    member = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    share = np.full(len(numbers), 1.0 / len(numbers))
    drawn = np.random.default_rng(seed).multinomial(len(numbers), share, size=resamples)
    return drawn[:, member]


def percentile_estimate(value: float | None, resampled: np.ndarray) -> Estimate:
    """Interval between the percentiles 2.5 and 97.5; resamples that are NaN are left out."""
    resampled = resampled[np.isfinite(resampled)]
    if value is None or not len(resampled):
        return Estimate(value)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))


def wilson_estimate(hits: int, total: int) -> Estimate:
    """Share and its score interval, fit for few or no misses.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    Takes the frames as independent of each other.
    """
    if not 0 <= hits <= total:
        raise InputError(f"{hits} hits of {total}; expected 0 <= hits <= total")
    if total == 0:
        return Estimate(None)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, weight = hits / total, z * z / total
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * (share * (1 - share) / total + weight / total / 4) ** 0.5
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half))


def scene_groups(
    datasets: Sequence[str], names: Sequence[str], gap: int = SCENE_GAP
) -> list[tuple[str, str, int]]:
    """Scene of each frame, told by its data set and file name.

    Frames are one scene when their names differ in the last number alone and the numbers go on in
    steps of at most `gap`. Nobody has marked the scenes: this rather joins two scenes than part
    one, which makes intervals wider, not narrower.

    Args:
        datasets: N names of data sets.
        names: N file stems, such as "00123N" or "FLIR_04929".
        gap: Largest step within a scene.

    Returns:
        N keys; frames of equal keys are one scene.
    """
    found: list[tuple[str, str, int]] = [("", "", 0)] * len(names)
    frames = []
    for index, (dataset, name) in enumerate(zip(datasets, names, strict=True)):
        match = re.fullmatch(r"(.*?)(\d+)(\D*)", name)
        if match:
            frames.append((dataset, f"{match[1]}#{match[3]}", int(match[2]), index))
        else:
            found[index] = (dataset, name, 0)
    before, start = None, 0
    for dataset, series, number, index in sorted(frames):
        if before is None or before[:2] != (dataset, series) or number - before[2] > gap:
            start = number
        before = (dataset, series, number)
        found[index] = (dataset, series, start)
    return found


def grouped_folds(groups: Sequence[Hashable], folds: int, seed: int = 0) -> np.ndarray:
    """Fold of each frame, (N,) 0..folds-1: whole groups, folds of about equal size.

    The groups are shuffled, then each, the largest first, goes to the fold with the fewest frames.

    Raises:
        InputError: There are fewer groups than folds, or fewer than two folds.
    """
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    if not 2 <= folds <= len(members):
        raise InputError(
            f"{folds} folds of {len(members)} scenes; expected at least 2 and at most one a scene"
        )
    order = list(members.values())
    np.random.default_rng(seed).shuffle(order)
    chosen, sizes = np.zeros(len(groups), int), [0] * folds
    for frames in sorted(order, key=len, reverse=True):
        fold = sizes.index(min(sizes))
        chosen[frames] = fold
        sizes[fold] += len(frames)
    return chosen
