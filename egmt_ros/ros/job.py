"""What the worker's thread does with one pair, or with one image without the other: fuse, publish,
account, measure.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.parameters import EntityParameters
from egmt_ros.node_core.processing import FrameProcessor, PairRejected
from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.intake import settle_pair
from egmt_ros.pipeline.latency import PairTiming
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.registration.watch import RegistrationWatch
from egmt_ros.ros.diagnostics import InputState, NodeState
from egmt_ros.ros.failures import describe, reject_reason
from egmt_ros.ros.outputs import Outputs
from egmt_ros.ros.recovery import Recovery
from egmt_ros.ros.throttle import LogThrottle
from egmt_ros.ros.watchdog import Busy

MILLISECOND = 1_000_000


class Work(NamedTuple):
    """With what a pair is handled; replaced as a whole, between two pairs.

    Attributes:
        processor: From a pair to its result.
        model: Whose labels these are.
        entities: Which of them are published.
    """

    processor: FrameProcessor
    model: ModelIdentity
    entities: EntityParameters


@dataclass(frozen=True)
class Surroundings:
    """What the worker's thread uses of the node.

    Attributes:
        account: Of every frame.
        state, inputs: What the diagnostics tell.
        recovery: Is told of each pair that was fused or failed.
        context_ok: Whether the node's context is still valid.
        watch: Is shown the fused pairs.
    """

    account: FrameAccount
    state: NodeState
    inputs: dict[Side, InputState]
    logger: Any
    throttle: LogThrottle
    recovery: Recovery
    context_ok: Callable[[], bool]
    watch: RegistrationWatch


class FusionJob:
    """Handles pairs in the worker's thread; every pair gets its outcome here.

    Once `abandoned` is set, because the node could not wait for the pair in hand, nothing is
    published any more.

    Attributes:
        size: Width and height in which the network saw the last images, pixels; None before the
            first.
        begun: When the pair in hand was taken, steady ns; None between two pairs.
    """

    def __init__(self, work: Work, outputs: Outputs, node: Surroundings) -> None:
        self._work = work
        self._outputs = outputs
        self._node = node
        self._last_published: int | None = None
        self.abandoned = False
        self.size: tuple[int, int] | None = None
        self.begun: int | None = None

    def busy(self) -> Busy:
        """With the pair in hand; from any thread."""
        begun, prepared = self.begun, self._work.processor.preparing_until
        if begun is None:
            return Busy()
        begun /= 1e9
        return Busy(time.monotonic() - begun, max(0.0, prepared - begun))

    def go_on_with(self, work: Work) -> None:
        """Handle the pairs to come with this. In the worker's thread, between two pairs.

        Other entities are announced first, so that no array speaks of unknown ones.
        """
        if work.model.vocabulary != self._work.model.vocabulary:
            self._outputs.publish_vocabulary(work.model)
        self._work = work

    def handle(self, pair: Pair | Single) -> None:
        """Fuse, publish and account for one pair.

        A pair that cannot be used is rejected here; what else goes wrong is raised, for `fail`.
        """
        self.begun = time.monotonic_ns()
        try:
            self._fuse(pair, self.begun)
        finally:
            self.begun = None

    def _fuse(self, pair: Pair | Single, start: int) -> None:
        work = self._work
        try:
            result = work.processor.process(pair)
        except PairRejected as error:
            self._reject(pair, error)
            return
        processed = time.monotonic_ns()
        if result.thermal is not None:
            self._node.inputs[Side.THERMAL].defects.add(result.thermal)
        self.size = work.processor.size
        # Left behind, or the process is ending: what is published comes too late or goes nowhere.
        if self.abandoned or not self._node.context_ok():
            settle_pair(pair, Outcome.INACTIVE)
            return
        self._outputs.publish_result(result, pair, work.model, work.entities)
        published = time.monotonic_ns()
        settle_pair(pair, Outcome.FUSED if isinstance(pair, Pair) else Outcome.PASSTHROUGH)
        self._node.recovery.fused()
        timing = self._measure(pair, start, processed, published)
        with self._apart("its debug outputs could not be published"):
            self._outputs.publish_debug(result, pair, work.model, work.entities, timing)
        with self._apart("it could not be shown to the watch of the registration"):
            self._node.watch.offer(result.sources)

    @contextmanager
    def _apart(self, what: str) -> Iterator[None]:
        """What fails here is told of, but is no failure of the pair, which has its outcome."""
        try:
            yield
        except Exception as error:
            self._tell((what, type(error)), f"a pair was published, but {what}", error)

    def fail(self, pair: Pair | Single, error: Exception) -> None:
        """The engine or a publisher raised: count it and go on."""
        state = self._node.state
        state.last_error = describe(error)
        state.errors += 1
        for frame in pair.frames:
            self._node.account.reject(frame.payload.ticket, reject_reason(error))
        what = "a pair could not be fused, its frames are rejected"
        self._tell(("failed", type(error)), what, error)
        if not self.abandoned:
            self._node.recovery.failed(error)

    def _tell(self, key: tuple[str, type], what: str, error: Exception) -> None:
        """An error in the log, the first of its kind with its trace."""
        line = f"{what}: {describe(error)}"
        if self._node.throttle.is_new(key):
            line += "\n" + "".join(traceback.format_exception(error))
        self._node.throttle.error(self._node.logger, key, line)

    def _reject(self, pair: Pair | Single, error: PairRejected) -> None:
        for frame in pair.frames:
            guilty = error.side in (None, frame.side)
            reason = error.reason if guilty else "partner_rejected"
            self._node.account.reject(frame.payload.ticket, reason)
            if guilty:
                self._node.inputs[frame.side].last_reject = f"{error.reason}: {error}"
        who = f"{error.side.value} image" if error.side else "pair"
        self._node.throttle.warning(
            self._node.logger, (error.side, error.reason), f"{who} rejected: {error}"
        )

    def _measure(
        self, pair: Pair | Single, start: int, processed: int, published: int
    ) -> PairTiming:
        last, self._last_published = self._last_published, published
        timing = PairTiming(
            processing_time_ms=(processed - start) / MILLISECOND,
            pipeline_latency_ms=(published - pair.released) / MILLISECOND,
            pair_gap_ms=pair.gap / MILLISECOND if isinstance(pair, Pair) else None,
            cyclic_time_ms=None if last is None else (published - last) / MILLISECOND,
        )
        state = self._node.state
        state.processing_ms.add(timing.processing_time_ms)
        state.latency_ms.add(timing.pipeline_latency_ms)
        state.wait_ms.add(pair.waited / MILLISECOND)
        if timing.pair_gap_ms is not None:
            state.gap_ms.add(timing.pair_gap_ms)
            state.pairs += 1
        if timing.cyclic_time_ms is not None:
            state.cyclic_ms.add(timing.cyclic_time_ms)
        return timing
