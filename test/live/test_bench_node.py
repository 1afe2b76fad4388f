"""egmt bench node: a short real run over DDS, and its figures from made-up ones.

Nothing here depends on how fast the machine is.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from egmt_ros.cli import main
from egmt_ros.errors import EgmtError, MissingDependencyError
from egmt_ros.evaluation.bench import node_figures, node_report
from egmt_ros.evaluation.bench.node_figures import Stretch
from egmt_ros.evaluation.bench.process_meter import (
    ProcessMeter,
    Reading,
    read_process,
    slope_per_minute,
)
from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import COUNTERS, OUTCOMES

MIB = 1 << 20


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> tuple[dict, str]:
    """JSON and Markdown of one run with a sweep of two rates."""
    from egmt_ros.evaluation.live.environment import require_ros

    try:
        require_ros()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    out = tmp_path_factory.mktemp("bench") / "node.json"
    arguments = ["bench", "node", "--size", "96x64", "--rate", "15", "--duration", "3", "--cores",
                 "0", "--sweep", "5", "40", "--sweep-duration", "1", "--runtime", "torch",
                 "--out", str(out)]  # fmt: skip
    before = os.sched_getaffinity(0)
    assert main(arguments) == 0
    assert os.sched_getaffinity(0) == before
    return json.loads(out.read_text()), out.with_suffix(".md").read_text()


def test_every_frame_of_a_real_run_is_accounted_for(measured):
    report, _ = measured
    assert [stretch["rate"] for stretch in report["stretches"]] == [15.0, 5.0, 40.0]
    for stretch in report["stretches"]:
        assert stretch["unaccounted"] == 0
        for account in stretch["account"].values():
            assert account["sent"] == account["received"] + account["lost"] == stretch["sent"] > 0
            assert account["received"] == sum(account[name] for name in OUTCOMES)
            assert account["in_flight"] == account["rejected"] == 0
        visible = stretch["account"]["visible"]
        assert stretch["images"] == visible["fused"] > 0
        assert stretch["release_to_publish"]["count"] == stretch["images"]


def test_the_times_of_a_real_run_belong_together(measured):
    report, _ = measured
    engine = report["engine"]
    assert engine["pairs"] >= 20 and engine["ms_median"] > 0 and engine["model_id"]
    for stretch in report["stretches"]:
        way, to_publish = stretch["sent_to_received"], stretch["release_to_publish"]
        for times in (way, to_publish, stretch["processing"], stretch["beside_processing"]):
            assert 0 < times["p50"] <= times["p95"] <= times["p99"] <= times["max"]
        assert stretch["processing"]["p50"] <= to_publish["p50"]
        assert stretch["p95_of_engine"] == pytest.approx(
            to_publish["p95"] / engine["ms_median"], abs=1e-3
        )
        assert stretch["cores"] > 0
    assert report["memory"]["readings"] >= 3 and report["memory"]["private_mib"][0] > 0
    assert report["targets"]["rate"] == 15.0


def test_the_markdown_says_what_the_json_says(measured):
    report, text = measured
    main_stretch = report["stretches"][0]
    assert node_report.markdown(report) == text
    assert f"| thermal | {main_stretch['sent']} |" in text
    assert "0 frames unaccounted for" in text
    assert "| 5 |" in text and "| 40 |" in text and report["engine"]["model_id"] in text


def account(received: int, **outcomes: int) -> dict[str, dict[str, int]]:
    row = {**dict.fromkeys(COUNTERS, 0), "received": received, **outcomes}
    return {"thermal": dict(row), "visible": dict(row)}


def test_frames_that_nobody_knows_of_are_unaccounted() -> None:
    before = account(10, fused=10)
    good = node_figures.account_of(6, before, account(15, fused=12, superseded=3))
    assert good["visible"]["lost"] == 1 and good["visible"]["unaccounted"] == 0
    assert good["thermal"]["fused"] == 2 and good["thermal"]["superseded"] == 3
    missing = node_figures.account_of(5, before, account(15, fused=13))
    assert missing["thermal"]["unaccounted"] == 2
    never_sent = node_figures.account_of(4, before, account(15, fused=15))
    assert never_sent["visible"]["unaccounted"] == 1 and never_sent["visible"]["lost"] == 0
    reasons = node_figures.account_of(
        1, before, account(11, fused=10, rejected=1, **{"rejected.zero_size": 1})
    )
    assert reasons["visible"]["rejected.zero_size"] == 1


def stretch(rate: float, superseded: float, p95: float = 30.0, to_publish: float = 30.0) -> Stretch:
    times = Distribution(100, to_publish / 2, to_publish / 2, p95, p95, p95)
    return Stretch(
        rate=rate, begin=0, end=1, sent=100, sent_rate=rate,
        account={"thermal": {"unaccounted": 0}, "visible": {"unaccounted": 0}}, images=100,
        fused_rate=rate, superseded_share=superseded, release_to_publish=times, processing=times,
        beside_processing=times, sent_to_received=times, cores=1.0,
        p95_of_engine=to_publish / 20.0, overhead_ms=to_publish / 2 - 10.0,
    )  # fmt: skip


def test_the_knee_and_the_proof_beyond_it() -> None:
    rates = [stretch(5, 0.0), stretch(10, 0.02), stretch(15, 0.005), stretch(30, 0.2, 60.0)]
    flat = node_figures.knee([*rates, stretch(60, 0.6, 66.0), stretch(120, 0.8, 63.0)])
    assert flat["begins_to_drop"] == 30 and flat["last_followed"] == 15
    assert flat["growth"] == pytest.approx(1.1) and flat["flat"]
    queueing = node_figures.knee([*rates, stretch(60, 0.6, 600.0)])
    assert queueing["growth"] == pytest.approx(10.0) and not queueing["flat"]
    alone = node_figures.knee(rates)
    assert alone["begins_to_drop"] == 30 and alone["growth"] is None and alone["flat"] is None
    never = node_figures.knee(rates[:3])
    assert never["begins_to_drop"] is None and never["last_followed"] == 15


def test_targets_are_those_of_15_hz() -> None:
    assert node_figures.targets([stretch(30, 0.0)], 2) is None
    met = node_figures.targets([stretch(30, 0.0), stretch(15, 0.0, to_publish=30.0)], 2)
    assert met["met"] and met["p95_of_engine"] == 1.5 and met["overhead_ms"] == 5.0
    assert not node_figures.targets([stretch(15, 0.0, to_publish=60.0)], 2)["met"]
    slow = dataclasses.replace(stretch(15, 0.0), overhead_ms=8.1)
    assert not node_figures.targets([slow], 2)["met"]


def test_memory_slope_is_that_after_the_warm_up() -> None:
    readings = [Reading(t, 0.0, (100 + (50 if t > 20 else 0)) * MIB + t * MIB // 60, 7 * MIB)
                for t in range(0, 200, 10)]  # fmt: skip
    slope = slope_per_minute(readings, warm_up=30.0)
    assert slope["private"] == pytest.approx(1.0, abs=0.01)
    assert slope["resident"] == pytest.approx(0.0, abs=1e-6)
    assert slope_per_minute(readings, warm_up=185.0) is None


def test_a_process_is_measured_until_it_ends() -> None:
    burn = "x = bytearray(80 << 20)\nprint('ready', flush=True)\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-c", burn], stdout=subprocess.PIPE)
    try:
        child.stdout.readline()
        meter = ProcessMeter(child.pid, interval=0.0)
        meter.sample()
        end = time.monotonic() + 20
        while meter.readings[-1].cpu < meter.readings[0].cpu + 0.5:  # it is counted in ticks
            assert time.monotonic() < end, "a busy process takes no processor time"
            meter.sample()
        assert 0 < meter.cores() < 2
        assert 80 * MIB < meter.readings[-1].private <= meter.readings[-1].resident
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    with pytest.raises(EgmtError, match=f"process {child.pid} cannot be measured"):
        read_process(child.pid)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--rate", "0"), ("--duration", "-1"), ("--cores", "-1"), ("--threads", "-2"),
     ("--sweep", "0"), ("--size", "12"), ("--rate", "nan"), ("--sweep-duration", "0")],
)  # fmt: skip
def test_senseless_numbers_are_refused(option, value, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "node", option, value]) == 1
    assert f"{option} " in capsys.readouterr().err


def test_a_node_that_cannot_start_is_told(tmp_path: Path, ros_domain) -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed")
    from egmt_ros.evaluation.bench.bench_node import NodeOptions, measure

    with pytest.raises(EgmtError, match="bare engine failed.*nowhere"):
        measure(NodeOptions(size=(64, 64), duration=1.0, weights=str(tmp_path / "nowhere")))
