"""Whether the node's watch notices a shifted mount, and keeps quiet without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.registration.known_warps import WIDTH, displaced, known_warp
from egmt_ros.pipeline.registration.edges import ImagePair
from egmt_ros.pipeline.registration.shift import estimate_shift, reduce_pair
from egmt_ros.pipeline.registration.watch import LEAST_CHECKS, SHIFTED, UNKNOWN, judge

LIMIT = 5.0
"""Default of registration.check_limit."""
SHIFTS = (8.0, 12.0)
"""Pixels, of the mounts that are shifted."""


class Watched(NamedTuple):
    """How many groups of pairs the watch warned of, and could tell nothing of."""

    warned: int
    unknown: int
    total: int


class Trials(NamedTuple):
    """What the watch says of the same groups of pairs.

    Attributes:
        shifted: With the thermal camera shifted.
        still: As the pairs are.
        strange: With the visible images of another scene, half the data set away.
    """

    shifted: Watched
    still: Watched
    strange: Watched


def watch_pairs(pairs: Sequence[ImagePair]) -> str:
    """What the watch says after it checked these registered pairs of 640x480.

    Of fewer than the watch asks for, the first stands for all.
    """
    checks = [estimate_shift(reduce_pair(*pair)) for pair in pairs]
    if len(checks) < LEAST_CHECKS:
        checks = checks[:1] * LEAST_CHECKS
    return judge(checks, LIMIT, WIDTH).state


def watch_groups(pairs: Sequence[ImagePair], size: int, rng: np.random.Generator) -> Trials:
    """Have neighbours watched together, about `size` each.

    Args:
        rng: Draws direction and length of the shift, anew for each group.
    """
    said = Trials([], [], [])
    for group in np.array_split(np.arange(len(pairs)), max(1, len(pairs) // size)):
        members = [pairs[i] for i in group]
        length, angle = rng.uniform(*SHIFTS), rng.uniform(0, 2 * np.pi)
        matrix = known_warp((length * np.cos(angle), length * np.sin(angle)), 1, 0)
        others = [pairs[(i + len(pairs) // 2) % len(pairs)] for i in group]
        said.shifted.append(watch_pairs([displaced(pair, matrix) for pair in members]))
        said.still.append(watch_pairs(members))
        said.strange.append(watch_pairs([
            pair._replace(visible=other.visible)
            for pair, other in zip(members, others, strict=True)
        ]))
    return Trials(*map(_count, said))


def _count(states: Sequence[str]) -> Watched:
    return Watched(states.count(SHIFTED), states.count(UNKNOWN), len(states))
