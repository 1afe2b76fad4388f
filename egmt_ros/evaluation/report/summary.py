"""The numbers of a replay: account of every frame, latencies, rates, labels.

    sent     = received + lost
    received = fused + unpaired + superseded + rejected + inactive + disabled + passthrough
               + in_flight

``sent`` is counted by the player, ``received`` and its parts by the node; ``lost`` is what is
left between them. So what can be checked is that no more was received than sent, that the
outcomes add up, that none is open at the end, and that the player wrote down what it counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.evaluation.distribution import Distribution
from egmt_ros.evaluation.live.account import COUNTERS, OUTCOMES, SIDES
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.plain_json import plain
from egmt_ros.evaluation.report.agreement import Agreement, agreement_with_truth
from egmt_ros.evaluation.report.facts import machine, versions
from egmt_ros.evaluation.report.recording import LabelArray, Recording, Sendings


@dataclass(frozen=True)
class InputAccount:
    """Where the frames of one input went."""

    topic: str
    sent: int
    received: int
    lost: int
    fused: int
    unpaired: int
    superseded: int
    rejected: int
    inactive: int
    disabled: int
    passthrough: int
    in_flight: int
    rejected_reasons: dict[str, int] = field(default_factory=dict)

    def problems(self) -> list[str]:
        """What does not add up; empty if all does."""
        found = []
        if self.lost < 0:
            found.append(f"{self.topic}: received {self.received} of {self.sent} sent frames")
        parts = sum(getattr(self, name) for name in (*OUTCOMES, "in_flight"))
        if parts != self.received:
            found.append(f"{self.topic}: received {self.received} frames, but the outcomes add up "
                         f"to {parts}")
        if self.in_flight:
            found.append(f"{self.topic}: {self.in_flight} frames were in flight at the end")
        return found

    def not_fused(self) -> dict[str, int]:
        """Outcome -> frames, for every outcome but fused that occurred; lost included."""
        names = ("lost", *OUTCOMES[1:], "in_flight")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


@dataclass(frozen=True)
class Outputs:
    """What the node published and what the recorder got of it.

    Attributes:
        published: Fused pairs by the node's own count.
        images, label_arrays: Received by the recorder.
        stamps_intact: Every output carries the stamps of frames that were sent.
    """

    published: int
    images: int
    label_arrays: int
    stamps_intact: bool

    def notes(self) -> list[str]:
        """What the recorder did not get, so that the pictures and labels lack it."""
        missing = self.published - min(self.images, self.label_arrays)
        if missing <= 0:
            return []
        return [f"Of {self.published} fused pairs that the node published, the recorder received "
                f"{self.images} images and {self.label_arrays} label arrays."]

    def problems(self) -> list[str]:
        """What contradicts the node's account or the sent stamps; empty if nothing does."""
        found = []
        if max(self.images, self.label_arrays) > self.published:
            found.append(f"received {self.images} images and {self.label_arrays} label arrays, but "
                         f"the node counts {self.published} fused pairs")
        if not self.stamps_intact:
            found.append("an output carries a stamp that no sent frame has")
        return found


@dataclass(frozen=True)
class EntityStatistics:
    """How an entity was labelled over the replay.

    Attributes:
        name: Of the entity.
        frames_present: Fused frames in which it was present.
        mean_score: Over the frames whose array holds it, 0..1; None where none does.
        switches: How often it changed between present and absent from one frame to the next.
    """

    name: str
    frames_present: int
    mean_score: float | None
    switches: int


