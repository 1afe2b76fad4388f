"""`report.html` of an evaluated bag: one file that needs no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.evaluation.replay.result import Result, load_result
from egmt_ros.evaluation.replay.summary import Summary, summarise
from egmt_ros.evaluation.report.montage import Montage, save_montage
from egmt_ros.evaluation.report.page_assets import STYLE as PAGE_STYLE
from egmt_ros.evaluation.report.page_parts import document, fact_table, number
from egmt_ros.evaluation.report.pictures import FramePictures
from egmt_ros.evaluation.report.replay_answers import answers_html, main_timing
from egmt_ros.evaluation.report.replay_assets import SCRIPT, STYLE
from egmt_ros.evaluation.report.replay_frames import (
    MONTAGE_WIDTH,
    frames_section,
    montage_frames,
    montage_section,
    shown_frames,
    wanted_widths,
)
from egmt_ros.evaluation.report.replay_fusion import fusion_section
from egmt_ros.evaluation.report.replay_labels import labels_section, truth_section
from egmt_ros.evaluation.report.replay_live import live_section
from egmt_ros.evaluation.report.replay_pictures import Pictures, load_replay_pictures, narrowed
from egmt_ros.evaluation.report.replay_timing import account_section, timing_section
from egmt_ros.evaluation.report.time_charts import replay_axis
from egmt_ros.pipeline.whole_files import write_whole

REPORT = "report.html"


def save_replay_report(
    folder: Path, result: Result | None = None, summary: Summary | None = None
) -> Path:
    """Write the report of an evaluation, and its montage beside it.

    The bag that was replayed is read once more, for pictures; where it is gone or damaged the
    report says so and shows what there is.

    Args:
        folder: That `egmt evaluate bag` made.
        result, summary: Of the folder, where they are at hand.

    Returns:
        The report.

    Raises:
        DataError: The folder is no evaluation, or cannot be written to.
    """
    result = result or load_result(folder)
    summary = summary or summarise(result)
    groups, moving = shown_frames(summary, result), montage_frames(result)
    pictures = load_replay_pictures(result, wanted_widths(groups, moving))
    rows = [_for_montage(pictures.frames[n]) for n in moving if n in pictures.frames]
    montage = save_montage(folder, rows, result.run.entities)
    path = folder / REPORT
    write_whole(path, replay_page(result, summary, pictures, montage).encode())
    return path


def replay_page(
    result: Result, summary: Summary, pictures: Pictures, montage: Montage | None
) -> str:
    """The page.

    Args:
        result, summary: Of the evaluation.
        pictures: Of the frames of `shown_frames`.
        montage: None without one.
    """
    time = replay_axis(result.frames.keys.get("stamp", np.zeros(0, np.int64)))
    moving, data = montage_section(montage)
    sections = (
        answers_html(summary), _tiles(summary), fusion_section(summary, result, time),
        labels_section(summary, result, time), truth_section(summary), live_section(summary),
        timing_section(summary, result, time), account_section(summary, result),
        frames_section(shown_frames(summary, result), pictures, result, time), moving,
        _facts(summary, result))
    name = Path(str(summary.run["bag"].get("path", ""))).name or "a bag"
    shortened = (
        f'<p class="small soft">The stamps jump back or pause for long {time.shortened} times; the '
        "time axes shorten these.</p>") if time.shortened else ""
    body = _head(name, summary) + shortened + "".join(sections)
    return document(f"EGMT evaluation of {name}", body, PAGE_STYLE + STYLE, SCRIPT, data)


def _for_montage(frame: FramePictures) -> FramePictures:
    """The same, no larger than the montage shows it."""
    return FramePictures(frame.array, *(
        narrowed(picture, MONTAGE_WIDTH) for picture in (frame.thermal, frame.visible,
                                                         frame.fused)))


_PARTS = (("answers", "Answers"), ("fusion", "Fused images"), ("labels", "Labels"),
          ("truth", "Ground truth"), ("live", "Live"), ("timing", "Times"),
          ("account", "Account"), ("frames", "Frames"), ("facts", "Facts"))


def _head(name: str, summary: Summary) -> str:
    model = summary.run["model"]
    how = "played into a node" if summary.kind == "live" else "offline"
    links = "".join(
        f'<a href="#{key}">{title}</a>' for key, title in _PARTS
        if (key != "truth" or summary.truth is not None)
        and (key != "live" or (summary.kind == "live" and summary.run.get("live"))))
    banner = ""
    if not summary.complete or summary.problems:
        what = ("This is not the whole bag." if not summary.complete else
                "Something went wrong or does not add up.")
        items = "".join(f"<li>{escape(problem)}</li>" for problem in summary.problems)
        banner = f'<div class="banner" role="alert"><b>{what}</b><ul>{items}</ul></div>'
    notes = "".join(f'<p class="small wrap">{escape(note)}</p>' for note in summary.notes)
    return (
        f'<header><h1 class="wrap">{escape(name)}</h1><p class="soft">Evaluated {how} · model '
        f"{escape(str(model.get('model_id', '?')))} on {escape(str(model.get('device', '?')))} · "
        f"{escape(summary.created)}</p>{banner}{notes}"
        f'<nav aria-label="parts of this page">{links}</nav></header>')


def _tiles(summary: Summary) -> str:
    visible, gap, time = summary.account["visible"], summary.pair_gap_ms, main_timing(summary)
    tiles = [
        (f"{visible.fused} of {visible.sent}", "visible frames fused"),
        (f"{number(summary.rates['fused'].hz, 1)} Hz", "fused images, by their stamps"),
        (f"{number(gap.p50 if gap else None, 1)} · {number(gap.p95 if gap else None, 1)}",
         "ms between the stamps of a pair, median · p95"),
    ]
    if time is not None:
        what = "latency" if summary.kind == "live" else "fusing a pair"
        tiles.append((f"{time[1].p50:.1f} · {time[1].p95:.1f}", f"ms {what}, median · p95"))
    if summary.truth is not None:
        tiles.append((number(summary.truth.macro["f1"].value), "F1 of labels, mean of entities"))
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{escape(value)}</b><span class="soft small">{escape(title)}</span>'
        "</div>" for value, title in tiles) + "</div>"


def _facts(summary: Summary, result: Result) -> str:
    run = summary.run
    changed: dict[str, Any] = run["changed"]
    topics = {role: " ".join(filter(None, (t.get("name", ""), f"({t['how']})" if t.get("how")
                                           else "")))
              for role, t in run["topics"].items()}
    parameters = (fact_table(changed) if changed else
                  "<p>All parameters have their default.</p>")
    every = fact_table(dict(sorted(result.run.parameters.items())))
    return (
        '<section id="facts"><h2>Facts</h2><div class="pair">'
        f"<div><h3>Bag</h3>{fact_table(run['bag'])}<h3>Topics</h3>{fact_table(topics)}"
        f"<h3>Time of the evaluation, s</h3>{fact_table(run['seconds'])}</div>"
        f"<div><h3>Weights</h3>{fact_table(run['model'])}<h3>Versions</h3>"
        f"{fact_table(run['versions'])}<h3>Machine</h3>{fact_table(run['machine'])}</div></div>"
        f"<h3>Changed parameters</h3>{parameters}"
        f"<details><summary>All {len(result.run.parameters)} parameters</summary>{every}</details>"
        "</section>")
