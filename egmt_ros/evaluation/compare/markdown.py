"""A comparison as Markdown, for a terminal or a merge request."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from egmt_ros.evaluation.compare.comparison import Comparison
from egmt_ros.evaluation.compare.figures import (
    BETTER,
    NEUTRAL,
    ONE_VALUE,
    SAME,
    UNCLEAR,
    UNMEASURED,
    WORSE,
    Compared,
)

NAMED = 12
"""Most names of figures of single entities in a list; more are only counted."""
HEADER = "| | A | B | B - A | 95 % interval | change | frames |\n|---|--:|--:|--:|:-:|--:|--:|"


def markdown(found: Comparison) -> str:
    """Everything that a reader needs, what decides first."""
    listed = {
        verdict: [f for f in found.figures if f.verdict == verdict]
        for verdict in (BETTER, WORSE, UNCLEAR, NEUTRAL, SAME, UNMEASURED)
    }
    parts = [
        f"# B against A\n\nA: `{found.a}`  \nB: `{found.b}`",
        _setup(found),
        _frames(found),
        _in_short(listed),
    ]
    if found.outcomes:
        parts.append(_gates(found))
    parts += [
        f"## Better in B\n\n{_table(listed[BETTER])}",
        f"## Worse in B\n\n{_table(listed[WORSE])}",
        f"## Cannot be told\n\n{_table_and_names(listed[UNCLEAR], False)}",
        f"## Differs without a verdict\n\n{_table_and_names(listed[NEUTRAL], True)}",
    ]
    same = [f for f in listed[SAME] if f.measured.a or not f.name.startswith("unused.")]
    if same:
        parts.append(f"## The same in both\n\n{_names(same)}.")
    if listed[UNMEASURED]:
        parts.append(f"## Not measured\n\n{_reasons(listed[UNMEASURED])}")
    parts.append(_footer(found))
    return "\n\n".join(parts) + "\n"


def _setup(found: Comparison) -> str:
    lines = ["## What differs"]
    if found.differences:
        rows = [f"| {_cell(d.what)} | {_cell(d.a)} | {_cell(d.b)} |" for d in found.differences]
        lines.append("\n".join(["| | A | B |", "|---|---|---|", *rows]))
    else:
        lines.append("Nothing in the set-ups.")
    cautions = [*found.warnings, *found.notes]
    if cautions:
        lines.append("\n".join(f"- {sentence}" for sentence in cautions))
    return "\n\n".join(lines)


def _frames(found: Comparison) -> str:
    frames = found.frames
    text = f"Frames: {frames.matched} matched by their stamps"
    text += f", {frames.only_a} in A alone, {frames.only_b} in B alone"
    if frames.partners:
        text += f" ({frames.partners} of them have a stamp that A has too, with another partner)"
    return text + "."


def _in_short(listed: dict[str, list[Compared]]) -> str:
    said = [f"{word} in {_names(listed[word], 0) or 'nothing'}" for word in (BETTER, WORSE)]
    return f"In short: B is {'; '.join(said)}; {len(listed[UNCLEAR])} cannot be told."


def _gates(found: Comparison) -> str:
    rows = [
        f"| `{_cell(o.gate)}` | {'**failed**' if o.failed else 'passed'} | {_cell(o.reason)} |"
        for o in found.outcomes
    ]
    return "\n".join(["## Gates", "", "| fail if | | |", "|---|---|---|", *rows])


def _table(figures: Sequence[Compared]) -> str:
    return "\n".join([HEADER, *map(_row, figures)]) if figures else "Nothing."


def _table_and_names(figures: Sequence[Compared], moved_alone: bool) -> str:
    """A table of the overall figures, and of the others that moved; the rest by name."""
    shown = [f for f in figures if f.moved or not (moved_alone or _of_one_entity(f))]
    named = [f for f in figures if f not in shown]
    if not shown and not named:
        return "Nothing."
    text = _table(shown) if shown else ""
    if not named:
        return text
    return f"{text}\n\nThe interval holds 0, or is missing: {_names(named)}.".strip()


def _of_one_entity(figure: Compared) -> bool:
    parts = figure.name.split(".")
    return len(parts) > {"labels": 2, "switches_per_minute": 1}.get(parts[0], len(parts))


def _row(figure: Compared) -> str:
    found, interval, change = figure.measured, figure.measured.difference, figure.difference
    assert interval is not None and change is not None
    digits = 0 if found.exact else _digits(change, interval.low, interval.high)
    a, b = ("" if value is None else f"{value:.{digits}f}" for value in (found.a, found.b))
    if found.exact:
        bounds = "exact"
    elif np.isfinite(interval.low):
        bounds = f"{_signed(interval.low, digits)} to {_signed(interval.high, digits)}"
    else:
        bounds = "one value" if found.reason == ONE_VALUE else "too few"
    percent = "" if figure.percent is None else f"{_percent(figure.percent)} %"
    count = "" if found.exact or found.reason == ONE_VALUE else str(interval.count)
    title = _cell(f"{figure.title} (`{figure.name}`)")
    cells = [title, a, b, _signed(change, digits), bounds, percent, count]
    return f"| {' | '.join(cells)} |"


def _digits(*values: float) -> int:
    """Decimals that show two digits of the middle one by size."""
    sizes = sorted(abs(v) for v in values if np.isfinite(v))
    size = sizes[len(sizes) // 2]
    return int(np.clip(1 - np.floor(np.log10(size)), 0, 8)) if size else 0


def _signed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"


def _percent(value: float) -> str:
    return f"{value:+.3g}" if abs(value) >= 5e-4 else "0"


def _names(figures: Sequence[Compared], most: int = NAMED) -> str:
    """What is not of a single entity by name, the others too if they are at most so many."""
    single = [f for f in figures if _of_one_entity(f)]
    named = figures if len(single) <= most else [f for f in figures if f not in single]
    words = [f"`{f.name}`" for f in named]
    if len(single) > most:
        words.append(f"{len(single)} of single entities")
    return ", ".join(words)


def _reasons(figures: Sequence[Compared]) -> str:
    reasons: dict[str, list[Compared]] = {}
    for figure in figures:
        reasons.setdefault(figure.measured.reason, []).append(figure)
    return "\n".join(f"- {reason}: {_names(named)}" for reason, named in reasons.items())


def _footer(found: Comparison) -> str:
    judged = [f for f in found.figures if f.verdict in (BETTER, WORSE, UNCLEAR)]
    tried = sum(not f.measured.exact for f in judged)
    text = (
        f"Intervals: moving-block bootstrap of the matched frames, {found.draws.resamples}"
        f" resamples, seed {found.draws.seed}. Better and worse: the interval leaves out 0; of"
        f" {tried} figures about {round(tried / 20)} would do so by chance between equal runs."
        " Units are those of gates."
    )
    if any(f.name.startswith("timing.") for f in judged):
        text += (
            " Times, and what a live node drops and takes, are of one run each: what else the"
            " machine did meanwhile is not in their intervals."
        )
    return text


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
