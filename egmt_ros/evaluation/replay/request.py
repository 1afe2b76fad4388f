"""What `egmt evaluate bag` is asked for, offline and live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class ReplayRequest:
    """A bag to evaluate.

    Attributes:
        bag: rosbag2 folder, .mcap, .db3, or ROS 1 .bag file.
        out: Folder for the results.
        thermal_topic, visible_topic: None: found by type and name.
        params_file: Parameters of the node, YAML as for the node; None: config/fusion.yaml.
        parameters: Set over the file, by full name.
        methods: To score beside "ours", of `fusion.classical.METHODS`; empty with `metrics` False.
        metrics: Whether fused images are scored at all.
        metrics_every: Score each so many-th fused frame.
        truth_topic: EntityLabelArray topic with what is really there; None: found, "": none.
        truth_file: Annotation file instead of a topic.
        jobs: Processes for the metrics.
        resume: Go on with what an interrupted run left in `out`.
        overwrite: Replace what an earlier evaluation left in `out`.
        progress: Show a progress bar.
    """

    bag: Path
    out: Path
    thermal_topic: str | None = None
    visible_topic: str | None = None
    params_file: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ("thermal", "visible", "max", "mean", "laplacian", "gff")
    metrics: bool = True
    metrics_every: int = 1
    truth_topic: str | None = None
    truth_file: Path | None = None
    jobs: int = 1
    resume: bool = False
    overwrite: bool = False
    progress: bool = True
