"""The node under load: cameras send over DDS at one rate or several, every frame is followed.

Four processes run, on as many cores as asked for: two cameras in one, the node, a recorder, and
before and after them the bare engine on the same pairs, so that the node's times stand beside the
engine's own of the same run. Memory and processor time are those of the node's process.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.bench import node_figures
from egmt_ros.evaluation.bench.node_figures import Account, Arrivals, Stretch
from egmt_ros.evaluation.bench.process_meter import ProcessMeter, slope_per_minute
from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.child import ChildProcess
from egmt_ros.evaluation.live.environment import (
    require_ros,
    reserved_domain,
    session_environment,
)
from egmt_ros.evaluation.live.processes import NODE_COMMAND, NODE_NAME, LiveProcesses
from egmt_ros.evaluation.live.topics import output_topics
from egmt_ros.evaluation.report.facts import machine, versions
from egmt_ros.evaluation.scene.street import StreetScene

PAIRS = 4  # different ones that the cameras send in turn
ENGINE_SECONDS = 5.0  # of the bare engine's timing, before and after; less in short runs
WARM_UP = 60.0  # s left out of the slope of memory, at most a third of the run
SWEEP = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 90.0, 120.0)  # Hz
INPUTS = ("/thermal/image_raw", "/visible/image_raw")
TIMEOUT = 30.0


@dataclass(frozen=True)
class NodeOptions:
    """What to measure.

    Attributes:
        rate: Of both cameras in the main stretch, Hz.
        duration: Of the main stretch, s.
        size: Of the images, width and height.
        sweep: Rates that follow, Hz; () for none.
        sweep_duration: Of each of them, s.
        cores: Processors that all processes share; 0: all that this one may use.
        threads: CPU threads of the engine; 0: as the runtime chooses.
        device, runtime, precision, weights: Of the engine, as the node's model.* parameters.
        domain_id: ROS domain; None: a free one.
    """

    rate: float = 30.0
    duration: float = 60.0
    size: tuple[int, int] = (640, 480)
    sweep: tuple[float, ...] = ()
    sweep_duration: float = 10.0
    cores: int = 2
    threads: int = 0
    device: str = "cpu"
    runtime: str = "auto"
    precision: str = "float32"
    weights: str | None = None
    domain_id: int | None = None


class Played(NamedTuple):
    """What is known of a stretch when it has ended."""

    rate: float
    sent: int
    begin: int
    end: int
    before: Account
    after: Account
    cores: float


def measure(options: NodeOptions, progress: Callable[[str], None] = lambda line: None) -> dict:
    """Run the bench.

    Returns:
        {"facts", "engine", "stretches" (as `Stretch`, the main one first), "memory", "targets",
        "knee" (None without a sweep), "notes"}.

    Raises:
        MissingDependencyError: rclpy or egmt_msgs is not installed.
        EgmtError: A process failed or did not answer in time; the message shows its log's end.
    """
    require_ros()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="egmt_bench_")))
        stack.enter_context(_on_cores(options.cores))
        domain = stack.enter_context(reserved_domain(options.domain_id))
        progress("rendering the pairs")
        np.savez(work / "pairs.npz", **_pairs(*options.size))
        environment, warning = session_environment(domain, work / "logs")
        engine_seconds = min(ENGINE_SECONDS, options.duration / 4)
        progress("the bare engine, before")
        before = _time_engine(options, work, environment, engine_seconds)
        run = _Run(work, environment, options, progress, reliable=bool(warning))
        stack.callback(run.end)
        played = run.run()
        progress("the bare engine, after")
        after = _time_engine(options, work, environment, engine_seconds)
        engine = _engine_figures(before, after)
        stretches = _figures(played, work, engine["ms_median"])
        report = {
            "facts": _facts(options, engine, run),
            "engine": engine,
            "stretches": [node_figures.as_dict(s) for s in stretches],
            "memory": _memory(run.main, options.duration),
            "targets": node_figures.targets(stretches, len(os.sched_getaffinity(0))),
            "knee": node_figures.knee(stretches[1:]) if options.sweep else None,
            "notes": [warning] if warning else [],
        }
    return report


class _Run(LiveProcesses):
    """Node, recorder and cameras, and the stretches."""

    def __init__(self, work: Path, environment: dict[str, str], options: NodeOptions,
                 progress: Callable[[str], None], *, reliable: bool) -> None:  # fmt: skip
        super().__init__(work / "logs", environment)
        self._work = work
        self._options = options
        self._tell = progress
        self._reports = 0
        width, height = options.size
        self.parameters: dict[str, Any] = {
            "model.device": options.device, "model.runtime": options.runtime,
            "model.precision": options.precision, "model.threads": options.threads,
            "model.weights": options.weights or "", "model.warm_up_width": width,
            "model.warm_up_height": height,
        }  # fmt: skip
        if reliable:
            self.parameters |= {f"input.{s}.qos": "reliable" for s in node_figures.SIDES}
        self.main: ProcessMeter | None = None

    def run(self) -> list[Played]:
        options = self._options
        self._tell("starting the node")
        remappings = {"~/input/thermal/image": INPUTS[0], "~/input/visible/image": INPUTS[1]}
        node = self.start_node(NODE_COMMAND, remappings=remappings, params_file=None,
                               parameters=self.parameters)  # fmt: skip
        recorder = self.start_recorder(node.pid, self._work / "received.csv")
        self.wait_ready(node, recorder, 3 * TIMEOUT, TIMEOUT)
        cameras = self.start("cameras", [
            sys.executable, "-m", "egmt_ros.evaluation.live.cameras", str(self._work / "pairs.npz"),
            "--topics", *INPUTS, "--log", str(self._work / "sent.csv")])  # fmt: skip
        alive = [cameras, node, recorder]
        self.wait(lambda: ("cameras", "matched") in self.seen, TIMEOUT,
                  "the cameras and the node to find each other", alive)  # fmt: skip
        self.main = ProcessMeter(node.pid)
        played = [self._play(alive, options.rate, options.duration, self.main)]
        for rate in options.sweep:
            meter = ProcessMeter(node.pid)
            played.append(self._play(alive, rate, options.sweep_duration, meter))
        cameras.tell("stop")
        self.wait(lambda: ("cameras", "done") in self.seen, TIMEOUT, "the cameras to end",
                  [cameras])  # fmt: skip
        self.stop_node(node, TIMEOUT)
        self.stop_recorder(recorder, TIMEOUT)
        return played

    def on_progress(self, source: str, data: dict[str, Any]) -> None:
        self._reports += source == "cameras"

    def _play(self, alive: Sequence[ChildProcess], rate: float, duration: float,
              meter: ProcessMeter) -> Played:  # fmt: skip
        cameras, node, recorder = alive
        self._tell(f"{rate:g} Hz for {duration:g} s")
        before = self._settled_account(node, recorder)
        self.seen.pop(("cameras", "played"), None)
        meter.sample(at_once=True)
        cameras.tell("play", rate=rate, duration=duration)

        def ended() -> bool:
            meter.sample()
            return ("cameras", "played") in self.seen

        self.wait(ended, TIMEOUT, "the cameras to go on", alive, advance=lambda: self._reports)
        meter.sample(at_once=True)
        done = self.seen[("cameras", "played")]
        return Played(rate, done["sent"], done["begin"], done["end"], before,
                      self._settled_account(node, recorder), meter.cores())  # fmt: skip

    def _settled_account(self, node: ChildProcess, recorder: ChildProcess) -> Account:
        if not self.drain(node, recorder, TIMEOUT):
            raise EgmtError(
                f"frames were still in flight or coming {TIMEOUT:g} s after the cameras had "
                f"stopped: {self.diagnostics.account()}"
            )
        return self.diagnostics.account()


def _figures(played: Sequence[Played], work: Path, engine_ms: float) -> list[Stretch]:
    topics = {role: topic.name for role, topic in output_topics(NODE_NAME).items()
              if role in ("image", "processing_time_ms", "pipeline_latency_ms")}  # fmt: skip
    arrivals = Arrivals.read(work / "received.csv", topics)
    with (work / "sent.csv").open(newline="", encoding="utf-8") as stream:
        sent = {int(row["stamp"]): int(row["sent"]) for row in csv.DictReader(stream)}
    stretches = []
    for index, part in enumerate(played):
        # The last pairs come out after the sending has ended.
        until = played[index + 1].begin if index + 1 < len(played) else sys.maxsize
        images = [image for image in arrivals.images if part.begin <= image[1] < until]
        if strange := [stamp for stamp, _ in images if stamp not in sent]:
            raise EgmtError(f"a fused image has the stamp {strange[0]} ns, which no camera sent")
        ways = [(received - sent[stamp]) / 1e6 for stamp, received in images]
        latencies = arrivals.between("pipeline_latency_ms", part.begin, until)
        processing = arrivals.between("processing_time_ms", part.begin, until)
        complete = len(latencies) == len(processing)
        beside = [a - b for a, b in zip(latencies, processing, strict=True)] if complete else []
        latency = Distribution.of(latencies)
        account = node_figures.account_of(part.sent, part.before, part.after)
        seconds = (part.end - part.begin) / 1e9
        visible = account["visible"]
        stretches.append(Stretch(
            rate=part.rate, begin=part.begin, end=part.end, sent=part.sent,
            sent_rate=round(part.sent / seconds, 3), account=account, images=len(ways),
            fused_rate=round(visible["fused"] / seconds, 3),
            superseded_share=round(visible["superseded"] / max(visible["received"], 1), 4),
            release_to_publish=latency,
            processing=Distribution.of(processing), beside_processing=Distribution.of(beside),
            sent_to_received=Distribution.of(ways), cores=round(part.cores, 3),
            p95_of_engine=None if latency is None else round(latency.p95 / engine_ms, 3),
            overhead_ms=None if latency is None else round(latency.p50 - engine_ms, 3),
        ))  # fmt: skip
    return stretches


def _pairs(width: int, height: int) -> dict[str, np.ndarray]:
    """A few moments of the made-up street at dusk."""
    scene = StreetScene(0, width, height, "dusk_to_night", fade=(1.0, 3.0))
    times = np.linspace(0.0, 4.0, PAIRS)
    return {"thermal": np.stack([scene.render_thermal(t) for t in times]),
            "visible": np.stack([scene.render_visible(t) for t in times])}  # fmt: skip


@contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """This process and those that it starts share the first `count` of its processors."""
    own = os.sched_getaffinity(0)
    if count:
        os.sched_setaffinity(0, set(sorted(own)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def _time_engine(options: NodeOptions, work: Path, environment: dict[str, str],
                 seconds: float) -> dict[str, Any]:  # fmt: skip
    request = {
        "weights": options.weights, "device": options.device, "threads": options.threads or None,
        "runtime": options.runtime, "precision": options.precision, "seconds": seconds,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "egmt_ros.evaluation.bench.bench_engine", str(work / "pairs.npz"),
         json.dumps(request)], capture_output=True, text=True, env=environment)  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise EgmtError(f"the process that times the bare engine failed: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def _engine_figures(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    medians = [round(statistics.median(part["ms"]), 3) for part in (before, after)]
    return {
        "ms_median": round(statistics.median(before["ms"] + after["ms"]), 3),
        "ms_median_before": medians[0],
        "ms_median_after": medians[1],
        "pairs": len(before["ms"]) + len(after["ms"]),
        **{name: before[name] for name in ("model_id", "runtime", "device")},
    }


def _memory(meter: ProcessMeter, duration: float) -> dict[str, Any]:
    warm_up = min(WARM_UP, duration / 3)
    slope = slope_per_minute(meter.readings, warm_up)
    first, last = meter.readings[0], meter.readings[-1]
    return {
        "warm_up_s": warm_up,
        "readings": len(meter.readings),
        "seconds": round(last.time - first.time - warm_up, 1),
        "private_mib_by_second": [
            (round(r.time - first.time, 1), round(r.private / (1 << 20), 1)) for r in meter.readings
        ],
        "slope_mib_per_min": slope and {k: round(v, 4) for k, v in slope.items()},
        "private_mib": [round(r.private / (1 << 20), 1) for r in (first, last)],
        "resident_mib": [round(r.resident / (1 << 20), 1) for r in (first, last)],
    }


def _facts(options: NodeOptions, engine: dict[str, Any], run: LiveProcesses) -> dict[str, Any]:
    width, height = options.size
    return {
        "size": f"{width}x{height}",
        "machine": machine(),
        "versions": versions(run.seen[("recorder", "ready")].get("rmw", "")),
        "cores_asked_for": options.cores,
        "threads": options.threads,
        "load_average": round(os.getloadavg()[0], 1),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "free_shared_memory_mib": shutil.disk_usage("/dev/shm").free >> 20
        if Path("/dev/shm").is_dir() else None,
    }  # fmt: skip
