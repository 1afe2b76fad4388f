"""Replays as the reports see them, made up: what was sent, what came back, how it was counted."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.replay.result import Result
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
    return _neighbour("replay_folders").make_scene_folder


@pytest.fixture(scope="session")
def replay_folder() -> Callable[..., Result]:
    """`make_folder` of replay_folders.py: an evaluation of given columns."""
    return _neighbour("replay_folders").make_folder


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The module bag_files.py: bags of every kind."""
    return _neighbour("bag_files")


@pytest.fixture(scope="session")
def parsed_page() -> type:
    """`ParsedPage` of pages.py: an HTML page taken apart."""
    return _neighbour("pages").ParsedPage


def _neighbour(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
