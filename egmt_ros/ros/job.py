"""What the worker's thread does with one pair, or with one image without the other: fuse, publish,
account, measure.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.intake import settle_pair
from egmt_ros.pipeline.latency import PairTiming
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.pairing import Pair, Side
from egmt_ros.pipeline.registration.watch import RegistrationWatch
from egmt_ros.ros.diagnostics import InputState, NodeState
from egmt_ros.ros.failures import describe, reject_reason
from egmt_ros.ros.messages import ModelIdentity
from egmt_ros.ros.outputs import Outputs
from egmt_ros.ros.parameters import EntityParameters
from egmt_ros.ros.processing import FrameProcessor, PairRejected
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


class FusionJob:
    """Handles pairs in the worker's thread; every pair gets its outcome here.

    Once `abandoned` is set, because the node could not wait for the pair in hand, nothing is
    published any more.

    Attributes:
        size: Width and height in which the network saw the last images, pixels; None before the
            first.
        begun: When the pair in hand was taken, steady ns; None between two pairs.
    """

    def __init__(
        self,
        *,
        work: Work,
        outputs: Outputs,
        account: FrameAccount,
        state: NodeState,
        inputs: dict[Side, InputState],
        logger: object,
        throttle: LogThrottle,
        recovery: Recovery,
        context_ok: Callable[[], bool],
        watch: RegistrationWatch,
    ) -> None:
        self._work = work
        self._outputs = outputs
        self._account = account
        self._state = state
        self._inputs = inputs
        self._logger = logger
        self._throttle = throttle
        self._recovery = recovery
        self._context_ok = context_ok
        self._watch = watch
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
            self._inputs[Side.THERMAL].defects.add(result.thermal)
        self.size = work.processor.size
        # Left behind, or the process is ending: what is published comes too late or goes nowhere.
        if self.abandoned or not self._context_ok():
            settle_pair(pair, Outcome.INACTIVE)
            return
        self._outputs.publish_result(result, pair, work.model, work.entities)
        published = time.monotonic_ns()
        settle_pair(pair, Outcome.FUSED if isinstance(pair, Pair) else Outcome.PASSTHROUGH)
        self._recovery.fused()
        timing = self._measure(pair, start, processed, published)
        self._outputs.publish_debug(result, pair, work.model, work.entities, timing)
        self._watch.offer(result.sources)

    def fail(self, pair: Pair | Single, error: Exception) -> None:
        """The engine or a publisher raised: count it and go on."""
        state = self._state
        state.last_error = describe(error)
        state.errors += 1
        for frame in pair.frames:
            self._account.reject(frame.payload.ticket, reject_reason(error))
        key = ("failed", type(error))
        line = f"a pair could not be fused, its frames are rejected: {state.last_error}"
        if self._throttle.is_new(key):
            line += "\n" + "".join(traceback.format_exception(error))
        self._throttle.error(self._logger, key, line)
        if not self.abandoned:
            self._recovery.failed(error)

    def _reject(self, pair: Pair | Single, error: PairRejected) -> None:
        for frame in pair.frames:
            guilty = error.side in (None, frame.side)
            reason = error.reason if guilty else "partner_rejected"
            self._account.reject(frame.payload.ticket, reason)
            if guilty:
                self._inputs[frame.side].last_reject = f"{error.reason}: {error}"
        who = f"{error.side.value} image" if error.side else "pair"
        self._throttle.warning(
            self._logger, (error.side, error.reason), f"{who} rejected: {error}"
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
        state = self._state
        state.processing_ms.add(timing.processing_time_ms)
        state.latency_ms.add(timing.pipeline_latency_ms)
        state.wait_ms.add(pair.waited / MILLISECOND)
        if timing.pair_gap_ms is not None:
            state.gap_ms.add(timing.pair_gap_ms)
            state.pairs += 1
        if timing.cyclic_time_ms is not None:
            state.cyclic_ms.add(timing.cyclic_time_ms)
        return timing
