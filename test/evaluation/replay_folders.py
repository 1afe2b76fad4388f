"""Folders as `egmt evaluate bag` leaves them, made up: two of them share their scene.

Use the fixtures of conftest.py: `scene_folder` is `make_scene_folder` below, `replay_folder` is
`make_folder`, of which every value is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.replay.result import Result, load_result
from egmt_ros.evaluation.replay.run import Run
from egmt_ros.evaluation.replay.tables import (
    FRAME_VALUES,
    FRAMES,
    KEYS,
    SCORES,
    TIMING,
    TRUTH,
    UNUSED,
    UNUSED_COLUMNS,
    metric_column,
    share_column,
    write_table,
)

START = 1_700_000_000_000_000_000
STEP = 33_333_333
GAP = 4_000_000
ENTITIES = ("person", "car", "traffic light")
METHODS = ("ours", "thermal", "visible")
_SCENE = 11


def make_scene_folder(
    folder: Path,
    *,
    frames: int = 120,
    seed: int = 0,
    kind: str = "offline",
    start: int = START,
    missing: Collection[int] = (),
    methods: tuple[str, ...] = METHODS,
    metrics_every: int = 1,
    lift: Mapping[str, float] | None = None,
    wobble: float = 0.005,
    skill: float = 0.35,
    truth: bool = True,
    slower: float = 1.0,
    changed: Mapping[str, Any] | None = None,
    timing: tuple[str, ...] = ("fuse_ms",),
    **run: Any,
) -> Path:
    """Write an evaluation of a 30 Hz bag in which a person walks by twice.

    Args:
        folder: Made where it is missing.
        frames: Pairs in the bag.
        seed: Of what differs from run to run; the scene is always the same.
        kind: "offline" or "live".
        start: First thermal stamp, ns; the visible one comes 4 ms later and is the reference.
        missing: Pairs that are in no fused image (outcome "unpaired" on both sides).
        methods: Empty: without metrics.
        metrics_every: Each so many-th fused frame has metrics.
        lift: Metric -> what is added to it in "ours".
        wobble: Standard deviation of the metrics around the scene's.
        skill: How far the scores of present entities lie above those of absent ones, 0..0.5.
        truth: Whether there is a truth.csv.
        slower: Factor of all times.
        changed: Parameters that differ from the default.
        timing: Columns of timing.csv.
        run: Fields of `Run` to replace; a dictionary is merged into the one that is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene, own = np.random.default_rng(_SCENE), np.random.default_rng([_SCENE, seed])
    hard = np.cumsum(scene.normal(0, 0.01, frames))
    there = _presence(frames)
    noise = scene.normal(0, 0.15, (frames, len(ENTITIES)))
    scores = np.clip(0.5 + skill * (2 * there - 1) + noise + own.normal(0, 0.02, noise.shape), 0, 1)
    columns = [metric_column(method, metric) for method in methods for metric in COLUMNS]
    values = 0.5 + hard[:, None] + own.normal(0, wobble, (frames, len(columns)))
    for metric, by in (lift or {}).items():
        if "ours" in methods:
            values[:, columns.index(metric_column("ours", metric))] += by
    times = slower * own.gamma(20.0, 1.0, (frames, len(timing)))
    tables: dict[str, list[list[Any]]] = {name: [] for name in (FRAMES, SCORES, TRUTH, TIMING)}
    unused: list[list[Any]] = []
    for pair in range(frames):
        thermal = start + pair * STEP
        visible = thermal + GAP
        if pair in missing:
            unused += [["thermal", thermal, "unpaired", "gap"],
                       ["visible", visible, "unpaired", "gap"]]  # fmt: skip
            continue
        number = len(tables[FRAMES])
        scored = number % metrics_every == 0
        tables[FRAMES].append([
            number, visible, thermal, visible, -GAP / 1e6, 128, 96, 0.0, 255.0, None, None,
            *(values[pair] if scored else [None] * len(columns)),
        ])  # fmt: skip
        tables[SCORES].append([number, visible, *map(float, scores[pair])])
        shares = (1.0, 0.5, 0.0)  # only the thermal image shows the person
        tables[TRUTH].append([number, visible, *(
            cell for present, share in zip(there[pair], shares, strict=True)
            for cell in (int(present), share if present else None)
        )])  # fmt: skip
        tables[TIMING].append([number, visible, *map(float, times[pair])])
    known = [name for entity in ENTITIES for name in (entity, share_column(entity))]
    headers = {
        FRAMES: [*KEYS, *FRAME_VALUES, *columns],
        SCORES: ["frame", "stamp", *ENTITIES],
        TRUTH: ["frame", "stamp", *known],
        TIMING: ["frame", "stamp", *timing],
    }
    for name, header in headers.items():
        if name != TRUTH or truth:
            write_table(folder / name, header, tables[name])
    write_table(folder / UNUSED, UNUSED_COLUMNS, unused)
    _run(frames, len(tables[FRAMES]), kind, methods, metrics_every, changed or {}, run).save(folder)
    return folder


def _presence(frames: int) -> np.ndarray:
    """(frames, entities) bool: the person twice, the car all but the end, the light once."""
    place = np.arange(frames) / frames
    person = ((place > 0.1) & (place < 0.35)) | ((place > 0.6) & (place < 0.8))
    return np.stack([person, place < 0.9, (place > 0.3) & (place < 0.5)], 1)