@dataclass(frozen=True)
class Summary:
    """Everything that summary.json holds.

    Attributes:
        created: UTC time, ISO 8601.
        consistent: There are no problems.
        problems: What does not add up, one sentence each.
        inputs: Side ("thermal", "visible") -> account of its frames.
        outputs: What came out of the node.
        latency_ms: Measurement -> distribution in ms, None where nothing was measured;
            "wait_for_partner" holds the node's own percentiles.
        rates_hz: "thermal", "visible" as sent, "fused" as received.
        labels: One entry for each entity, those seen most often first.
        agreement: With the ground truth; None where the bag has none.
        model, versions, machine, bag, session: Facts to tell one replay from another.
        notes: What a reader should know.
    """

    created: str
    consistent: bool
    problems: list[str]
    inputs: dict[str, InputAccount]
    outputs: Outputs
    latency_ms: dict[str, Distribution | dict[str, float] | None]
    rates_hz: dict[str, float]
    labels: list[EntityStatistics]
    agreement: Agreement | None
    model: dict[str, str]
    versions: dict[str, str]
    machine: dict[str, Any]
    bag: dict[str, Any]
    session: dict[str, Any]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; floats to 6 significant digits, not-a-number as None."""
        return plain(asdict(self))

    def save(self, path: Path) -> None:
        """Writes summary.json."""
        path.write_text(json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n",
                        encoding="utf-8")


def summarise(session: SessionResult, recording: Recording) -> Summary:
    """Puts the numbers of a replay together."""
    inputs = {side: _input_account(session, side) for side in SIDES}
    outputs = Outputs(
        published=inputs["visible"].fused, images=len(recording.images),
        label_arrays=len(recording.arrays), stamps_intact=_stamps_intact(recording))
    problems = [p for account in inputs.values() for p in account.problems()]
    problems += outputs.problems()
    problems += [
        f"{account.topic}: the player counts {account.sent} sent frames, but wrote down "
        f"{len(recording.sent[side])}"
        for side, account in inputs.items() if account.sent != len(recording.sent[side])]
    if not session.drained:
        problems.append("the session ended while frames were still coming or in flight")
    if not session.account:
        problems.append("the node sent no diagnostics, its account is unknown")
    model = {k: v for k, v in session.diagnostics.get("model", {}).items() if k in _MODEL_KEYS}
    model.setdefault("model_id", recording.vocabulary.model_id)
    return Summary(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        consistent=not problems, problems=problems, inputs=inputs, outputs=outputs,
        latency_ms=_latencies(session, recording), rates_hz=_rates(recording),
        labels=entity_statistics(recording),
        agreement=agreement_with_truth(recording.arrays, recording.truth, recording.vocabulary),
        model={**model, "text_encoder": recording.vocabulary.text_encoder,
               "vocabulary_hash": recording.vocabulary.vocabulary_hash},
        versions=versions(session.middleware), machine=machine(), bag=asdict(recording.bag),
        session={
            "rate": session.rate, "loops": session.loops, "drained": session.drained,
            "interrupted": session.interrupted, "node_exit": session.node_exit,
            "start_s": session.start_s, "play_s": session.play_s,
            "parameters": session.parameters,
        },
        notes=[*session.notes, *outputs.notes()])


_MODEL_KEYS = ("model_id", "device", "weights", "threads", "state")


def _input_account(session: SessionResult, side: str) -> InputAccount:
    topic = session.topics[side]
    counters = session.account.get(side, {})
    sent, received = session.sent.get(topic, 0), counters.get("received", 0)
    reasons = {k.split(".", 1)[1]: v for k, v in counters.items() if k.startswith("rejected.")}
    return InputAccount(
        topic=topic, sent=sent, lost=sent - received, rejected_reasons=reasons,
        **{name: counters.get(name, 0) for name in COUNTERS})


def _stamps_intact(recording: Recording) -> bool:
    """Every output carries the stamps of sent frames, and both outputs of a pair the same one."""
    known = {side: {frame.stamp for frame in recording.sent[side]} for side in SIDES}
    for array in recording.arrays:
        sources = (array.thermal_stamp, array.visible_stamp)
        if sources[0] not in known["thermal"] or sources[1] not in known["visible"]:
            return False
        if array.stamp not in sources:
            return False
    stamps = {stamp for stamp, _ in recording.images}
    if len(recording.images) == len(recording.arrays):
        return stamps == {array.stamp for array in recording.arrays}
    return stamps <= known["thermal"] | known["visible"]


def end_to_end(recording: Recording) -> dict[str, list[float]]:
    """Times from sending to receiving, ms, one for each fused image that came back.

    Returns:
        "reference_to_image": from the sending of the frame whose stamp the image carries;
        "last_frame_to_image": from the sending of the pair's later frame, so without the wait for
        the partner.
    """
    sendings = {side: Sendings(recording.sent[side]) for side in SIDES}
    by_stamp: dict[int, LabelArray] = {}
    for array in recording.arrays:
        by_stamp.setdefault(array.stamp, array)
    result: dict[str, list[float]] = {"reference_to_image": [], "last_frame_to_image": []}
    for stamp, received in recording.images:
        array = by_stamp.get(stamp)
        if array is None:
            continue
        thermal = sendings["thermal"].index(array.thermal_stamp, received)
        visible = sendings["visible"].index(array.visible_stamp, received)
        if thermal is None or visible is None:
            continue
        sent = {"thermal": recording.sent["thermal"][thermal].time,
                "visible": recording.sent["visible"][visible].time}
        reference = "visible" if stamp == array.visible_stamp else "thermal"
        result["reference_to_image"].append((received - sent[reference]) / 1e6)
        result["last_frame_to_image"].append((received - max(sent.values())) / 1e6)
    return result


def _latencies(
    session: SessionResult, recording: Recording
) -> dict[str, Distribution | dict[str, float] | None]:
    travel = end_to_end(recording)
    model = session.diagnostics.get("model", {})
    wait = {}
    for rank in ("p50", "p95", "p99"):
        try:
            wait[rank] = float(model.get(f"wait_ms_{rank}", ""))
        except ValueError:
            continue
    return {
        "processing": Distribution.of(recording.values.get("processing_time_ms", [])),
        "release_to_publish": Distribution.of(recording.values.get("pipeline_latency_ms", [])),
        "wait_for_partner": wait or None,
        "reference_to_image": Distribution.of(travel["reference_to_image"]),
        "last_frame_to_image": Distribution.of(travel["last_frame_to_image"]),
        "pair_gap": Distribution.of(
            [abs(value) for value in recording.values.get("pair_gap_ms", [])]),
    }


def _rates(recording: Recording) -> dict[str, float]:
    rates = {side: _rate([frame.time for frame in recording.sent[side]]) for side in SIDES}
    rates["fused"] = _rate([received for _, received in recording.images])
    return rates


def _rate(times: Sequence[int]) -> float:
    span = (max(times) - min(times)) / 1e9 if len(times) > 1 else 0.0
    return (len(times) - 1) / span if span > 0 else 0.0


def entity_statistics(recording: Recording) -> list[EntityStatistics]:
    """One entry for each entity of the vocabulary, those seen most often first."""
    names = list(recording.vocabulary.names)
    seen = {label.name for array in recording.arrays for label in array.labels}
    names += sorted(seen - set(names))
    result = []
    for name in names:
        found = [next((x for x in array.labels if x.name == name), None)
                 for array in recording.arrays]
        present = [bool(label and label.present) for label in found]
        scores = [label.score for label in found if label is not None]
        result.append(EntityStatistics(
            name, sum(present), float(np.mean(scores)) if scores else None,
            sum(a != b for a, b in zip(present, present[1:], strict=False))))
    return sorted(result, key=lambda entry: (-entry.frames_present, -(entry.mean_score or 0.0)))
