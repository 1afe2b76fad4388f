"""From pairs to rows of the tables: fused or looked up, scored, written, timed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future

import numpy as np

from egmt_ros.evaluation.offline.earlier import Earlier, other_bag
from egmt_ros.evaluation.offline.fusing import PairFusing
from egmt_ros.evaluation.offline.output_bag import OutputBag, reference_frame
from egmt_ros.evaluation.offline.reading import Message
from egmt_ros.evaluation.offline.result_files import ResultFiles, Row
from egmt_ros.evaluation.offline.scoring import Scored, Scoring
from egmt_ros.evaluation.offline.setting import Setting
from egmt_ros.evaluation.replay.measuring import Images
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.evaluation.replay.tables import cell
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.results import FusionResult, Sources, ThermalReading

MILLISECOND = 1_000_000


class FrameMaker:
    """Brings every pair to a row, and every single frame to an image in the output bag.

    Args:
        request, setting: What is asked for.
        fusing: Fuses.
        scoring: Scores; None without metrics.
        bag, files: Take the results.
        earlier: What an interrupted run left, to be taken over.

    Attributes:
        fused, alone: Pairs and single frames so far.
        taken_over: Those of the pairs that an earlier run had fused.
    """

    def __init__(
        self,
        request: ReplayRequest,
        setting: Setting,
        fusing: PairFusing,
        scoring: Scoring | None,
        bag: OutputBag,
        files: ResultFiles,
        earlier: Earlier | None = None,
    ) -> None:
        self._folder = request.out
        self._earlier = earlier
        self._every = request.metrics_every
        self._measurer = setting.measurer
        self._reference = Side(setting.parameters.output.reference)
        self._fusing = fusing
        self._scoring = scoring
        self._bag = bag
        self._files = files
        self._messages = 0
        self._sha256 = ""
        self._since = Counter[str]()  # ms since the last frame
        self._total = Counter[str]()
        self._partly = self._small = 0
        self.fused = self.alone = self.taken_over = 0

    def read(self, message: Message) -> None:
        """A message was read."""
        self._messages += 1
        self._sha256 = message.sha256
        self._since["read"] += message.read_ms
        self._since["convert"] += message.convert_ms

    def paired(self, seconds: float) -> None:
        """Pairing took so long."""
        self._since["pair"] += 1e3 * seconds

    def handle(self, items: Iterable[Pair | Single]) -> None:
        """Take what the pairing has given.

        Raises:
            DataError, BagError: The disk takes no more.
            DataError: The bag is not that of the earlier run.
            EgmtError: A process that scores was ended.
        """
        for item in items:
            if isinstance(item, Pair) and self._taken_over(item):
                continue
            begun = time.perf_counter()
            result = self._fusing.fuse(item)
            self._since["fuse"] += 1e3 * (time.perf_counter() - begun)
            if result is None:
                continue
            self._total["engine"] += sum(result.timings.values())
            written = self._bag.put(result, item)
            if isinstance(item, Pair):
                if self._earlier is not None:
                    raise other_bag(self._folder, f"frame {self.fused} is another")
                self._add(item, result, written)
            else:
                self.alone += 1
                if self._earlier is not None:
                    self._earlier.skip_recorded()

    def seconds(self) -> dict[str, float]:
        """Stage -> s in all; "engine" is the part of "fuse" that the bare engine takes.

        Of a run that was gone on with it is left out, as it says nothing of the whole.
        """
        total = self._total + self._since
        if self.taken_over:
            del total["engine"]
        total["metrics"], total["write"] = self._files.metrics_ms, self._files.write_ms
        return {name: ms / 1e3 for name, ms in total.items()}

    def notes(self) -> list[str]:
        """What a reader of the metrics should know."""
        notes = []
        if self.taken_over:
            notes.append(
                f"{self.taken_over} of {self.fused} frames are from a run that was interrupted;"
                " the times are not comparable"
            )
        if self._partly:
            notes.append(
                f"the thermal camera does not see all of the visible image in {self._partly} of"
                f" {self.fused} frames: there the metrics are those of the largest rectangle that"
                " both cameras see"
            )
        if self._small:
            notes.append(
                f"{self._small} of {self.fused} frames are too small to be scored, or the part that"
                " both cameras see is"
            )
        if self.alone:
            notes.append(
                f"{self.alone} images of one camera were passed through while the other was"
                " missing: they are in the output bag and not in the tables"
            )
        return notes

    def _taken_over(self, pair: Pair) -> bool:
        """Whether the earlier run has fused this pair; its row is added then."""
        if self._earlier is None or self._earlier.done:
            self._earlier = None
            return False
        key = self._key(pair)
        if not self._earlier.is_next(key):
            return False
        frame = self._earlier.take()
        if frame is None:
            self._earlier = None
            return False
        progress = (self._messages, self._sha256)
        sources = self._fusing.look(pair)
        if sources is None or frame.progress != tuple(map(str, progress)):
            raise other_bag(self._folder, f"it differs within the first {self._messages} messages")
        values = frame_values(pair, sources)
        if frame.values != tuple(map(cell, values)):
            raise other_bag(self._folder, f"frame {self.fused} is another")
        if self._is_scored():
            self._images(sources, sources.visible)
        self._since.clear()
        self._files.add(
            Row(
                key=key,
                values=values,
                scores=frame.scores,
                progress=progress,
                times=(),
                scored=None,
                written=self._bag.put(frame.recorded, pair),
                earlier=(frame.rest, frame.times),
            )
        )
        self.fused += 1
        self.taken_over += 1
        return True

    def _key(self, pair: Pair) -> tuple[int, int, int, int]:
        stamp = reference_frame(pair, self._reference).stamp
        return self.fused, stamp, pair.thermal.stamp, pair.visible.stamp

    def _add(self, pair: Pair, result: FusionResult, written: Future[float]) -> None:
        times = [self._since[name] for name in ("read", "convert", "pair", "fuse")]
        self._total += self._since
        self._since.clear()
        self._files.add(
            Row(
                key=self._key(pair),
                values=(*frame_values(pair, result.sources), *celsius(result.thermal)),
                scores=list(result.scores.values()),
                progress=(self._messages, self._sha256),
                times=times,
                scored=self._score(result) if self._is_scored() else None,
                written=written,
            )
        )
        self.fused += 1

    def _is_scored(self) -> bool:
        """Whether it is this frame's turn."""
        return self._scoring is not None and self.fused % self._every == 0

    def _score(self, result: FusionResult) -> Future[Scored] | None:
        images = self._images(result.sources, result.image)
        return None if images is None else self._scoring.submit(images)

    def _images(self, sources: Sources, fused: np.ndarray) -> Images | None:
        """What is scored, and noted of it."""
        images = self._measurer.images(sources, fused)
        self._partly += sources.outside is not None
        self._small += images is None
        return images


def frame_values(pair: Pair, sources: Sources) -> tuple[float | int, ...]:
    """The first of `tables.FRAME_VALUES`, up to the range."""
    height, width = sources.visible.shape[:2]
    shown = sources.range
    return pair.signed_gap / MILLISECOND, width, height, float(shown.low), float(shown.high)


def celsius(reading: ThermalReading) -> tuple[float, float]:
    """The last of `tables.FRAME_VALUES`; NaN unless the camera is radiometric."""
    return reading.min_celsius, reading.max_celsius