def _run(
    frames: int,
    fused: int,
    kind: str,
    methods: tuple[str, ...],
    metrics_every: int,
    changed: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Run:
    topics = {
        "thermal": {"name": "/thermal/image_raw", "type": "sensor_msgs/msg/Image", "how": "found"},
        "visible": {"name": "/visible/image_raw", "type": "sensor_msgs/msg/Image", "how": "found"},
        "image": {"name": "/egmt_fusion/output/image", "type": "sensor_msgs/msg/Image"},
    }
    sent = {"sent": frames, "lost": 0, "received": frames, "fused": fused,
            "unpaired": frames - fused, "in_flight": 0}  # fmt: skip
    facts: dict[str, Any] = {
        "kind": kind,
        "complete": True,
        "created": "2026-01-02T03:04:05Z",
        "bag": {"path": "bags/night", "storage": "mcap", "sha256": "b" * 64,
                "duration_s": frames * STEP / 1e9, "size_bytes": 10_000,
                "messages": {"/thermal/image_raw": frames, "/visible/image_raw": frames}},
        "topics": topics,
        "parameters": {"thermal.range_mode": "fixed", "sync.max_gap": 0.05, **changed},
        "changed": dict(changed),
        "model": {"model_id": "egmt-base@abc", "weights": "egmt-base.safetensors",
                  "weights_sha256": "c" * 64, "runtime": "torch", "device": "cpu", "threads": 2,
                  "text_encoder": "MiniLM", "vocabulary_hash": "f00d"},
        "entities": ENTITIES,
        "thresholds": dict.fromkeys(ENTITIES, 0.5),
        "account": {"thermal": dict(sent), "visible": dict(sent)},
        "methods": methods,
        "metrics_every": metrics_every,
        "seconds": {"wall": 4.0, "fuse": 2.4, "metrics": 1.0},
        "versions": {"egmt_ros": "0.6.0", "torch": "2.9"},
        "machine": {"cpu": "one core", "cores": 2},
    }  # fmt: skip
    for name, value in given.items():
        merged = isinstance(value, dict) and isinstance(facts.get(name), dict)
        facts[name] = {**facts[name], **value} if merged else value
    return Run(**facts)


def make_folder(
    folder: Path,
    stamps: Sequence[int] | int = 30,
    scores: Mapping[str, Sequence[float | None]] | None = None,
    metrics: Mapping[str, Sequence[float | None]] | None = None,
    truth: Mapping[str, Sequence[float | None]] | None = None,
    unused: Sequence[Sequence[object]] = (),
    timing: Mapping[str, Sequence[float | None]] | None = None,
    **changes: object,
) -> Result:
    """The folder of an evaluated bag, made up, and read back.

    Args:
        folder: To fill.
        stamps: Of the fused frames, ns, the same for both cameras; or how many at 10 Hz.
        scores: Entity -> score a frame, 0..1.
        metrics: "<method>.<metric>" -> value a frame.
        truth: Column of truth.csv -> value a frame; None: no ground truth.
        unused: Rows of unused.csv.
        timing: Column of timing.csv -> ms a frame.
        changes: Fields of `Run`.
    """
    if isinstance(stamps, int):
        stamps = [START + i * 100_000_000 for i in range(stamps)]
    scores, metrics = dict(scores or {}), dict(metrics or {})
    folder.mkdir(parents=True, exist_ok=True)

    def table(name: str, columns: Mapping[str, Sequence[float | None]]) -> None:
        rows = zip(range(len(stamps)), stamps, *columns.values(), strict=True)
        write_table(folder / name, ["frame", "stamp", *columns], rows)

    facts = (1.5, 128, 96, 0.0, 255.0, None, None)
    rows = [
        (i, stamp, stamp, stamp, *facts, *(column[i] for column in metrics.values()))
        for i, stamp in enumerate(stamps)
    ]
    write_table(folder / FRAMES, [*KEYS, *FRAME_VALUES, *metrics], rows)
    table(SCORES, scores)
    table(TIMING, timing or {"fuse_ms": [20.0 + i % 7 for i in range(len(stamps))]})
    if truth is not None:
        table(TRUTH, truth)
    write_table(folder / UNUSED, UNUSED_COLUMNS, unused)
    account = {}
    for side in ("thermal", "visible"):
        outcomes = Counter(str(row[2]) for row in unused if row[0] == side)
        received = len(stamps) + sum(outcomes.values())
        account[side] = {"received": received, "fused": len(stamps), **outcomes}
    facts_of_run = {
        "kind": "offline", "complete": True, "created": "2026-01-02T03:04:05+00:00",
        "bag": {"path": "bags/night", "storage": "mcap", "sha256": "0" * 64, "duration_s": 3.0,
                "size_bytes": 1000, "messages": {"/thermal": len(stamps)}},
        "topics": {side: {"name": f"/{side}/image_raw", "type": "sensor_msgs/msg/Image",
                          "how": "by name"} for side in ("thermal", "visible")},
        "parameters": {"sync.policy": "nearest"}, "changed": {},
        "model": {"model_id": "egmt-base@abc"}, "entities": tuple(scores),
        "thresholds": dict.fromkeys(scores, 0.5), "account": account,
        "methods": tuple(dict.fromkeys(name.split(".")[0] for name in metrics)),
    }  # fmt: skip
    Run(**{**facts_of_run, **changes}).save(folder)
    return load_result(folder)
