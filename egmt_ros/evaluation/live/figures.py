"""What only a live replay knows: latencies, jitter, and what the node's process takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from egmt_ros.evaluation.bench.process_meter import MIB, Reading, slope_per_minute
from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.outputs import Recorded
from egmt_ros.evaluation.live.result import SessionResult

TIMES = ("reference_to_image_ms", "last_frame_to_image_ms", "processing_ms",
         "release_to_publish_ms")
"""Columns of timing.csv.

From the sending of the frame whose stamp the image carries until the image has arrived; from the
sending of the pair's later frame; of it, the node's own times: from the pair's images to the fused
one, and from the release of the pair until it is published.
"""

_BY_ORDER = {"processing_ms": "processing_time_ms", "release_to_publish_ms": "pipeline_latency_ms"}
_WARM_UP = 60.0  # s left out of the slope of memory, at most a third of the run
_SLOPE_FROM = 30.0  # s after that, without which one allocation that is made once is taken for more


def times(recorded: Recorded, published: int) -> list[tuple[float | None, ...]]:
    """`TIMES` of each fused frame, ms; None where one is not known.

    The node's own times carry no stamp. They are taken by their order where every published frame
    has arrived with all of them, otherwise left out.

    Args:
        recorded: What came out.
        published: Frames that the node says it has published.
    """
    own: dict[str, list[float]] = {}
    whole = published == len(recorded.frames) == recorded.arrays
    for column, role in _BY_ORDER.items():
        values = recorded.values.get(role, [])
        if whole and len(values) == published:
            own[column] = values
    table = []
    for number, frame in enumerate(recorded.frames):
        row: dict[str, float] = {name: values[number] for name, values in own.items()}
        if frame.image is not None:
            row[TIMES[0]] = (frame.image.time - recorded.reference(frame).time) / 1e6
            row[TIMES[1]] = (frame.image.time - recorded.later(frame).time) / 1e6
        table.append(tuple(row.get(name) for name in TIMES))
    return table


def jitter(recorded: Recorded) -> list[float]:
    """How much each interval of the fused images differs from that of the frames that were sent.

    The size of D(i-1, i) of RFC 3550, 6.4.1, ms, for each image but the first.
    """
    ways = [(recorded.reference(frame).time, frame.image.time) for frame in recorded.frames
            if frame.image is not None]
    return [abs((b[1] - a[1]) - (b[0] - a[0])) / 1e6
            for a, b in zip(ways, ways[1:], strict=False)]


def rate(when: Sequence[int]) -> float | None:
    """Hz of what happened at these times, ns; None for fewer than two."""
    span = (max(when) - min(when)) / 1e9 if len(when) > 1 else 0.0
    return round((len(when) - 1) / span, 3) if span > 0 else None


def process(readings: Sequence[Reading]) -> dict[str, Any] | None:
    """Processor time and memory of the node's process; None for fewer than two readings.

    Returns:
        "cpu_cores": 1.0 is one busy core: "mean", "median", "peak" of the readings' intervals;
        "memory_mib": "median" and "peak" of private memory and "resident_peak";
        "slope_mib_per_min": of private memory after "warm_up_s", None where it is too short;
        "seconds"; "over_time": (s, cores, private MiB) of each interval.
    """
    if len(readings) < 2:
        return None
    first, last = readings[0], readings[-1]
    seconds = last.time - first.time
    over_time = [
        (round(b.time - first.time, 2), round((b.cpu - a.cpu) / max(b.time - a.time, 1e-9), 3),
         round(b.private / MIB, 2))
        for a, b in zip(readings, readings[1:], strict=False)
    ]
    cores = [row[1] for row in over_time]
    private = [reading.private / MIB for reading in readings]
    warm_up = min(_WARM_UP, seconds / 3)
    long_enough = seconds - warm_up >= _SLOPE_FROM
    slope = slope_per_minute(list(readings), warm_up) if long_enough else None
    return {
        "seconds": round(seconds, 2),
        "cpu_cores": {"mean": round((last.cpu - first.cpu) / max(seconds, 1e-9), 3),
                      "median": round(statistics.median(cores), 3), "peak": max(cores)},
        "memory_mib": {"median": round(statistics.median(private), 2),
                       "peak": round(max(private), 2),
                       "resident_peak": round(max(r.resident for r in readings) / MIB, 2)},
        "warm_up_s": round(warm_up, 1),
        "slope_mib_per_min": None if slope is None else round(slope["private"], 4),
        "over_time": over_time,
    }


def live_figures(session: SessionResult, recorded: Recorded,
                 timing: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    """`Run.live`, without a sweep.

    Returns:
        "rate": speed of the replay; "latency_ms": column of `TIMES` -> `Distribution`, None where
        it was not measured; "jitter_ms": of the intervals, see `jitter`; "lost": side -> frames;
        "rates_hz": "thermal" and "visible" as sent, "fused" as received; "process": see `process`;
        "start_s" until the node was active, "play_s"; "middleware".
    """
    columns = {name: [row[i] for row in timing if row[i] is not None]
               for i, name in enumerate(TIMES)}
    rates = {side: rate([frame.time for frame in sent]) for side, sent in recorded.sent.items()}
    images = [frame.image for frame in recorded.frames if frame.image is not None]
    rates["fused"] = rate([image.time for image in images])
    return {
        "rate": session.rate,
        "latency_ms": {name: spread(values) for name, values in columns.items()},
        "jitter_ms": spread(jitter(recorded)),
        "lost": {side: len(sent) - session.account.get(side, {}).get("received", 0)
                 for side, sent in recorded.sent.items()},
        "rates_hz": rates,
        "process": process([Reading(*reading) for reading in session.readings]),
        "start_s": session.start_s,
        "play_s": session.play_s,
        "middleware": session.middleware,
    }


def spread(values: Sequence[float]) -> dict[str, float] | None:
    """A distribution in ms as JSON has it, to 4 digits behind the point."""
    found = Distribution.of(values)
    return found and {name: round(value, 4) for name, value in asdict(found).items()}
