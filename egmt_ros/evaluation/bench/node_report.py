"""The report of `egmt bench node` as Markdown."""

from __future__ import annotations

from typing import Any

from egmt_ros.evaluation.bench.node_figures import DROPPING, FLAT
from egmt_ros.evaluation.live.account import OUTCOMES

SLOPE_SECONDS = 300.0
"""Below this a slope of memory may be one allocation that is made once."""


def markdown(report: dict[str, Any]) -> str:
    """Tables and sentences of what `bench_node.measure` returned."""
    main, *sweep = report["stretches"]
    engine, facts = report["engine"], report["facts"]
    machine = facts["machine"]
    text = [
        f"`{engine['model_id']}` with {engine['runtime']} on {engine['device']}, {facts['size']}, "
        f"{machine['cores']} cores ({machine['cpu']}) shared by cameras, node and recorder, "
        f"{facts['versions']['rmw']}, load average {facts['load_average']} at the end.",
        "",
        f"The bare engine, alone: median {engine['ms_median']:.1f} ms "
        f"({engine['ms_median_before']:.1f} before the run, {engine['ms_median_after']:.1f} after; "
        f"{engine['pairs']} pairs).",
        "",
        f"## {main['rate']:g} Hz for {(main['end'] - main['begin']) / 1e9:.0f} s",
        "",
        *_account(main),
        "",
        f"{main['unaccounted']} frames unaccounted for; {main['images']} fused images arrived at "
        f"the recorder. CPU of the node: {main['cores']:.2f} cores.",
        "",
        _memory(report["memory"]),
        "",
        *_latencies(main),
    ]
    if sweep:
        text += ["", "## Rates", "", *_sweep(sweep), "", _knee(report["knee"])]
    text += ["", _targets(report["targets"]), *report["notes"]]
    return "\n".join(text).rstrip() + "\n"


def _account(stretch: dict[str, Any]) -> list[str]:
    names = ("sent", "lost", "received", *OUTCOMES, "in_flight", "unaccounted")
    rows = [f"| input | {' | '.join(name.replace('_', ' ') for name in names)} |",
            "|---|" + "--:|" * len(names)]  # fmt: skip
    for side, account in stretch["account"].items():
        rows.append(f"| {side} | {' | '.join(str(account[name]) for name in names)} |")
    return rows


def _memory(memory: dict[str, Any]) -> str:
    private, resident = memory["private_mib"], memory["resident_mib"]
    text = (f"Memory of the node: private {private[0]:.0f} to {private[1]:.0f} MiB, resident "
            f"{resident[0]:.0f} to {resident[1]:.0f} MiB")  # fmt: skip
    slope = memory["slope_mib_per_min"]
    if slope is None:
        return text + "; too short for a slope."
    text += f"; after the first {memory['warm_up_s']:.0f} s private memory grows by "
    text += f"{slope['private']:.2f} MiB/min, resident by {slope['resident']:.2f}"
    if memory["seconds"] < SLOPE_SECONDS:
        text += f" (over {memory['seconds']:.0f} s only, in which a single step weighs much)"
    return text + "."


def _latencies(stretch: dict[str, Any]) -> list[str]:
    rows = ["| ms | pairs | p50 | p95 | p99 | highest |", "|---|--:|--:|--:|--:|--:|"]
    for name, title in (
        ("release_to_publish", "callback (release) to publish"),
        ("processing", "of it, images to fused image"),
        ("beside_processing", "of it, the rest: waiting for the worker, publishing"),
        ("sent_to_received", "sent by the camera to fused image received"),
    ):
        values = stretch[name]
        if values is not None:
            cells = (f"{values[key]:.1f}" for key in ("p50", "p95", "p99", "max"))
            rows.append(f"| {title} | {values['count']} | {' | '.join(cells)} |")
    if stretch["p95_of_engine"] is not None:
        rows += ["", f"p95 to publish is {stretch['p95_of_engine']:.2f} x the engine's own median, "
                 f"p50 {stretch['overhead_ms']:+.1f} ms from it."]  # fmt: skip
    return rows


def _sweep(stretches: list[dict[str, Any]]) -> list[str]:
    rows = [
        "| Hz asked | sent | lost, frames | fused | superseded | unaccounted | to publish p50 "
        "| p95 | sent to received p50 | p95 | p99 | p95 of engine | overhead, ms | cores |",
        "|--:|" + "--:|" * 13,
    ]
    for part in stretches:
        lost = sum(side["lost"] for side in part["account"].values())
        cells = [f"{part['rate']:g}", f"{part['sent_rate']:.1f}", str(lost),
                 f"{part['fused_rate']:.1f}", f"{100 * part['superseded_share']:.1f} %",
                 str(part["unaccounted"])]  # fmt: skip
        for name, keys in (("release_to_publish", ("p50", "p95")),
                           ("sent_to_received", ("p50", "p95", "p99"))):  # fmt: skip
            cells += [f"{part[name][key]:.1f}" if part[name] else "" for key in keys]
        if part["p95_of_engine"] is None:
            cells += ["", ""]
        else:
            cells += [f"{part['p95_of_engine']:.2f}", f"{part['overhead_ms']:.1f}"]
        cells.append(f"{part['cores']:.2f}")
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _knee(knee: dict[str, Any]) -> str:
    if knee["begins_to_drop"] is None:
        return f"No rate had more than {DROPPING:.0%} of its frames superseded."
    followed = knee["last_followed"]
    text = f"Begins to drop (more than {DROPPING:.0%} superseded) at {knee['begins_to_drop']:g} Hz"
    text += f", follows {followed:g} Hz. " if followed else ", the lowest rate measured. "
    if knee["growth"] is None:
        return text + "No rate beyond it was measured, so nothing is said of latency there."
    verdict = "flat" if knee["flat"] else "NOT flat"
    return text + (f"Beyond it p95 from sending to arrival is at most {knee['growth']:.2f} x that "
                   f"at this rate: {verdict} (limit {FLAT:g}).")  # fmt: skip


def _targets(targets: dict[str, Any] | None) -> str:
    if targets is None:
        return "The targets hold for 15 Hz, which was not measured: use --rate 15 or --sweep."
    return (
        f"Targets at {targets['rate']:g} Hz, {targets['cores']} cores: p95 "
        f"{targets['p95_of_engine']:.2f} x the engine's own median "
        f"(at most {targets['p95_of_engine_target']:g}), overhead {targets['overhead_ms']:.1f} ms "
        f"(at most {targets['overhead_ms_target']:g}): {'met' if targets['met'] else 'MISSED'}."
    )
