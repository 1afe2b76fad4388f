"""One pair after another through the node's processor, with the outcome of each in the account."""

from __future__ import annotations

from collections.abc import Callable

from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.node_core.processing import Engine, EngineFactory, FrameProcessor, PairRejected
from egmt_ros.node_core.steering import (
    check_emphasis,
    emphasis_weights,
    with_configured_entities,
)
from egmt_ros.pipeline.accounting import Outcome
from egmt_ros.pipeline.frames import Pair
from egmt_ros.pipeline.intake import settle_pair
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.registration.plane import CameraPair
from egmt_ros.pipeline.results import FusionResult, Sources

FAILED = "inference_failed"
"""Reason of frames whose pair made the engine fail, as the node counts it."""


def load_configured_engine(
    factory: EngineFactory, parameters: FusionParameters, announce: Callable[[str], None]
) -> Engine:
    """The engine that model.* and entities.* ask for, warmed up.

    Raises:
        EgmtError: Weights, device or vocabulary cannot be used.
    """
    wanted = parameters.model
    engine = factory(
        weights=wanted.weights or None,
        device=wanted.device,
        threads=wanted.threads or None,
        runtime=wanted.runtime,
        precision=wanted.precision,
        announce=announce,
    )
    try:
        engine = with_configured_entities(engine, parameters.entities)
        check_emphasis(engine.names, parameters.entities)
        if wanted.warm_up_width and wanted.warm_up_height:
            engine.warm_up(wanted.warm_up_width, wanted.warm_up_height)
    except BaseException:
        engine.close()
        raise
    return engine


class PairFusing:
    """Fuses what the pairing gives.

    Args:
        engine: Fuses.
        parameters: Of thermal images, registration and emphasis.
        cameras: For registration.mode camera_info.

    Attributes:
        errors: Reason -> the last error of the pairs that could not be fused.
    """

    def __init__(
        self,
        engine: Engine,
        parameters: FusionParameters,
        cameras: Callable[[], CameraPair],
    ) -> None:
        weights = emphasis_weights(engine, parameters.entities)
        self._processor = FrameProcessor(engine, parameters, weights, cameras)
        self.errors: dict[str, str] = {}

    def fuse(self, item: Pair | Single) -> FusionResult | None:
        """Fuse a pair, or make an image of a single frame; None if it was rejected."""
        result = self._tried(item, lambda: self._processor.process(item))
        if result is not None:
            fused = isinstance(item, Pair)
            settle_pair(item, Outcome.FUSED if fused else Outcome.PASSTHROUGH)
        return result

    def look(self, pair: Pair) -> Sources | None:
        """What would be fused, of a pair that was fused before; None if it is rejected now."""
        sources = self._tried(pair, lambda: self._processor.sources(pair))
        if sources is not None:
            settle_pair(pair, Outcome.FUSED)
        return sources

    def _tried(self, item: Pair | Single, action: Callable):
        try:
            return action()
        except PairRejected as error:
            self.errors[error.reason] = str(error)
            for frame in item.frames:
                guilty = error.side in (None, frame.side)
                settle_frame(frame, error.reason if guilty else "partner_rejected")
        except Exception as error:  # whatever the engine raises, the bag goes on, as the node does
            self.errors[FAILED] = f"{type(error).__name__}: {error}"
            for frame in item.frames:
                settle_frame(frame, FAILED)
        return None


def settle_frame(frame, reason: str) -> None:
    """Count a frame as rejected."""
    frame.payload.ticket.settle(Outcome.REJECTED, reason)
