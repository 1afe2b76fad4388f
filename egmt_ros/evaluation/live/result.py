"""What a live session leaves behind; written as session.json, readable without ROS."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from egmt_ros.errors import DataError


@dataclass(frozen=True)
class SessionResult:
    """Files and facts of one replay.

    Attributes:
        folder: Where all of it lies.
        source_bag: The bag that was played.
        output_bag: The recorded bag.
        sent_csv: One row per sent message: topic, loop, stamp, bag_time, sent (monotonic ns).
        received_csv: One row per received message: topic, stamp, received (monotonic ns), wall
            (ns), value (Float64 topics).
        topics: Role (thermal, visible, image, entities, vocabulary, diagnostics, ground_truth, and
            names of debug topics) -> topic name.
        account: Side ("thermal", "visible") -> counter -> frames, from the node's last
            diagnostics; counters as in ``pipeline.accounting``, and ``<outcome>.<reason>``.
        diagnostics: The node's last diagnostics: status name -> key -> value.
        sent: Topic -> messages that the player sent.
        rate, loops: Of the replay.
        domain_id: ROS domain it ran in.
        drained: False if frames were still in flight at the end.
        interrupted: True if the replay was ended early.
        node_exit: Exit status of the node.
        start_s, play_s: Seconds until the node was active, and of the replay itself.
        middleware: RMW implementation.
        node_log: Log of the node.
        parameters: What was set for the node beyond its configuration file.
        notes: What a reader should know.
        damage: What is wrong with the bag where its end could not be played, otherwise "".
        readings: Of the node's process during the replay, as `process_meter.Reading` has them.
    """

    folder: Path
    source_bag: Path
    output_bag: Path
    sent_csv: Path
    received_csv: Path
    node_log: Path
    topics: dict[str, str]
    account: dict[str, dict[str, int]]
    diagnostics: dict[str, dict[str, str]]
    sent: dict[str, int]
    rate: float
    loops: int
    domain_id: int
    drained: bool
    interrupted: bool
    node_exit: int
    start_s: float
    play_s: float
    middleware: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    damage: str = ""
    readings: tuple[tuple[float, float, int, int], ...] = ()

    def save(self, path: Path) -> None:
        """Writes session.json."""
        data = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self).items()}
        path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> SessionResult:
        """Reads session.json.

        Raises:
            DataError: The file is missing, damaged or from another version.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            for name in ("folder", "source_bag", "output_bag", "sent_csv", "received_csv",
                         "node_log"):
                data[name] = Path(data[name])
            data["notes"] = tuple(data["notes"])
            data["readings"] = tuple(tuple(reading) for reading in data["readings"])
            return cls(**data)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is not a session's result ({error}). Run the replay again."
            ) from error
