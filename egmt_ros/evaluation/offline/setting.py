"""What is replayed and with what, settled before the first message is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from egmt_ros.errors import ConfigError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import COMPRESSED_IMAGE
from egmt_ros.evaluation.offline.cameras import BagCameras, camera_info_topics
from egmt_ros.evaluation.replay.inputs import (
    Inputs,
    find_inputs,
    fitting_notes,
    fitting_parameters,
    recorded,
)
from egmt_ros.evaluation.replay.measuring import Measurer
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.model.checkpoint import read_info
from egmt_ros.node_core.parameter_file import check_names, read_parameter_file
from egmt_ros.node_core.parameters import FusionParameters, build
from egmt_ros.node_core.processing import Engine
from egmt_ros.pipeline.frames import Side
from egmt_ros.resources import config_path, weights_path


@dataclass(frozen=True)
class Setting:
    """What a replay works with.

    Attributes:
        inputs: The two image topics.
        values: Every parameter, as `inputs.recorded` has it.
        parameters: The same, checked, as the node has them.
        info_topics: Side -> camera_info topic; empty where none is needed.
        cameras: Keeps what these say.
        measurer: None without metrics.
        notes: What a reader should know.
    """

    inputs: Inputs
    values: dict[str, Any]
    parameters: FusionParameters
    info_topics: dict[Side, str]
    cameras: BagCameras
    measurer: Measurer | None
    notes: tuple[str, ...]

    @property
    def topics(self) -> dict[Side, str]:
        """Side -> image topic."""
        return {Side.THERMAL: self.inputs.thermal_topic, Side.VISIBLE: self.inputs.visible_topic}


def settle(request: ReplayRequest) -> Setting:
    """Find topics and parameters, and check what was asked for.

    Raises:
        BagError: The bag cannot be read, or lacks a topic.
        ConfigError: A parameter, a method or a number cannot be used.
    """
    for option, value in (("metrics-every", request.metrics_every), ("jobs", request.jobs)):
        if value < 1:
            raise ConfigError(f"--{option} is {value}; expected at least 1")
    measurer = Measurer(request.methods) if request.metrics else None
    inputs = find_inputs(request.bag, request.thermal_topic, request.visible_topic)
    given = settled_values(request, inputs)
    parameters = build(given)
    with BagSource(request.bag) as source:
        images = {Side.THERMAL: inputs.thermal_topic, Side.VISIBLE: inputs.visible_topic}
        info_topics = camera_info_topics(source, parameters.registration, images)
    fitted = {} if request.params_file else fitting_parameters(inputs)
    notes = fitting_notes({k: v for k, v in fitted.items() if k not in request.parameters})
    return Setting(
        inputs,
        recorded(given),
        parameters,
        info_topics,
        BagCameras(parameters.registration, info_topics),
        measurer,
        tuple(notes),
    )


def settled_values(request: ReplayRequest, inputs: Inputs) -> dict[str, Any]:
    """Parameters as the file, or what fits the images, and the request give them.

    The transport is that of the topics, as nothing else could be received.

    Raises:
        ConfigError: The file cannot be used, or a name is not known.
    """
    path = request.params_file or config_path("fusion.yaml")
    values = read_parameter_file(Path(path))
    if request.params_file is None:
        values.update(fitting_parameters(inputs))
    values.update(check_names(request.parameters, "--param"))
    for side, kind in (("thermal", inputs.thermal_type), ("visible", inputs.visible_type)):
        compressed = kind == COMPRESSED_IMAGE
        values[f"input.{side}.transport"] = "compressed" if compressed else "raw"
    return values


def model_facts(engine: Engine, parameters: FusionParameters) -> dict[str, Any]:
    """`Run.model` of an engine."""
    return {
        "model_id": engine.model_id,
        **weights_facts(parameters),
        "runtime": engine.runtime,
        "device": str(engine.device),
        "threads": torch.get_num_threads(),
        "text_encoder": engine.text_encoder,
        "vocabulary_hash": engine.vocabulary_hash,
    }


def weights_facts(parameters: FusionParameters) -> dict[str, str]:
    """Of `Run.model` what is of the weights alone: "weights", "weights_sha256"."""
    path = Path(parameters.model.weights) if parameters.model.weights else weights_path()
    return {"weights": str(path), "weights_sha256": read_info(path).sha256}


def effective_thresholds(engine: Engine, parameters: FusionParameters) -> dict[str, float]:
    """Entity -> score from which it counts as present."""
    wanted = parameters.entities.threshold
    return {
        name: float(own) if wanted < 0.0 else wanted
        for name, own in zip(engine.names, engine.thresholds, strict=True)
    }
