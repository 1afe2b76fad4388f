"""The worker of an active node: started, given other work between two pairs, stopped."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from egmt_ros.errors import EgmtError
from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.node_core.processing import Engine, FrameProcessor
from egmt_ros.node_core.steering import emphasis_weights
from egmt_ros.pipeline.accounting import Outcome
from egmt_ros.pipeline.frames import Pair
from egmt_ros.pipeline.intake import settle_pair
from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.registration.plane import CameraPair
from egmt_ros.pipeline.registration.watch import RegistrationWatch
from egmt_ros.pipeline.worker import Worker
from egmt_ros.ros.job import FusionJob, Surroundings, Work
from egmt_ros.ros.outputs import Outputs
from egmt_ros.ros.watchdog import Busy

# A pair that takes longer than this, seconds, is not waited for: the worker is left behind.
WORKER_TIMEOUT = 30.0


class Fusing:
    """Fuses pairs in a thread of its own between `start` and `stop`.

    All calls come from the executor's thread, but for `alive` and `busy`.

    Args:
        node: What is used of it.
        cameras: What is known of both cameras, for registration.mode camera_info.
    """

    def __init__(self, node: Surroundings, cameras: Callable[[], CameraPair]) -> None:
        self._node = node
        self._cameras = cameras
        self._worker: Worker[Pair | Single] | None = None
        self._stuck: Worker[Pair | Single] | None = None  # the last one that did not end in time
        self._stuck_job: FusionJob | None = None
        self._mailbox: Mailbox[Pair | Single] | None = None
        self._job: FusionJob | None = None
        self._work: Work | None = None  # the newest that the job was given
        self._size: tuple[int, int] | None = None  # that of the job before

    @property
    def alive(self) -> bool:
        """Whether the worker's thread is running; from any thread."""
        return _lives(self._worker)

    @property
    def occupied(self) -> bool:
        """Whether a worker that was left behind still uses the engine."""
        return _lives(self._stuck)

    @property
    def busy(self) -> Busy:
        """With the pair in hand; once stopped, with that of a worker left behind. From any thread.
        """
        job = self._job or self._stuck_job
        return Busy() if job is None else job.busy()

    @property
    def mailbox(self) -> Mailbox[Pair | Single] | None:
        """Where pairs are taken from, None while stopped."""
        return self._mailbox

    @property
    def size(self) -> tuple[int, int] | None:
        """In which the network saw the last images, pixels; None before the first."""
        return (self._job and self._job.size) or self._size

    def check_free(self) -> None:
        """Refuse to start while a worker that was left behind still uses the engine.

        Raises:
            EgmtError: it does.
        """
        if self.occupied:
            raise EgmtError(
                "an earlier pair still occupies the model: wait or restart the node"
            )

    def start(
        self, engine: Engine, model: ModelIdentity, parameters: FusionParameters, outputs: Outputs
    ) -> None:
        """Handle the pairs of a new mailbox."""
        self._work = self._make_work(engine, model, parameters)
        self._job = FusionJob(self._work, outputs, self._node)
        _restart(self._node.watch, parameters)
        self._mailbox = Mailbox()
        self._worker = Worker(self._mailbox, self._job.handle, self._job.fail)
        self._worker.start()

    def go_on_with(
        self,
        engine: Engine,
        model: ModelIdentity,
        parameters: FusionParameters,
        *,
        anew: bool = False,
    ) -> Future[None]:
        """Have the next pair handled with these.

        Args:
            engine, model, parameters: To go on with.
            anew: Whether to forget what the worker remembers of earlier images, and to read the
                parameters of thermal images and registration.

        Returns:
            Done when no pair is handled otherwise any more, at once while stopped; cancelled
            where that cannot be told.
        """
        if self._worker is not None:
            like = None if anew else self._work
            if anew:
                _restart(self._node.watch, parameters)
            work = self._work = self._make_work(engine, model, parameters, like)
            return self._worker.do_between(lambda job=self._job: job.go_on_with(work))
        idle: Future[None] = Future()
        idle.cancel() if self.occupied else idle.set_result(None)
        return idle

    def stop(self) -> None:
        """Finish the pair in hand; what waits counts as inactive. Without effect while stopped."""
        if self._worker is None:
            return
        ended, leftover = self._worker.stop(max(0.1, WORKER_TIMEOUT - self.busy.seconds))
        if leftover is not None:
            settle_pair(leftover, Outcome.INACTIVE)
        if not ended:
            self._job.abandoned = True
            self._stuck, self._stuck_job = self._worker, self._job
            self._node.logger.error(
                f"the worker has been busy with one pair for {self.busy.seconds:.1f} s: left behind"
            )
        self._node.watch.stop()
        self._size = self.size
        self._worker = self._mailbox = self._job = self._work = None

    def forget(self) -> None:
        """Forget the size of the last images."""
        self._size = None

    def _make_work(
        self,
        engine: Engine,
        model: ModelIdentity,
        parameters: FusionParameters,
        like: Work | None = None,
    ) -> Work:
        """What the job needs of engine and parameters; `like` has the memory to go on with."""
        weights = emphasis_weights(engine, parameters.entities)
        processor = (
            FrameProcessor(engine, parameters, weights, self._cameras)
            if like is None
            else like.processor.replaced(engine, weights)
        )
        return Work(processor, model, parameters.entities)


def _restart(watch: RegistrationWatch, parameters: FusionParameters) -> None:
    wanted = parameters.registration
    watch.restart(wanted.check_period, wanted.check_limit)


def _lives(worker: Worker[Pair | Single] | None) -> bool:
    return worker is not None and worker.alive
