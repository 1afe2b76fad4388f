"""From pairs to rows of the tables: fused or looked up, scored, written, timed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future

from egmt_ros.evaluation.offline.fusing import PairFusing
from egmt_ros.evaluation.offline.output_bag import OutputBag, reference_frame
from egmt_ros.evaluation.offline.reading import Message
from egmt_ros.evaluation.offline.result_files import ResultFiles, Row
from egmt_ros.evaluation.offline.scoring import Scored, Scoring
from egmt_ros.evaluation.offline.setting import Setting
from egmt_ros.evaluation.replay.request import ReplayRequest
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

    Attributes:
        fused, alone: Pairs and single frames so far.
    """

    def __init__(
        self,
        request: ReplayRequest,
        setting: Setting,
        fusing: PairFusing,
        scoring: Scoring | None,
        bag: OutputBag,
        files: ResultFiles,
    ) -> None:
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
        self.fused = self.alone = 0

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
            EgmtError: A process that scores was ended.
        """
        for item in items:
            begun = time.perf_counter()
            result = self._fusing.fuse(item)
            self._since["fuse"] += 1e3 * (time.perf_counter() - begun)
            if result is None:
                continue
            self._total["engine"] += sum(result.timings.values())
            written = self._bag.put(result, item)
            if isinstance(item, Pair):
                self._add(item, result, written)
            else:
                self.alone += 1

    def seconds(self) -> dict[str, float]:
        """Stage -> s in all; "engine" is the part of "fuse" that the bare engine takes."""
        total = self._total + self._since
        total["metrics"], total["write"] = self._files.metrics_ms, self._files.write_ms
        return {name: ms / 1e3 for name, ms in total.items()}

    def notes(self) -> list[str]:
        """What a reader of the metrics should know."""
        notes = []
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

    def _add(self, pair: Pair, result: FusionResult, written: Future[float]) -> None:
        stamp = reference_frame(pair, self._reference).stamp
        times = [self._since[name] for name in ("read", "convert", "pair", "fuse")]
        self._total += self._since
        self._since.clear()
        scored = self._score(result) if self.fused % self._every == 0 else None
        self._files.add(
            Row(
                key=(self.fused, stamp, pair.thermal.stamp, pair.visible.stamp),
                values=(*frame_values(pair, result.sources), *celsius(result.thermal)),
                scores=list(result.scores.values()),
                progress=(self._messages, self._sha256),
                times=times,
                scored=scored,
                written=written,
            )
        )
        self.fused += 1

    def _score(self, result: FusionResult) -> Future[Scored] | None:
        if self._scoring is None:
            return None
        self._partly += result.sources.outside is not None
        images = self._measurer.images(result.sources, result.image)
        if images is None:
            self._small += 1
            return None
        return self._scoring.submit(images)


def frame_values(pair: Pair, sources: Sources) -> tuple[float | int, ...]:
    """The first of `tables.FRAME_VALUES`, up to the range."""
    height, width = sources.visible.shape[:2]
    shown = sources.range
    return pair.signed_gap / MILLISECOND, width, height, float(shown.low), float(shown.high)


def celsius(reading: ThermalReading) -> tuple[float, float]:
    """The last of `tables.FRAME_VALUES`; NaN unless the camera is radiometric."""
    return reading.min_celsius, reading.max_celsius
