"""A few lines about what only a live replay knows; imports no ROS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TIMES = {
    "reference_to_image_ms": "reference frame sent to image",
    "last_frame_to_image_ms": "pair's later frame sent to image",
    "processing_ms": "of it, fusing",
    "release_to_publish_ms": "of it, release to publish",
}


def live_lines(live: Mapping[str, Any]) -> list[str]:
    """What `Run.live` says, for the terminal."""
    found = [f"{'':<34}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}  ms"]
    for name, title in _TIMES.items():
        found += _row(title, live["latency_ms"].get(name))
    found += _row("jitter of the intervals", live["jitter_ms"])
    rates = ", ".join(f"{name} {value:.1f}" for name, value in live["rates_hz"].items()
                      if value is not None)
    found.append(f"Hz: {rates}; frames lost on the way: "
                 + ", ".join(f"{count} {side}" for side, count in live["lost"].items()))
    process = live["process"]
    if process is not None:
        cores, memory = process["cpu_cores"], process["memory_mib"]
        slope = process["slope_mib_per_min"]
        found.append(
            f"node: {cores['mean']:.2f} cores (peak {cores['peak']:.2f}), {memory['median']:.0f}"
            f" MiB (peak {memory['peak']:.0f}"
            + (")" if slope is None else f", {slope:+.2f} a minute)"))
    if "search" in live:
        found += _sweep(live)
    return found


def _sweep(live: Mapping[str, Any]) -> list[str]:
    highest = live["highest_rate_hz"]
    found = ["", "no rate was followed" if highest is None
             else f"highest rate without drops: {highest:g} Hz",
             f"{'Hz':>8}{'sent':>7}{'fused':>7}{'dropped':>9}{'p50':>9}{'p95':>9}  ms"]
    for each in (*live["search"], *live["at_rate"]):
        times = "".join("        -" if each[rank] is None else f"{each[rank]:9.1f}"
                        for rank in ("p50", "p95"))
        found.append(f"{each['rate']:8.2f}{each['sent']:7}{each['fused']:7}{each['dropped']:9}"
                     f"{times}")
    return found


def _row(title: str, times: Mapping[str, float] | None) -> list[str]:
    if times is None:
        return []
    cells = "".join(f"{times[rank]:8.1f}" for rank in ("p50", "p95", "p99", "max"))
    return [f"{title:<34}{cells}"]
