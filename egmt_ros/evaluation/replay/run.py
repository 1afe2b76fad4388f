"""What a replay was, and what became of its frames: run.json, written by whoever replayed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from egmt_ros.errors import DataError
from egmt_ros.pipeline.whole_files import write_whole

RUN = "run.json"
FORMAT = 1


@dataclass(frozen=True)
class Run:
    """All that is known of a replay besides its tables.

    Attributes:
        kind: "offline" or "live".
        complete: The whole bag was evaluated; otherwise the tables hold what came before the end.
        created: UTC time, ISO 8601.
        bag: What was replayed: "path", "storage", "sha256" (of the messages that were used),
            "duration_s", "size_bytes", "messages" (topic -> count).
        topics: Role ("thermal", "visible", "truth", "image", "entities", "vocabulary") -> "name",
            "type", and for inputs "how" it was found.
        parameters: Every parameter of the node, by full name.
        changed: Those of them that differ from the default.
        model: "model_id", "weights", "weights_sha256", "runtime", "device", "threads",
            "text_encoder", "vocabulary_hash".
        entities: Vocabulary, in order.
        thresholds: Entity -> score from which it counts as present in this run, 0..1.
        account: Side -> counter ("sent", "lost", "received", outcomes, "in_flight",
            "<outcome>.<reason>") -> frames.
        methods: Methods that were scored, "ours" first; empty without metrics.
        metrics_every: Each so many-th fused frame was scored.
        seconds: Stage -> s in all ("wall", "fuse", "metrics", ...).
        live: What only a live replay knows (latencies, rates, search for the highest rate, process
            figures); None offline.
        versions, machine: Facts to tell one run from another.
        problems: What went wrong or does not add up, one sentence each.
        notes: What a reader should know.
    """

    kind: str
    complete: bool
    created: str
    bag: dict[str, Any]
    topics: dict[str, dict[str, str]]
    parameters: dict[str, Any]
    changed: dict[str, Any]
    model: dict[str, Any]
    entities: tuple[str, ...]
    thresholds: dict[str, float]
    account: dict[str, dict[str, int]]
    methods: tuple[str, ...] = ()
    metrics_every: int = 1
    seconds: dict[str, float] = field(default_factory=dict)
    live: dict[str, Any] | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def save(self, folder: Path) -> None:
        """Write run.json, whole or not at all.

        Raises:
            DataError: It cannot be written.
        """
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2, allow_nan=False)
        write_whole(folder / RUN, f"{text}\n".encode())


def load_run(folder: Path) -> Run:
    """Read run.json.

    Raises:
        DataError: The folder is no evaluation, or of another format.
    """
    path = folder / RUN
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder} is no evaluation of a bag (it has no {RUN}); expected a folder that"
            " `egmt evaluate bag BAG --out FOLDER` made"
        ) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); evaluate the bag again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataError(
            f"{path} has format {found!r}; expected {FORMAT}: evaluate the bag again with this"
            " version"
        )
    names = {f.name for f in fields(Run)}
    known = {k: v for k, v in content.items() if k in names}
    for name in ("entities", "methods", "problems", "notes"):
        known[name] = tuple(known.get(name, ()))
    try:
        return Run(**known)
    except TypeError as error:
        raise DataError(f"{path} lacks a field ({error}); evaluate the bag again") from error
