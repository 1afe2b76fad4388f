"""The topics under ~/debug: each is computed only while someone subscribes to it."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.lifecycle import LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Float64, Header

from egmt_ros.node_core import outgoing
from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.parameters import EntityParameters
from egmt_ros.pipeline.debug_image import draw_debug_image
from egmt_ros.pipeline.latency import PairTiming
from egmt_ros.pipeline.results import FusionResult, Sources
from egmt_ros.ros import qos
from egmt_ros.ros.conversions import array_to_image
from egmt_ros.ros.throttle import Logger, LogThrottle

# The worker draws for at most this share of its time; of a stream too fast for that, the debug
# image shows fewer pairs.
DRAWING_SHARE = 0.2


class DebugOutputs:
    """Timing topics and the debug image. Called by the worker's thread, when a pair is out.

    Args:
        create: Makes a publisher of a type, topic and QoS.
        logger, throttle: For a debug image that cannot be drawn, which is no fault of the pair.
        now: Steady clock, seconds.
    """

    def __init__(
        self,
        create: Callable[[type, str, QoSProfile], LifecyclePublisher],
        logger: Logger,
        throttle: LogThrottle,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timing = {
            name: create(Float64, f"~/debug/{name}", qos.debug()) for name in PairTiming._fields
        }
        self._image = create(Image, "~/debug/image", qos.stream("reliable", 1))
        self._logger = logger
        self._throttle = throttle
        self._now = now
        self._rests_until = 0.0

    def publish(
        self,
        result: FusionResult,
        header: Header,
        model: ModelIdentity,
        entities: EntityParameters,
        timing: PairTiming,
    ) -> None:
        """Tell of a pair, as far as anyone listens.

        Args:
            result: That was published.
            header: That of the fused image.
            model, entities: As for the labels.
            timing: Of the pair.
        """
        for name, value in timing._asdict().items():
            publisher = self._timing[name]
            if value is not None and publisher.get_subscription_count():
                publisher.publish(Float64(data=value))
        start = self._now()
        if start < self._rests_until or not self._image.get_subscription_count():
            return
        try:
            labels = [label for label in outgoing.shown(result, entities) if label.present]
            picture = draw_debug_image(result, labels, _facts(result, header, model, timing))
            self._image.publish(array_to_image(picture, header, "bgr8"))
        except Exception as error:
            self._throttle.error(
                self._logger, "debug image", f"debug image cannot be drawn: {error!r}"
            )
        end = self._now()
        self._rests_until = end + (end - start) * (1.0 / DRAWING_SHARE - 1.0)


def _facts(
    result: FusionResult, header: Header, model: ModelIdentity, timing: PairTiming
) -> list[str]:
    facts = [
        _mode(result.sources),
        f"latency {timing.pipeline_latency_ms:.1f} ms",
        f"processing {timing.processing_time_ms:.1f} ms",
    ]
    if timing.pair_gap_ms is not None:
        facts.append(f"gap {timing.pair_gap_ms:.1f} ms")
    if timing.cyclic_time_ms is not None:
        facts.append(f"every {timing.cyclic_time_ms:.0f} ms")
    stamp = header.stamp
    return [*facts, model.model_id, f"stamp {stamp.sec}.{stamp.nanosec // 1_000_000:03d}"]


def _mode(sources: Sources | None) -> str:
    if sources is not None and sources.thermal is None:
        return "visible only"
    if sources is not None and sources.visible is None:
        return "thermal only"
    return "fused"
