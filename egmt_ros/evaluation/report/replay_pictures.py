"""Pictures of chosen frames of an evaluated bag, read in one pass of each bag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from egmt_ros.errors import BagError, InputError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.live.cdr import header_stamp
from egmt_ros.evaluation.replay.result import OUTPUT_BAG, Result
from egmt_ros.evaluation.report.pictures import FramePictures, display_view
from egmt_ros.evaluation.report.recording import Label, LabelArray, label_array
from egmt_ros.pipeline.compressed import CompressedView
from egmt_ros.pipeline.message_view import message_view

IMAGE_TOPIC = "/egmt_fusion/output/image"
ENTITIES_TOPIC = "/egmt_fusion/output/entities"


@dataclass(frozen=True)
class Pictures:
    """What could be read.

    Attributes:
        frames: Number of the frame -> pictures; a camera's picture that could not be had is black.
        notes: What could not be had and why, one sentence each.
    """

    frames: dict[int, FramePictures]
    notes: tuple[str, ...]


def load_replay_pictures(result: Result, widths: Mapping[int, int]) -> Pictures:
    """Read frames of an evaluation; of frames with equal stamps the first one is taken.

    Args:
        result: Of the evaluation; its output bag and the bag that was replayed are read.
        widths: Frame number -> pixels to which its pictures are scaled down where they are wider.
    """
    rows = {int(n): i for i, n in enumerate(result.frames.keys.get("frame", ()))}
    rows = {number: rows[number] for number in widths if number in rows}
    keys = result.frames.keys
    wanted: dict[str, dict[int, int]] = {"thermal": {}, "visible": {}, "image": {}}
    for number, row in rows.items():
        for role, key in (("thermal", "thermal_stamp"), ("visible", "visible_stamp"),
                          ("image", "stamp")):
            stamp = int(keys[key][row])
            wanted[role][stamp] = max(wanted[role].get(stamp, 0), widths[number])
    ranges = _thermal_ranges(result, list(rows.values()))
    topics = {role: topic.get("name", "") for role, topic in result.run.topics.items()}
    notes: list[str] = []
    cameras = {topics[side]: side for side in ("thermal", "visible") if topics.get(side)}
    found = _read(Path(result.run.bag.get("path", "")), cameras, wanted, ranges, notes)
    outputs = {topics.get("image", IMAGE_TOPIC): "image",
               topics.get("entities", ENTITIES_TOPIC): "entities"}
    found |= _read(result.folder / OUTPUT_BAG, outputs, wanted, {}, notes)
    frames = {}
    for number, row in rows.items():
        stamps = {name: int(keys[name][row])
                  for name in ("stamp", "thermal_stamp", "visible_stamp")}
        fused = found.get(("image", stamps["stamp"]))
        if fused is None:
            continue
        black = np.zeros_like(fused)
        size = tuple(int(_cell(result, name, row) or side)
                     for name, side in (("width", fused.shape[1]), ("height", fused.shape[0])))
        array = found.get(("entities", stamps["stamp"])) or LabelArray(
            **stamps, width=size[0], height=size[1], model_id="", labels=_labels(result, row))
        frames[number] = FramePictures(
            array, found.get(("thermal", stamps["thermal_stamp"]), black),
            found.get(("visible", stamps["visible_stamp"]), black), fused)
    missing = len(rows) - len(frames)
    if missing and not notes:
        notes.append(f"Of {missing} frames the fused image is not in the output bag.")
    return Pictures(frames, tuple(notes))


def _read(
    path: Path, roles: Mapping[str, str], wanted: Mapping[str, Mapping[int, int]],
    ranges: Mapping[int, tuple[float, float]], notes: list[str],
) -> dict[tuple[str, int], Any]:
    """(role, stamp) -> picture or label array, of one pass; what went wrong is added to notes."""
    found: dict[tuple[str, int], Any] = {}
    arrays = wanted["image"]
    missing = sum(len(wanted.get(role, arrays)) for role in roles.values())
    try:
        with BagSource(path) as source:
            there = {topic.name for topic in source.topics}
            for topic, msgtype, _, data in source.messages([t for t in roles if t in there]):
                role = roles[topic]
                stamp = header_stamp(data)
                if stamp not in wanted.get(role, arrays) or (role, stamp) in found:
                    continue
                message = source.deserialize(data, msgtype)
                if role == "entities":
                    found[role, stamp] = label_array(message)
                else:
                    picture = _display(message, ranges.get(stamp) if role == "thermal" else None)
                    found[role, stamp] = narrowed(picture, wanted[role][stamp])
                missing -= 1
                if not missing:
                    break
    except (BagError, InputError, OSError, ValueError) as error:
        notes.append(f"Pictures of {path} are missing: {error}")
    return found


def _display(message: Any, limits: tuple[float, float] | None) -> np.ndarray:
    """An image for the eye, (H, W, 3) uint8 BGR; a measured one between the limits that ran."""
    view = message_view(message)
    if isinstance(view, CompressedView):
        view = view.decoded()
    return display_view(view, limits)


def narrowed(picture: np.ndarray, width: int) -> np.ndarray:
    """The picture scaled down to at most that width; as it is where it is no wider."""
    if picture.shape[1] <= width:
        return np.ascontiguousarray(picture)
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _thermal_ranges(result: Result, rows: list[int]) -> dict[int, tuple[float, float]]:
    ranges = {}
    for row in rows:
        low, high = (_cell(result, name, row) for name in ("thermal_low", "thermal_high"))
        if low is not None and high is not None and high > low:
            ranges[int(result.frames.keys["thermal_stamp"][row])] = (low, high)
    return ranges


def _cell(result: Result, column: str, row: int) -> float | None:
    values = result.frames.values.get(column)
    return float(values[row]) if values is not None and np.isfinite(values[row]) else None


def _labels(result: Result, row: int) -> tuple[Label, ...]:
    """From the table, without regions: for a frame of which the bag holds no label array."""
    found = []
    for name in result.run.entities:
        column = result.scores.values.get(name)
        if column is not None and np.isfinite(column[row]):
            score = float(column[row])
            found.append(Label(name, score, score >= result.run.thresholds[name]))
    return tuple(sorted(found, key=lambda label: -label.score))


