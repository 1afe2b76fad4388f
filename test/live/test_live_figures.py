"""What a live evaluation makes of a session's records; no ROS is needed."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.bench.process_meter import MIB, Reading
from egmt_ros.evaluation.live.figures import jitter, process, times
from egmt_ros.evaluation.live.options import add_live_arguments, live_options
from egmt_ros.evaluation.live.outputs import Arrived, Fused, Recorded, unused
from egmt_ros.evaluation.live.search import STEP, WIDTH, highest_rate
from egmt_ros.evaluation.live.sweep import Try, recorded_rate
from egmt_ros.evaluation.live.telling import live_lines
from egmt_ros.evaluation.live.topics import camera_info_topic
from egmt_ros.evaluation.report.recording import Sent, Vocabulary

MS = 1_000_000


def fused(number: int, image_ms: float | None) -> Fused:
    stamp = number * 100 * MS
    image = None if image_ms is None else Arrived(round(image_ms * MS), number)
    return Fused(stamp, {"thermal": number, "visible": number}, stamp, stamp, (8, 6),
                 (np.nan, np.nan), np.zeros(1, np.float32), Arrived(0, number), image)


def recorded(frames: list[Fused], sent: int, **values: list[float]) -> Recorded:
    def camera(late: int) -> list[Sent]:
        return [Sent(i * 100 * MS, 0, (i * 100 + late) * MS) for i in range(sent)]

    images = sum(frame.image is not None for frame in frames)
    return Recorded({"thermal": camera(2), "visible": camera(0)}, frames, images, len(frames), 0, 0,
                    dict(values), Vocabulary(("a",), (0.5,)))


def test_times_are_from_each_frames_own_sending() -> None:
    out = recorded([fused(0, 30.0), fused(2, 240.0)], 3, processing_time_ms=[5.0, 6.0],
                   pipeline_latency_ms=[7.0, 8.0])
    assert times(out, 2) == [(30.0, 28.0, 5.0, 7.0), (40.0, 38.0, 6.0, 8.0)]
    # One published frame did not arrive, so order tells no longer whose times these are.
    assert times(out, 3) == [(30.0, 28.0, None, None), (40.0, 38.0, None, None)]
    assert jitter(out) == [10.0]


def test_an_image_that_did_not_arrive_has_no_times() -> None:
    out = recorded([fused(0, None), fused(1, 130.0)], 2)
    assert times(out, 2) == [(None, None, None, None), (30.0, 28.0, None, None)]
    assert jitter(out) == []


ORDER = [(side, i) for i in range(4) for side in ("thermal", "visible")]


def account(**counters: int) -> dict[str, dict[str, int]]:
    row = {"sent": 4, "lost": 0, "received": 4, "fused": 2, "superseded": 0, **counters}
    return {"thermal": dict(row), "visible": dict(row)}


def test_frames_without_an_image_have_an_outcome_only_where_it_is_sure() -> None:
    out = recorded([fused(0, 1.0), fused(2, 1.0)], 4)
    told = unused(out, account(superseded=2), ORDER)
    assert told == [(side, i * 100 * MS, "superseded", "")
                    for i in (1, 3) for side in ("thermal", "visible")]
    reasons = unused(out, account(rejected=2, **{"rejected.zero_size": 2}), ORDER)
    assert {row[2:] for row in reasons} == {("rejected", "zero_size")}
    several = unused(out, account(superseded=1, lost=1, received=3), ORDER)
    assert {row[2:] for row in several} == {("unknown", "lost or superseded")}
    unrecorded = unused(out, account(fused=3, superseded=1), ORDER)
    assert {row[2:] for row in unrecorded} == {("unknown", "superseded or fused")}


@given(limit=st.floats(0.0, 200.0), highest=st.floats(WIDTH, 150.0))
def test_the_search_finds_the_highest_rate(limit: float, highest: float) -> None:
    tried = []

    def follows(rate: float) -> bool:
        tried.append(rate)
        return rate <= limit

    found = highest_rate(follows, highest)
    assert len(tried) <= 14 and max(tried) == highest
    if found is None:
        assert limit <= WIDTH
    else:
        assert found <= limit and (found == highest or limit - found <= max(STEP, WIDTH / 2) + 1e-9)


def test_a_rate_is_followed_only_if_it_was_played() -> None:
    row = {"sent": 100, "lost": 0, "superseded": 1, "fused": 99}
    second = 1_000_000_000
    good = Try(100.0, 0, second, {"thermal": row, "visible": row}, "visible")
    assert good.followed and good.dropped == 1
    slow = Try(200.0, 0, second, {"thermal": row, "visible": row}, "visible")
    assert slow.limited and not slow.followed
    one_sided = {"thermal": {**row, "lost": 5}, "visible": row}
    assert not Try(100.0, 0, second, one_sided, "visible").followed
    assert recorded_rate([0, 100 * MS, 200 * MS, 50 * MS, 150 * MS]) == pytest.approx(10.0)
    assert recorded_rate([5]) is None


def test_the_process_is_told_over_time() -> None:
    readings = [Reading(float(t), 0.5 * t, (100 + t) * MIB, 300 * MIB) for t in range(0, 61, 10)]
    found = process(readings)
    assert found["cpu_cores"] == {"mean": 0.5, "median": 0.5, "peak": 0.5}
    assert found["memory_mib"] == {"median": 130.0, "peak": 160.0, "resident_peak": 300.0}
    assert found["slope_mib_per_min"] == pytest.approx(60.0, abs=0.01)
    assert found["over_time"][0] == (10.0, 0.5, 110.0) and len(found["over_time"]) == 6
    assert process(readings[:4])["slope_mib_per_min"] is None  # too short to be a growth
    assert process(readings[:1]) is None


def test_camera_info_is_beside_its_images() -> None:
    assert camera_info_topic("/front/thermal/image_raw") == "/front/thermal/camera_info"
    assert camera_info_topic("/rgb/image_raw/compressed") == "/rgb/camera_info"
    assert camera_info_topic("image") == "/camera_info"


def parsed(*words: str):
    parser = argparse.ArgumentParser()
    add_live_arguments(parser)
    return live_options(parser.parse_args(words))


def test_options() -> None:
    assert parsed() is None
    assert parsed("--live").rate == 1.0 and not parsed("--live").sweep
    assert parsed("--live", "--rate", "0.5", "--sweep").sweep
    for words in (["--sweep"], ["--rate", "2"]):
        with pytest.raises(ConfigError, match="expected --live beside it"):
            parsed(*words)
    for rate in ("0", "-1", "nan", "inf"):
        with pytest.raises(ConfigError, match="expected a number above 0"):
            parsed("--live", "--rate", rate)


def test_the_terminal_shows_latencies_and_the_sweep() -> None:
    spread = {"p50": 10.0, "p95": 20.0, "p99": 30.0, "max": 40.0}
    tried = {"rate": 12.5, "sent": 60, "fused": 59, "dropped": 1, "p50": None, "p95": None}
    live = {
        "latency_ms": {"reference_to_image_ms": spread, "processing_ms": None},
        "jitter_ms": None, "rates_hz": {"thermal": 9.0, "fused": None},
        "lost": {"thermal": 2, "visible": 0}, "process": None, "highest_rate_hz": None,
        "search": [tried], "at_rate": [],
    }
    text = "\n".join(live_lines(live))
    assert "40.0" in text and "2 thermal" in text and "no rate was followed" in text
    assert "12.50" in text and "fused None" not in text
