"""What became of each single frame, as far as it is known."""

from __future__ import annotations

from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.report.recording import Recording, Sendings
from egmt_ros.evaluation.report.summary import InputAccount

FUSED = "fused"
NOT_FUSED = "not fused"  # which of the outcomes it was is known only as a total


def frame_fates(
    recording: Recording, inputs: dict[str, InputAccount]
) -> dict[str, list[str]]:
    """Side -> fate of each sent frame, in order of sending.

    A frame whose stamp a label array carries was fused. For the others the node keeps totals
    only: where one outcome alone accounts for all of them it is theirs, otherwise ``NOT_FUSED``.
    """
    fates = {}
    for side in SIDES:
        fused = _fused_frames(recording, side)
        rest = len(recording.sent[side]) - len(fused)
        outcomes = inputs[side].not_fused()
        other = NOT_FUSED
        if len(outcomes) == 1 and rest in outcomes.values():
            other = next(iter(outcomes))
        fates[side] = [
            FUSED if index in fused else other for index in range(len(recording.sent[side]))
        ]
    return fates


def _fused_frames(recording: Recording, side: str) -> set[int]:
    """Indices of the sent frames that a label array names."""
    return {index for index in _sent_index(recording, side) if index is not None}


def _sent_index(recording: Recording, side: str) -> list[int | None]:
    """For each label array the index of the sent frame that it names, None if there is none."""
    sendings = Sendings(recording.sent[side])
    return [
        sendings.index(
            array.thermal_stamp if side == "thermal" else array.visible_stamp, array.received)
        for array in recording.arrays
    ]


def send_times(recording: Recording) -> dict[str, list[float]]:
    """Side -> seconds of the replay at which each frame was sent, from the first one of all."""
    begin = min((frame.time for side in SIDES for frame in recording.sent[side]), default=0)
    return {side: [(f.time - begin) / 1e9 for f in recording.sent[side]] for side in SIDES}


def array_times(recording: Recording) -> list[float]:
    """Seconds of the replay at which the visible frame of each label array was sent."""
    times = send_times(recording)["visible"]
    return [0.0 if index is None else times[index]
            for index in _sent_index(recording, "visible")]
