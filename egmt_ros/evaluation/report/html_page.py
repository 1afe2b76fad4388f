"""The report of a replay as one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import OUTCOMES, SIDES
from egmt_ros.evaluation.report.contact_sheet import drawn_labels
from egmt_ros.evaluation.report.drawing import entity_colours
from egmt_ros.evaluation.report.fates import NOT_FUSED, array_times, frame_fates, send_times
from egmt_ros.evaluation.report.page_assets import SCRIPT, STYLE
from egmt_ros.evaluation.report.page_charts import (
    COLOURED_FATES,
    axis,
    fate_class,
    frame_marks,
    histogram,
    score_strip,
)
from egmt_ros.evaluation.report.page_parts import document, fact_table, jpeg_url, number
from egmt_ros.evaluation.report.pictures import FramePictures
from egmt_ros.evaluation.report.recording import Recording
from egmt_ros.evaluation.report.summary import Summary, end_to_end

_PICTURE_WIDTH = 480
_LATENCIES = (
    ("processing", "Engine and result of a pair"),
    ("release_to_publish", "Release of the pair to publish"),
    ("last_frame_to_image", "Sending of the pair's later frame to fused image received"),
    ("reference_to_image", "Sending of the reference frame to fused image received"),
    ("pair_gap", "Difference of the two source stamps"),
)


def html_page(
    summary: Summary, recording: Recording, pictures: Sequence[FramePictures]
) -> str:
    """The page.

    Args:
        summary, recording: Of the replay.
        pictures: Frames that can be looked at, in order of time.
    """
    times = send_times(recording)
    duration = max((t for side in times.values() for t in side), default=0.0) + 1e-3
    array_seconds = array_times(recording)
    data = _script_data(recording, pictures, array_seconds, duration)
    body = "".join((
        _head(summary), _tiles(summary), _viewer(pictures),
        _timeline(summary, recording, array_seconds, duration), _account(summary, recording, times),
        _latency(summary, recording), _agreement(summary), _facts(summary)))
    return document(
        f"EGMT replay of {Path(summary.bag['path']).name}", body, STYLE, SCRIPT, data)


def save_html_page(path: Path, summary: Summary, recording: Recording,
                   pictures: Sequence[FramePictures]) -> None:
    """Writes the page.

    Raises:
        EgmtError: The file cannot be written.
    """
    try:
        path.write_text(html_page(summary, recording, pictures), encoding="utf-8")
    except OSError as error:
        raise EgmtError(f"{path} cannot be written ({error}).") from error


def _script_data(recording: Recording, pictures: Sequence[FramePictures],
                 array_seconds: Sequence[float], duration: float) -> dict[str, Any]:
    seconds = {array.received: t for array, t in
               zip(recording.arrays, array_seconds, strict=True)}
    colours = {name: "#{:02x}{:02x}{:02x}".format(*rgb)
               for name, rgb in entity_colours(recording.vocabulary.names).items()}
    frames = []
    for frame in pictures:
        array = frame.array
        with_region = set(drawn_labels(array.present(), array.width, array.height))
        frames.append({
            "time": round(seconds.get(array.received, 0.0), 3), "width": array.width,
            "height": array.height,
            **{side: jpeg_url(getattr(frame, side), _PICTURE_WIDTH)
               for side in ("thermal", "visible", "fused")},
            "labels": [{"name": label.name, "score": round(label.score, 3),
                        "region": label.region if label in with_region else None}
                       for label in array.present()],
        })
    return {"duration": duration, "colours": colours, "frames": frames}


def _head(summary: Summary) -> str:
    bag = summary.bag
    verdict = (
        '<p class="verdict good">✓ Every frame is accounted for.</p>' if summary.consistent else
        '<p class="verdict bad">✗ The account does not add up: '
        f"{escape('; '.join(summary.problems))}.</p>")
    notes = "".join(f"<p>{escape(note)}</p>" for note in summary.notes)
    return (
        "<header><h1>Thermal and visible, fused and labelled</h1>"
        f'<p class="soft">{escape(Path(bag["path"]).name)}, played at {summary.session["rate"]:g}× '
        f"real time over DDS into the node · model {escape(summary.model['model_id'] or '?')} "
        f"on {escape(summary.model.get('device', '?'))} · {escape(summary.created)}</p>"
        f"{verdict}{notes}</header>")


def _tiles(summary: Summary) -> str:
    latency = summary.latency_ms
    tiles = [
        (f"{summary.inputs['visible'].fused} of {summary.inputs['visible'].sent}",
         "visible frames fused"),
        (f"{summary.rates_hz['fused']:.1f} Hz", "fused images out"),
        (_middle_and_tail(latency["release_to_publish"]),
         "ms from release of a pair to publish, median · p95"),
        (_middle_and_tail(latency["reference_to_image"]),
         "ms from sending to fused image, median · p95"),
    ]
    if summary.agreement is not None and summary.agreement.f1 is not None:
        tiles.append((f"{summary.agreement.f1:.2f}", "F1 of the labels against the ground truth"))
    return '<div class="tiles">' + "".join(
        f'<div class="tile"><b>{escape(value)}</b><span class="soft small">{escape(name)}</span>'
        "</div>" for value, name in tiles) + "</div>"


def _middle_and_tail(value: Any) -> str:
    return f"{value.p50:.1f} · {value.p95:.1f}" if isinstance(value, Distribution) else "–"


def _viewer(pictures: Sequence[FramePictures]) -> str:
    if not pictures:
        return "<section><h2>Pictures</h2><p>No frame was fused.</p></section>"
    first = pictures[0]
    figures = "".join(
        f'<figure><figcaption>{name}</figcaption><div class="view"><img id="{side}" '
        f'alt="{name}" src="{jpeg_url(picture, _PICTURE_WIDTH)}">'
        + ('<svg id="regions"></svg>' if side == "fused" else "") + "</div></figure>"
        for side, name, picture in (("thermal", "Thermal", first.thermal),
                                    ("visible", "Visible", first.visible),
                                    ("fused", "Fused", first.fused)))
    return (
        f'<section><h2>Pictures</h2><div class="views">{figures}</div>'
        '<div class="controls"><button id="play" type="button">Play</button>'
        f'<input id="slider" type="range" min="0" max="{len(pictures) - 1}" value="0" '
        'aria-label="frame"><output id="when"></output>'
        '<label><input id="overlay" type="checkbox" checked> regions</label></div>'
        '<div class="chips" id="chips"></div>'
        '<p class="small soft">A region is where the model looked for an entity: evidence for '
        "the label, not a detection box.</p></section>")


def _timeline(summary: Summary, recording: Recording, times: Sequence[float],
              duration: float) -> str:
    arrays = recording.arrays
    if not arrays:
        return ""
    vocabulary = recording.vocabulary
    thresholds = dict(zip(vocabulary.names, vocabulary.thresholds, strict=False))
    truth = recording.truth
    there = set().union(*truth.values()) if truth else set()
    by_name = [{label.name: label for label in array.labels} for array in arrays]

    def strip(name: str) -> str:
        labels = [labels.get(name) for labels in by_name]
        present = [bool(label and label.present) for label in labels]
        marks = None if truth is None else [
            name in truth.get(array.visible_stamp, frozenset()) for array in arrays]
        drawing = score_strip(times, [label.score if label else None for label in labels],
                              present, marks, thresholds.get(name), duration)
        return (f'<div class="strip"><b>{escape(name)}</b>{drawing}'
                f"<span>{100 * sum(present) / len(present):.0f} %</span></div>")

    seen = [e.name for e in summary.labels if e.frames_present or e.name in there]
    absent = [e.name for e in summary.labels if e.name not in seen and e.mean_score is not None]
    legend = ('<span><i style="background:var(--score);height:2px;vertical-align:4px"></i>score'
              '</span><span><i style="background:var(--present)"></i>present</span>'
              "<span>┄ threshold</span>")
    if truth is not None:
        legend += ('<span><i style="background:var(--truth);height:4px;vertical-align:3px"></i>'
                   "ground truth</span>")
    hidden = (f"<details><summary>Never present: {len(absent)}</summary>"
              f"{''.join(map(strip, absent))}</details>") if absent else ""
    return (
        '<section><h2>Labels over time</h2><p class="small soft">On the right, the share of the '
        "fused frames. A click on a strip shows the nearest picture.</p>"
        f'<div class="legend">{legend}</div><div class="strips">{"".join(map(strip, seen))}'
        f'<div class="strip"><b></b>{axis(duration)}<span></span></div>'
        f'<div class="cursor" id="cursor"></div></div>{hidden}</section>')


def _account(summary: Summary, recording: Recording, times: dict[str, list[float]]) -> str:
    columns = ("sent", "lost", "received", *OUTCOMES, "in_flight")
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in columns)
    rows = "".join(
        f"<tr><td>{side}</td>"
        + "".join(f"<td>{getattr(summary.inputs[side], name)}</td>" for name in columns) + "</tr>"
        for side in SIDES)
    fates = frame_fates(recording, summary.inputs)
    kinds = [kind for kind in COLOURED_FATES if any(kind in side for side in fates.values())]
    kinds += sorted({f for side in fates.values() for f in side} - set(kinds))
    legend = "".join(f'<span><i class="{fate_class(kind)}"></i>{escape(kind)}</span>'
                     for kind in kinds)
    unknown = [
        f"{side}: " + ", ".join(f"{n} {name.replace('_', ' ')}"
                                for name, n in summary.inputs[side].not_fused().items())
        for side in SIDES if NOT_FUSED in fates[side]]
    remark = ('<p class="small soft">Which frames were fused is known one by one, from the stamps '
              "of the labels. What became of the others is known in total only: where a camera "
              "had one such outcome alone it is that of them all")
    remark += f"; here {escape('; '.join(unknown))}.</p>" if unknown else ".</p>"
    reasons = "; ".join(f"{side}: {n} {reason}" for side in SIDES
                        for reason, n in summary.inputs[side].rejected_reasons.items() if n)
    if reasons:
        remark += f'<p class="small soft">Rejected: {escape(reasons)}.</p>'
    stamps = {side: [frame.stamp for frame in recording.sent[side]] for side in SIDES}
    return (
        '<section><h2>Account of every frame</h2><p class="small soft">sent = received + lost; '
        "received = fused + unpaired + superseded + rejected + inactive + disabled + passthrough "
        "+ in flight</p>"
        f'<div class="scroll"><table><tr><th></th>{head}</tr>{rows}</table></div>'
        f'<div class="legend" style="margin-top:14px">{legend}</div>{remark}'
        '<p class="small soft">Each mark is one sent frame: thermal above, visible below. '
        '<span id="told">Hover over a mark to see its stamp.</span></p>'
        f'<div class="scroll">{frame_marks(stamps, times, fates)}</div></section>')


def _latency(summary: Summary, recording: Recording) -> str:
    rows = "".join(
        f"<tr><td>{name}</td>" + "".join(
            f"<td>{getattr(value, field):.1f}</td>" for field in ("p50", "p95", "p99", "max"))
        + "</tr>"
        for key, name in _LATENCIES
        if isinstance(value := summary.latency_ms[key], Distribution))
    wait = summary.latency_ms["wait_for_partner"]
    if isinstance(wait, dict):
        cells = "".join(f"<td>{wait[rank]:.1f}</td>" if rank in wait else "<td>–</td>"
                        for rank in ("p50", "p95", "p99", "max"))
        rows += f"<tr><td>Wait from the later frame's arrival to release</td>{cells}</tr>"
    return (
        '<section><h2>Latency</h2><div class="pair">'
        + histogram(recording.values.get("pipeline_latency_ms", []),
                    "Release of a pair to publish, ms")
        + histogram(end_to_end(recording)["reference_to_image"],
                    "Sending of the reference frame to fused image received, ms")
        + '</div><div class="scroll"><table><tr><th>ms</th><th>median</th><th>p95</th>'
        f"<th>p99</th><th>max</th></tr>{rows}</table></div></section>")


def _agreement(summary: Summary) -> str:
    agreement = summary.agreement
    if agreement is None:
        return ""

    rows = "".join(
        f"<tr><td>{escape(e.name)}</td><td>{number(e.precision)}</td><td>{number(e.recall)}</td>"
        f"<td>{e.true_positive}</td><td>{e.false_positive}</td><td>{e.false_negative}</td></tr>"
        for e in sorted(agreement.entities,
                        key=lambda e: -(e.true_positive + e.false_negative)))
    unnamed = (f'<p class="small soft">Not in the vocabulary, so not counted: '
               f"{escape(', '.join(agreement.unnamed))}.</p>") if agreement.unnamed else ""
    return (
        "<section><h2>Labels against the ground truth</h2><p class=\"small soft\">"
        f"{agreement.frames} frames; all entities together: precision "
        f"{number(agreement.precision)}, recall {number(agreement.recall)}, F1 "
        f"{number(agreement.f1)}. An entity that the ground truth does not mention counts as "
        "absent.</p>"
        '<div class="scroll"><table><tr><th>entity</th><th>precision</th><th>recall</th>'
        "<th>right</th><th>wrongly named</th><th>missed</th></tr>"
        f"{rows}</table></div>{unnamed}</section>")


def _facts(summary: Summary) -> str:
    return (
        '<section><h2>Facts</h2><div class="pair">'
        f"<div>{fact_table({**summary.model, **summary.machine, **summary.session})}</div>"
        f"<div>{fact_table({**summary.versions, **summary.bag})}</div></div></section>")
