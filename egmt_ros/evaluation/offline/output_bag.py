"""The bag of a replay: fused images, label arrays and the vocabulary, written by a thread."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bag_types import header_message, image_message, typestore
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.live.topics import output_topics
from egmt_ros.node_core import outgoing
from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.parameter_file import NODE_NAME
from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.results import FusionResult

ROLES = ("image", "entities", "vocabulary")
TOPICS = {role: output_topics(NODE_NAME)[role] for role in ROLES}
"""Role -> topic, as the node names it."""

WAITING = 4
"""Results that wait to be written, at most."""


class Recorded(NamedTuple):
    """The image and the label array of a result, CDR bytes."""

    image: bytes
    entities: bytes


class OutputBag:
    """Takes results and writes them, in order; a context manager, which finishes the bag.

    A bag that an exception interrupts is finished as well: what is in it stays. Bag times are those
    at which the pairs were released, on the clock of the bag that is replayed.

    Args:
        path: Folder to make.
        model: What made the labels.
        parameters: Of output and entities.

    Raises:
        BagError: It cannot be made.
    """

    def __init__(self, path: Path, model: ModelIdentity, parameters: FusionParameters) -> None:
        self._model = model
        self._entities = parameters.entities
        self._reference = Side(parameters.output.reference)
        types = typestore().types
        self._types = SimpleNamespace(
            EntityLabel=types["egmt_msgs/msg/EntityLabel"],
            EntityLabelArray=types["egmt_msgs/msg/EntityLabelArray"],
            EntityVocabulary=types["egmt_msgs/msg/EntityVocabulary"],
            RegionOfInterest=types["sensor_msgs/msg/RegionOfInterest"],
            Time=types["builtin_interfaces/msg/Time"],
        )
        self._announced = False
        self._last = -(2**63)
        self._failed: BagError | None = None
        self._queue: queue.Queue[tuple[Any, Future[float]] | None] = queue.Queue(WAITING)
        self._writer = BagWriter(path)
        self._writer.__enter__()
        for topic in TOPICS.values():
            self._writer.add_topic(topic.name, topic.msgtype, latched=topic.latched)
        self._thread = threading.Thread(target=self._write_all, name="bag writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> OutputBag:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if self._failed is None:
            self._writer.__exit__(None, None, None)
        elif kind is None:  # left as it is: --resume reads what could be written
            raise self._failed

    def put(self, result: FusionResult | Recorded, item: Pair | Single) -> Future[float]:
        """Have a result written; waits while many are.

        Args:
            result: Of the engine, or as an earlier run recorded it.
            item: What it was made of.

        Returns:
            Milliseconds that writing took, once it is written.

        Raises:
            BagError: An earlier one could not be written.
        """
        if self._failed is not None:
            raise self._failed
        written: Future[float] = Future()
        self._queue.put(((result, item), written))
        return written

    def _write_all(self) -> None:
        while (entry := self._queue.get()) is not None:
            (result, item), written = entry
            begun = time.perf_counter()
            try:
                if self._failed is None:
                    self._write(result, item)
                    written.set_result(1e3 * (time.perf_counter() - begun))
                    continue
            except BagError as error:
                self._failed = error
            except Exception as error:
                self._failed = BagError(f"the bag cannot be written: {error!r}")
            written.set_exception(self._failed)

    def _write(self, result: FusionResult | Recorded, item: Pair | Single) -> None:
        frame = reference_frame(item, self._reference)
        header = frame.payload.header
        at = self._last = max(item.released, self._last + 1)  # no two are of the same time
        if not self._announced:
            self._announced = True
            self._put("vocabulary", at, self._vocabulary(header.stamp))
        if isinstance(result, Recorded):
            image, entities = result
        else:
            image = image_message(result.image, frame.stamp, header.frame_id)
            entities = outgoing.label_array(
                self._types,
                result,
                header=header,
                stamps={each.side: each.payload.header.stamp for each in item.frames},
                model=self._model,
                entities=self._entities,
            )
        self._put("image", at, image)
        self._put("entities", at, entities)

    def _vocabulary(self, stamp: Any) -> Any:
        header = header_message(0, "")
        header.stamp = stamp
        message = outgoing.vocabulary(self._types, self._model, header)
        message.thresholds = np.array(message.thresholds, np.float32)
        return message

    def _put(self, role: str, at: int, message: Any) -> None:
        name = TOPICS[role].name
        if isinstance(message, (bytes, memoryview)):
            self._writer.write_raw(name, at, message)
        else:
            self._writer.write(name, at, message)


def reference_frame(item: Pair | Single, reference: Side) -> Any:
    """The frame whose stamp and frame_id the output has: the reference's, or the only one."""
    frames = {frame.side: frame for frame in item.frames}
    return frames.get(reference, item.frames[0])


def topics_of_run() -> Mapping[str, dict[str, str]]:
    """Role -> name and type, as in `Run.topics`."""
    return {role: {"name": t.name, "type": t.msgtype} for role, t in TOPICS.items()}
