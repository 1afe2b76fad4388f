"""What a fused frame was made of, rebuilt from the bag that was played, and its metrics.

The node does not publish what it fused: its own classes read and register the images once more,
with the same parameters and in the order of the fused frames. The recorded image is scored against
that. What was recorded goes into the output bag on the way, under the times of the bag that was
played.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.bag_types import IMAGE
from egmt_ros.evaluation.bags.bag_writer import BagWriter
from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.live.cdr import header_stamp
from egmt_ros.evaluation.live.outputs import Arrived, Fused, Recorded
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.live.topics import Checked
from egmt_ros.evaluation.offline.output_bag import TOPICS
from egmt_ros.evaluation.offline.progress import ReplayProgress
from egmt_ros.evaluation.offline.reading import Message, MessageStream
from egmt_ros.evaluation.offline.scoring import Scored, Scoring
from egmt_ros.evaluation.offline.setting import Setting
from egmt_ros.evaluation.replay.measuring import Metrics
from egmt_ros.node_core.parameters import nanoseconds
from egmt_ros.node_core.processing import FrameProcessor, PairRejected
from egmt_ros.pipeline.frames import Frame, Pair, Side
from egmt_ros.pipeline.image_pixels import visible_array
from egmt_ros.pipeline.image_view import image_view
from egmt_ros.pipeline.intake import Received
from egmt_ros.pipeline.message_view import message_view
from egmt_ros.pipeline.results import Sources

Range = tuple[float, float]


class Rebuilding:
    """Goes through both bags once.

    Args:
        setting: Inputs and parameters.
        session: Where the bags are.
        recorded: What came out.
        every: Score each so many-th frame.
        jobs: Processes for it.

    Attributes:
        ranges: Values shown black and white, of each frame; None where they are not known.
        metrics: Of each frame; None where it was not scored.
        order: (side, index among the sent) of the frames of the cameras, in bag order.
        sha256: Of the messages of the bag.
        seconds: Spent on metrics.
        partly, small: Frames that the thermal camera sees in part, and too small ones.
        refused: Why frames could not be rebuilt, and how many.
        damage: What is wrong with the bag where it cannot be read to its end.
    """

    def __init__(self, setting: Setting, session: SessionResult, recorded: Recorded, every: int,
                 jobs: int) -> None:
        self._setting = setting
        self._session = session
        self._recorded = recorded
        self._every = every
        self._jobs = jobs
        self._processor = FrameProcessor(None, setting.parameters, None, setting.cameras.pair)
        self._scoring: Scoring | None = None
        self._waiting: deque[tuple[int, Future[Scored]]] = deque()
        self.ranges: list[Range | None] = [None] * len(recorded.frames)
        self.metrics: list[Metrics | None] = [None] * len(recorded.frames)
        self.order: list[tuple[str, int]] = []
        self.sha256 = ""
        self.seconds = 0.0
        self.partly = self.small = 0
        self.refused: Counter[str] = Counter()
        self.damage = ""

    def run(self, out: Path, checked: Checked, asked_to_end: Callable[[], bool], *,
            progress: bool) -> None:
        """Rebuild and score; the output bag is ``out`` then.

        Args:
            out: Bag folder to make.
            checked: What else the bag has; its latched topics go into the output bag.
            asked_to_end: Score no more frames once this is true.
            progress: Show a progress bar.
        """
        setting, frames = self._setting, self._recorded.frames
        roles = {topic: side.value for side, topic in setting.topics.items()}
        roles |= {topic: f"{side.value}_info" for side, topic in setting.info_topics.items()}
        with ExitStack() as stack:
            if setting.measurer is not None:
                self._scoring = Scoring(setting.measurer, self._jobs)
                stack.callback(self._scoring.close)
            source = stack.enter_context(BagSource(self._session.source_bag))
            outputs = stack.enter_context(_OutputBag(out, self._session, source, checked))
            stream = MessageStream(source, roles)
            stack.callback(stream.close)
            bar = stack.enter_context(ReplayProgress(
                sum(map(len, self._recorded.sent.values())), show=progress))
            frame_number = 0
            for pair in self._pairs(stream):
                at = max(frame.arrival for frame in pair.frames)
                image = outputs.take(frames[frame_number], at)
                if not asked_to_end():
                    self._rebuild(frame_number, pair, image)
                frame_number += 1
                bar.update(frame_number)
            outputs.take_rest()
            self._collect(0)

    def _pairs(self, stream: MessageStream) -> Iterator[Pair]:
        """The pairs of the recorded frames, in their order, as far as the bag goes."""
        frames = iter(self._recorded.frames)
        frame = next(frames, None)
        needed = Counter(key for f in self._recorded.frames for key in f.sources.items())
        held: dict[tuple[str, int], Frame] = {}
        position = dict.fromkeys(SIDES, 0)
        for message in stream:
            self.sha256 = message.sha256
            if message.role not in position:
                if message.content is not None:
                    side = Side(message.role.removesuffix("_info"))
                    self._setting.cameras.take(side, message.content)
                continue
            key = message.role, position[message.role]
            position[message.role] += 1
            if key[1] >= len(self._recorded.sent[key[0]]):
                continue  # the playing ended before it
            self.order.append(key)
            if needed[key]:
                held[key] = _frame(message)
            while frame is not None and all(key in held for key in frame.sources.items()):
                thermal, visible = (held[side, frame.sources[side]] for side in SIDES)
                for key in frame.sources.items():
                    needed[key] -= 1
                    if not needed[key]:
                        del held[key]
                yield Pair(thermal, visible, 0, self._gap(thermal.stamp, visible.stamp))
                frame = next(frames, None)
        if stream.error is not None:
            self.damage = str(stream.error)

    def _gap(self, thermal: int, visible: int) -> int:
        return signed_gap(self._setting, thermal, visible)

    def _rebuild(self, number: int, pair: Pair, image: Any | None) -> None:
        try:
            sources = self._processor.sources(pair)
        except PairRejected as error:
            self.refused[str(error)] += 1
            return
        self.ranges[number] = float(sources.range.low), float(sources.range.high)
        if image is not None and number % self._every == 0:
            self._score(number, sources, image)

    def _score(self, number: int, sources: Sources, image: Any) -> None:
        if self._scoring is None:
            return
        images = self._setting.measurer.images(sources, image)
        if images is None:
            self.small += 1
            return
        self.partly += sources.outside is not None
        self._waiting.append((number, self._scoring.submit(images)))
        self._collect(2 * self._jobs)

    def _collect(self, most: int) -> None:
        """Takes metrics until at most so many frames wait for theirs."""
        while len(self._waiting) > most:
            number, future = self._waiting.popleft()
            scored = Scoring.result(future)
            self.metrics[number] = scored.metrics
            self.seconds += scored.ms / 1e3


def signed_gap(setting: Setting, thermal: int, visible: int) -> int:
    """Thermal minus visible stamp, both corrected by their offsets, ns."""
    sync = setting.parameters.sync
    return (thermal + nanoseconds(sync.thermal_offset)) - (
        visible + nanoseconds(sync.visible_offset))


def _frame(message: Message) -> Frame:
    if message.content is None:
        raise EgmtError(
            f"A {message.role} message of the bag that the node has fused cannot be read here; "
            "evaluate the bag without --live to have it named.")
    return Frame(Side(message.role), message.stamp, message.arrival,
                 Received(None, message.content.header, message_view(message.content)))


class _OutputBag:
    """Copies what was recorded, under the times of the bag that was played; a context manager."""

    def __init__(self, path: Path, session: SessionResult, source: BagSource,
                 checked: Checked) -> None:
        self._session = session
        self._stack = ExitStack()
        self._writer = BagWriter(path)
        self._latched = checked.latched
        self._source = source
        self._began = False

    def __enter__(self) -> _OutputBag:
        writer = self._stack.enter_context(self._writer)
        self._bag = self._stack.enter_context(BagSource(self._session.output_bag))
        images = self._stack.enter_context(BagSource(self._session.output_bag))
        for topic in TOPICS.values():
            writer.add_topic(topic.name, topic.msgtype, latched=topic.latched)
        self._copy_latched()
        self._queues = {"image": _Records(images, TOPICS["image"].name),
                        "entities": _Records(self._bag, TOPICS["entities"].name)}
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)

    def _copy_latched(self) -> None:
        own = {topic.name for topic in TOPICS.values()}
        latched = [topic for topic in self._latched if topic.name not in own]
        if not latched:
            return
        with BagSource(self._source.path) as source:
            for topic in latched:
                self._writer.add_topic(topic.name, topic.msgtype, qos=topic.qos, latched=True)
            names = [topic.name for topic in latched]
            for name, _, time, data in source.messages(names, partial=True):
                self._writer.write_raw(name, time, data)

    def take(self, frame: Fused, at: int) -> Any | None:
        """Copy the outputs of a frame as of bag time ``at``; its image, None where it is missing.
        """
        self._begin(at)
        data = self._move("image", frame.image, at)
        self._move("entities", frame.labels, at)
        if data is None:
            return None
        return visible_array(image_view(self._bag.deserialize(data, IMAGE)))

    def take_rest(self) -> None:
        """Copy all that is left."""
        for role, records in self._queues.items():
            for record in records:
                self._put_alone(role, record.data)

    def _begin(self, at: int) -> None:
        if self._began:
            return
        self._began = True
        topic = TOPICS["vocabulary"].name
        with BagSource(self._session.output_bag) as bag:
            for record in bag.messages([topic]):
                self._writer.write_raw(topic, at, record.data)

    def _move(self, role: str, arrived: Arrived | None, at: int) -> bytes | None:
        """Copy the message that arrived then, and before it those that belong to no frame."""
        if arrived is None:
            return None
        records = self._queues[role]
        while (record := records.next_until(arrived.wall)) is not None:
            if record.stamp == arrived.wall:
                self._writer.write_raw(TOPICS[role].name, at, record.data)
                return record.data
            self._put_alone(role, record.data)
        return None

    def _put_alone(self, role: str, data: bytes) -> None:
        stamp = header_stamp(data)
        self._begin(stamp)
        self._writer.write_raw(TOPICS[role].name, stamp, data)


class _Records:
    """The messages of a topic in order, with a look ahead."""

    def __init__(self, bag: BagSource, topic: str) -> None:
        self._records = iter(bag.messages([topic]))
        self._ahead = next(self._records, None)

    def __iter__(self) -> Iterator[Any]:
        while (record := self.next_until(2**63)) is not None:
            yield record

    def next_until(self, time: int) -> Any | None:
        """The next message if its bag time is not after this."""
        record = self._ahead
        if record is None or record.stamp > time:
            return None
        self._ahead = next(self._records, None)
        return record
