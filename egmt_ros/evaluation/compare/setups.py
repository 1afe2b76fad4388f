"""What differs between two runs before any frame is looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from egmt_ros.evaluation.compare.matching import Pair
from egmt_ros.evaluation.replay.run import Run

NOTHING = "-"
_SOURCES = ("thermal.", "registration.", "input.")
"""Parameters that change the images which are fused, and which the metrics are held against."""
_EXECUTION = ("runtime", "device", "threads", "precision")


class Difference(NamedTuple):
    """A fact of the set-up that is not the same.

    Attributes:
        what: Such as "parameter thermal.range_mode" or "weights".
        a, b: In words; NOTHING where a run does not have it.
    """

    what: str
    a: str
    b: str


def differences(a: Run, b: Run) -> list[Difference]:
    """What differs, what matters most first; the time of the run is left out."""
    facts = _facts(a), _facts(b)
    named = dict.fromkeys((*facts[0], *facts[1]))
    rows = [(name, facts[0].get(name), facts[1].get(name)) for name in named]
    return [Difference(name, _words(x), _words(y)) for name, x, y in rows if not _same(x, y)]


def warnings(pair: Pair) -> list[str]:
    """What makes the two less comparable, one sentence each."""
    a, b = pair.whole_a.run, pair.whole_b.run
    found = []
    hashes = [run.bag.get("sha256") for run in (a, b)]
    if not all(hashes):
        found.append("The bags' hashes are not known, so the pictures may differ.")
    elif hashes[0] != hashes[1]:
        found.append(
            "The two were not made from the same messages (the bags' hashes differ): frames are"
            " matched by stamp all the same, but a difference may come from the pictures."
        )
    prepared = [
        name
        for name in dict.fromkeys((*a.parameters, *b.parameters))
        if name.startswith(_SOURCES) and a.parameters.get(name) != b.parameters.get(name)
    ]
    if prepared and a.methods and b.methods:
        found.append(
            f"Other {', '.join(prepared)}: the images differ before the fusion, and the metrics"
            " hold each fused image against its own sources: a difference may be that of the"
            " sources."
        )
    for label, run in (("A", a), ("B", b)):
        if not run.complete:
            found.append(f"{label} did not reach the end of its bag.")
        if run.problems:
            found.append(f"{label} has problems: {' '.join(run.problems)}")
    if a.kind != b.kind:
        found.append(f"A was replayed {a.kind}, B {b.kind}: times are not compared.")
    else:
        found += _speed_warnings(a, b)
    if a.entities != b.entities:
        found.append("The vocabularies differ: entities are compared that both have.")
    return found


def _speed_warnings(a: Run, b: Run) -> list[str]:
    found = []
    if a.machine != b.machine:
        found.append("The machines differ: times differ for that reason, too.")
    execution = [{k: run.model.get(k) for k in _EXECUTION} for run in (a, b)]
    unequal = [k for k in _EXECUTION if execution[0][k] != execution[1][k]]
    if unequal:
        found.append(f"Times are of another {' and '.join(unequal)}.")
    return found


def _facts(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {
        **{k.replace("_", " "): v for k, v in run.model.items()},
        **{f"parameter {k}": v for k, v in run.parameters.items()},
        "entities": list(run.entities),
        **{f"threshold of {k}": v for k, v in run.thresholds.items()},
        "replay": run.kind,
        "bag": run.bag.get("path"),
        "bag's sha256": run.bag.get("sha256"),
        **{f"{k} topic": v.get("name") for k, v in run.topics.items()},
        "methods": list(run.methods),
        "metrics every": run.metrics_every,
    }
    for title, given in (("version of", run.versions), ("machine,", run.machine)):
        facts |= {f"{title} {k}": v for k, v in _flat(given).items()}
    return facts


def _flat(given: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name} ")
        else:
            flat[f"{before}{name.replace('_', ' ')}"] = value
    return flat


def _same(a: Any, b: Any) -> bool:
    """Whether two facts agree; messages hold thresholds in single precision, files in double."""
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b or (a in (None, "") and b in (None, ""))


def _words(value: Any) -> str:
    if value in (None, ""):
        return NOTHING
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or NOTHING
    text = str(value)
    is_hash = len(text) >= 32 and all(c in "0123456789abcdef" for c in text)
    return text[:12] if is_hash else text
