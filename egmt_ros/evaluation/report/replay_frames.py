"""Frames to look at, and the montage, as sections of the report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from egmt_ros.evaluation.fusion.pair_metrics import COLUMNS
from egmt_ros.evaluation.replay.fusion_over_frames import TELLING, FramePick
from egmt_ros.evaluation.replay.result import Result
from egmt_ros.evaluation.replay.summary import Summary
from egmt_ros.evaluation.replay.tables import metric_column
from egmt_ros.evaluation.report.contact_sheet import drawn_labels
from egmt_ros.evaluation.report.drawing import draw_regions, entity_colours
from egmt_ros.evaluation.report.montage import Montage
from egmt_ros.evaluation.report.page_parts import data_url, jpeg_url, number
from egmt_ros.evaluation.report.pictures import FramePictures, evenly_chosen
from egmt_ros.evaluation.report.replay_pictures import Pictures
from egmt_ros.evaluation.report.time_charts import Axis

WIDTH = 960
"""Of an embedded picture at most, pixels; VGA is embedded as it is."""

SIDE_WIDTH = 640
"""Of the two pictures beside the large one."""

MOST_WRONG = 3
PLAIN = 6
MONTAGE = 40
MONTAGE_WIDTH = 432
EMBEDDED_MONTAGE = 4 << 20
"""Bytes up to which the montage is shown on the page."""


class Shown(NamedTuple):
    """Frames under a heading: title, explanation, frame numbers."""

    title: str
    text: str
    frames: tuple[int, ...]


def shown_frames(summary: Summary, result: Result) -> list[Shown]:
    """What is to be looked at: worst and best frames, most wrong labels, or some of all."""
    groups = [
        Shown("Worst frames", summary.rule, _numbers(summary.worst)),
        Shown("Best frames", summary.rule, _numbers(summary.best)),
    ]
    if summary.truth is not None:
        groups.append(Shown("Most wrong labels", "Frames in which the most labels differ from the "
                            "ground truth.", summary.truth.most_wrong[:MOST_WRONG]))
    groups = [group for group in groups if group.frames]
    numbers = result.frames.keys.get("frame", np.zeros(0, int)).tolist()
    if not summary.worst and numbers:
        groups.insert(0, Shown("Frames", "Evenly chosen, as no metrics say which are good.",
                               tuple(evenly_chosen(numbers, PLAIN))))
    return groups


def montage_frames(result: Result) -> list[int]:
    """Numbers of the frames of the montage."""
    return evenly_chosen(result.frames.keys.get("frame", np.zeros(0, int)).tolist(), MONTAGE)


def wanted_widths(groups: Sequence[Shown], montage: Sequence[int]) -> dict[int, int]:
    """Frame number -> width that its pictures need."""
    widths = dict.fromkeys(montage, MONTAGE_WIDTH)
    return widths | {n: WIDTH for group in groups for n in group.frames}


def frames_section(
    groups: Sequence[Shown], pictures: Pictures, result: Result, time: Axis
) -> str:
    """The pictures of the groups; a frame that is in several is drawn in the first one."""
    notes = "".join(f'<p class="small soft wrap">{escape(note)}</p>' for note in pictures.notes)
    parts, drawn = [], set()
    for group in groups:
        cards = []
        for n in group.frames:
            if n in drawn:
                cards.append(f'<p class="small soft"><a href="#frame{n}">frame {n}</a>, shown '
                             "above</p>")
            elif n in pictures.frames:
                cards.append(_card(n, pictures.frames[n], result, time))
                drawn.add(n)
        if cards:
            parts.append(f'<h2>{escape(group.title)}</h2><p class="small soft">'
                         f"{escape(group.text)}</p>{''.join(cards)}")
    if not parts:
        parts = ["<h2>Frames</h2><p>There is no picture to show.</p>"]
    tail = ('<p class="small soft">Corners mark where the model looked for an entity: evidence for '
            "the label, not a detection box. A click on a small picture shows it large.</p>"
            if drawn else "")
    head, *rest = parts
    sections = "".join(f"<section>{part}</section>" for part in rest)
    return f'<section id="frames">{head}{notes}{tail}</section>{sections}'


def _card(index: int, frame: FramePictures, result: Result, time: Axis) -> str:
    array = frame.array
    row = int(np.flatnonzero(result.frames.keys["frame"] == index)[0])
    fused = frame.fused.copy()
    if fused.shape[0] * array.width == fused.shape[1] * array.height:
        draw_regions(fused, drawn_labels(array.present(), array.width, array.height),
                     (array.width, array.height), entity_colours(result.run.entities))
    stamp = f"{array.stamp // 10**9}.{array.stamp % 10**9:09d}"
    values = " · ".join(
        f"{COLUMNS[m].title} {number(float(column[row]), COLUMNS[m].decimals)}" for m in TELLING
        if (column := result.frames.values.get(metric_column("ours", m))) is not None
        and np.isfinite(column[row]))
    labels = ", ".join(f"{label.name} {label.score:.2f}" for label in array.present())
    gap = (array.thermal_stamp - array.visible_stamp) / 1e6
    wide = fused.shape[1]

    def side(name: str, picture: np.ndarray) -> str:
        alt = f"{name} image of frame {index}"
        return (f'<button type="button"><span class="caption small soft">{name}</span>'
                f'<img alt="{alt}" src="{jpeg_url(picture, SIDE_WIDTH)}"></button>')

    return (
        f'<article class="frame" id="frame{index}"><h3>Frame {index} · '
        f"{time.seconds[row]:.2f} s · stamp {stamp}</h3>"
        f'<p class="small soft wrap">{escape(values) or "not scored"} · thermal {gap:+.1f} ms<br>'
        f'{escape(labels) or "no entity present"}</p>'
        f'<div class="trio" style="--wide:{wide}px"><figure class="large">'
        f'<figcaption>Fused</figcaption><img alt="Fused image of frame {index}, with the regions '
        f'of its labels" src="{jpeg_url(fused, WIDTH, 88)}" width="{wide}" '
        f'height="{fused.shape[0]}"></figure><div class="side">{side("Thermal", frame.thermal)}'
        f'{side("Visible", frame.visible)}</div></div></article>')


def montage_section(montage: Montage | None) -> tuple[str, dict[str, str]]:
    """The section, and what the page's script needs for it; empty without a montage."""
    if montage is None:
        return "", {}
    size = montage.path.stat().st_size
    name = escape(montage.path.name)
    where = (f'<p class="small soft">Frames at equal distances over the whole replay, {MONTAGE} at '
             f'most: <a href="{name}">{name}</a>, {size / 1e6:.1f} MB, beside this page. '
             f"{escape(montage.note)}</p>")
    embedded = montage.kind == "image/webp" and size <= EMBEDDED_MONTAGE
    play = ('<button id="play" type="button" hidden>Play</button>' if embedded else "")
    data = ({"montage": data_url(montage.kind, montage.path.read_bytes())} if embedded else {})
    html = (
        f'<section><h2>Montage</h2>{where}{play}<div class="montage"><img id="montage" '
        'alt="Thermal, visible and fused image side by side, with the labels below" '
        f'src="{jpeg_url(montage.still, montage.still.shape[1], 85)}" '
        f'width="{montage.still.shape[1]}" height="{montage.still.shape[0]}"></div></section>')
    return html, data


def _numbers(picks: Sequence[FramePick]) -> tuple[int, ...]:
    return tuple(pick.frame for pick in picks)
