"""Small bags and a fake engine for the tests of offline evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.pipeline.results import EntityLabel, FusionResult, Region

THERMAL, VISIBLE = "/thermal/image_raw", "/visible/image_raw"
START = 1_700_000_000_000_000_000
STEP = 100_000_000
SIZE = (48, 64)
MS = 1_000_000


class FakeEngine:
    """Averages; the first entity's score is the brightness of the picture.

    Attributes:
        fused: How many pairs it was given.
        before: Number of a pair, from 1 -> called before it is fused.
    """

    names = ("person", "car", "tree")
    thresholds = (0.5, 0.25, 0.75)
    model_id = "fake@000000000000"
    vocabulary_hash = "f" * 16
    text_encoder = "none"
    template = "{}"
    device = "cpu"
    runtime = "fake"
    preparing_until = -math.inf

    def __init__(self) -> None:
        self.fused = 0
        self.before: dict[int, Callable[[], None]] = {}

    def load(self, **_: Any) -> FakeEngine:
        return self

    def warm_up(self, width: int, height: int) -> float:
        return 1.0

    def close(self) -> None:
        pass

    def fuse(
        self, thermal: Any, visible: Any, thermal_range: Any = None, entity_weights: Any = None
    ) -> FusionResult:
        self.fused += 1
        self.before.get(self.fused, lambda: None)()
        width = thermal_range.high - thermal_range.low
        shown = np.clip((thermal.astype(np.float32) - thermal_range.low) * (255 / width), 0, 255)
        if visible.ndim == 3:
            shown = shown[..., None]
        image = ((shown + visible) / 2).astype(np.uint8)
        scores = (float(image.mean()) / 255, 0.25, 0.7)
        labels = [
            EntityLabel(i, name, score, score >= limit, Region(1, 2, 3, 4), 0.7, 0.25)
            for i, (name, score, limit) in enumerate(
                zip(self.names, scores, self.thresholds, strict=True)
            )
        ]
        return FusionResult(
            image=image,
            scores=dict(zip(self.names, scores, strict=True)),
            labels=tuple(sorted(labels, key=lambda label: -label.score)),
            attention=np.full((3, 2, 3), 1 / 6, np.float32),
            attention_cell=32,
            timings={"network": 1.0},
        )


def picture(seed: int, *shape: int, dtype: type = np.uint8) -> np.ndarray:
    """Smooth noise that differs from frame to frame."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200 if dtype is np.uint8 else 20_000, (6, 8, *shape[2:]))
    block = np.ones((shape[0] // 6, shape[1] // 8) + (1,) * (len(shape) - 2))
    return np.kron(coarse, block).astype(dtype)


def thermal_message(number: int, offset: int = 0, size: tuple[int, int] = SIZE, **how: Any):
    """A thermal image and its bag time, 2 ms after its stamp."""
    stamp = START + number * STEP + offset
    encoding = how.pop("encoding", None)
    image = picture(number, *size, **how)
    return BagMessage(
        THERMAL, IMAGE, stamp + 2 * MS, image_message(image, stamp, "thermal", encoding)
    )


def visible_message(number: int, offset: int = 0, size: tuple[int, int] = SIZE, **how: Any):
    """A visible image and its bag time, 3 ms after its stamp."""
    stamp = START + number * STEP + offset
    image = picture(1000 + number, *size, 3)
    return BagMessage(VISIBLE, IMAGE, stamp + 3 * MS, image_message(image, stamp, "visible", **how))


def pairs(count: int, gap: int = 4 * MS) -> list[BagMessage]:
    """Messages of `count` pairs in order; the thermal image comes `gap` ns before the visible."""
    return [
        message
        for number in range(count)
        for message in (thermal_message(number), visible_message(number, gap))
    ]


def make_bag(path: Path, messages: Iterable[BagMessage]) -> Path:
    """Write a bag, its messages in the order of their bag times."""
    write_bag(path, sorted(messages, key=lambda message: message.stamp))
    return path


def request(bag: Path, out: Path, **changes: Any) -> ReplayRequest:
    """An evaluation without metrics or a progress bar."""
    given = {"metrics": False, "progress": False, "methods": ("thermal",), **changes}
    return ReplayRequest(bag, out, **given)
