"""Replays as the reports see them, made up: what was sent, what came back, how it was counted."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from egmt_ros.evaluation.live.result import SessionResult
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
    write_table,
)
from egmt_ros.evaluation.report.pictures import FramePictures
from egmt_ros.evaluation.report.recording import (
    BagFacts,
    Label,
    LabelArray,
    Recording,
    Sent,
    Vocabulary,
)

START = 1_700_000_000_000_000_000
STEP = 33_333_333
NAMES = ("person", "car", "traffic light", "sky")


def make_recording(frames: int = 30, unpaired: int = 3, loops: int = 1) -> Recording:
    """Visible frames at 30 Hz and as many thermal ones; the last ``unpaired`` are not fused."""
    sent: dict[str, list[Sent]] = {"thermal": [], "visible": []}
    arrays, images = [], []
    rng = np.random.default_rng(3)
    latency = rng.gamma(6.0, 3.0, frames * loops)
    for loop in range(loops):
        for i in range(frames):
            thermal, visible = START + i * STEP, START + i * STEP + 4_000_000
            now = 10**12 + (loop * frames + i) * STEP
            sent["thermal"].append(Sent(thermal, loop, now))
            sent["visible"].append(Sent(visible, loop, now + 4_000_000))
            if i >= frames - unpaired:
                continue
            walks = 5 <= i < 20
            labels = (
                Label("person", 0.9 if walks else 0.2, walks, (30, 20, 20, 40)),
                Label("car", 0.8, True, (60, 50, 40, 20)),
                Label("sky", 0.7, True, (0, 0, 128, 40)),
                Label("traffic light", 0.1, False),
            )
            received = now + 4_000_000 + int(latency[loop * frames + i] * 1e6)
            arrays.append(LabelArray(visible, thermal, visible, 128, 96, "egmt-base@abc",
                                     labels, received))
            images.append((visible, received))
    truth = {
        START + i * STEP + 4_000_000: frozenset({"car"} | ({"person"} if i < 18 else set()))
        for i in range(frames)
    }
    values = {
        "processing_time_ms": [float(v) for v in rng.gamma(8.0, 2.0, len(arrays))],
        "pipeline_latency_ms": [float(v) for v in rng.gamma(8.0, 2.4, len(arrays))],
        "pair_gap_ms": [-4.0] * len(arrays),
    }
    vocabulary = Vocabulary(NAMES, (0.5, 0.5, 0.4, 0.5), "egmt-base@abc", "MiniLM", "f00d")
    bag = BagFacts("bags/night", "mcap", frames * STEP / 1e9, {"/visible/image_raw": frames}, 1000)
    return Recording(sent, arrays, images, values, vocabulary, truth, bag)


def make_session(recording: Recording, **changes: object) -> SessionResult:
    """The session of that recording, its account exact."""
    account = {}
    for side, frames in recording.sent.items():
        fused = len(recording.arrays)
        counters = dict.fromkeys(("superseded", "rejected", "inactive", "disabled",
                                  "passthrough", "in_flight"), 0)
        account[side] = {"received": len(frames), "fused": fused,
                         "unpaired": len(frames) - fused, **counters}
    topics = {
        "thermal": "/thermal/image_raw", "visible": "/visible/image_raw",
        "image": "/egmt_fusion/output/image", "entities": "/egmt_fusion/output/entities",
        "vocabulary": "/egmt_fusion/output/vocabulary", "diagnostics": "/diagnostics",
    }
    session = SessionResult(
        folder=Path("out"), source_bag=Path("bag"), output_bag=Path("out/bag"),
        sent_csv=Path("sent.csv"), received_csv=Path("received.csv"), node_log=Path("node.log"),
        topics=topics, account=account,
        diagnostics={"model": {"model_id": "egmt-base@abc", "device": "cpu",
                               "wait_ms_p50": "1.5", "wait_ms_p95": "20.0"}},
        sent={topics[side]: len(frames) for side, frames in recording.sent.items()},
        rate=1.0, loops=1, domain_id=42, drained=True, interrupted=False, node_exit=0,
        start_s=3.0, play_s=1.0, middleware="rmw_fastrtps_cpp")
    return replace(session, **changes)


def make_pictures(recording: Recording, count: int = 4) -> list[FramePictures]:
    """Pictures in which each kind has a tone of its own."""
    rng = np.random.default_rng(1)
    step = max(1, len(recording.arrays) // count)
    return [
        FramePictures(array, *(
            np.clip(rng.normal(tone, 12, (96, 128, 3)), 0, 255).astype(np.uint8)
            for tone in (60, 120, 180)))
        for array in recording.arrays[::step][:count]
    ]


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


@pytest.fixture
def replay_folder() -> Callable[..., Result]:
    return make_folder


@pytest.fixture
def replay_recording() -> Callable[..., Recording]:
    return make_recording


@pytest.fixture
def replay_session() -> Callable[..., SessionResult]:
    return make_session


@pytest.fixture
def replay_pictures() -> Callable[..., list[FramePictures]]:
    return make_pictures


@pytest.fixture(scope="session")
def scene_folder() -> Callable[..., Path]:
    """`make_scene_folder` of replay_folders.py: an evaluation of a made-up walk."""
    path = Path(__file__).parent / "replay_folders.py"
    spec = importlib.util.spec_from_file_location("replay_folders", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_scene_folder
