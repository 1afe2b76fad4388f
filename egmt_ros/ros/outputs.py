"""The publishers of the node and what goes out for each fused pair."""

from __future__ import annotations

from contextlib import ExitStack

from egmt_msgs.msg import EntityAttention, EntityLabelArray, EntityVocabulary
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from egmt_ros.node_core import outgoing
from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.parameters import EntityParameters, OutputParameters
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.latency import PairTiming
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.pipeline.results import FusionResult
from egmt_ros.ros import messages, qos
from egmt_ros.ros.camera_info import CameraInfoRelay
from egmt_ros.ros.debug_outputs import DebugOutputs
from egmt_ros.ros.qos_watch import QosWatch
from egmt_ros.ros.throttle import LogThrottle


class Outputs:
    """Creates the lifecycle publishers of a node, publishes results, destroys them.

    `output.qos` is that of what shows the image. Labels are what a robot acts on: they
    are reliable whatever it says.
    """

    def __init__(
        self,
        node: LifecycleNode,
        parameters: OutputParameters,
        throttle: LogThrottle,
        watch: QosWatch,
    ) -> None:
        stream = qos.stream(parameters.qos, parameters.depth)
        self._node = node
        self._reference = Side(parameters.reference)
        labels = qos.stream("reliable", parameters.depth)
        with ExitStack() as made:  # one that cannot be made takes the earlier ones with it

            def create(kind: type, topic: str, profile: QoSProfile) -> LifecyclePublisher:
                publisher = watch.publisher(
                    kind, topic, profile, status="outputs",
                    parameter="output.qos" if profile is stream else "",
                )
                made.callback(watch.destroy, publisher)
                return publisher

            self._image = create(Image, "~/output/image", stream)
            self._camera_info = CameraInfoRelay(node, self._reference, stream, throttle, watch)
            made.callback(self._camera_info.destroy)
            self._entities = create(EntityLabelArray, "~/output/entities", labels)
            self._vocabulary = create(EntityVocabulary, "~/output/vocabulary", qos.latched())
            self._attention = create(EntityAttention, "~/output/attention", stream)
            self._debug = DebugOutputs(create, node.get_logger(), throttle)
            self._made = made.pop_all()

    def publish_vocabulary(self, model: ModelIdentity) -> None:
        """The entities of the model, stamped with the node's clock."""
        stamp = self._node.get_clock().now().to_msg()
        self._vocabulary.publish(outgoing.vocabulary(messages.TYPES, model, Header(stamp=stamp)))

    def publish_result(
        self,
        result: FusionResult,
        pair: Pair | Single,
        model: ModelIdentity,
        entities: EntityParameters,
    ) -> None:
        """Image and labels always, camera_info once known, attention while subscribed to.

        Of a single frame the header is its own, and camera_info goes with it only if its camera is
        the reference.
        """
        headers = {frame.side: frame.payload.header for frame in pair.frames}
        header = self._header(pair)
        image = messages.fused_image(result, header)
        self._image.publish(image)
        if self._reference in headers:
            self._camera_info.publish_beside(image)
        self._entities.publish(
            outgoing.label_array(
                messages.TYPES,
                result,
                header=header,
                stamps={side: source.stamp for side, source in headers.items()},
                model=model,
                entities=entities,
            )
        )
        if self._attention.get_subscription_count():
            self._attention.publish(messages.attention(result.attention, header, model))

    def publish_debug(
        self,
        result: FusionResult,
        pair: Pair | Single,
        model: ModelIdentity,
        entities: EntityParameters,
        timing: PairTiming,
    ) -> None:
        """What is under ~/debug, each topic while someone subscribes to it."""
        self._debug.publish(result, self._header(pair), model, entities, timing)

    def _header(self, pair: Pair | Single) -> Header:
        """That of the reference camera's image, or of the only one."""
        frames = {frame.side: frame for frame in pair.frames}
        return frames.get(self._reference, pair.frames[0]).payload.header

    def destroy(self) -> None:
        """Remove all of them from the node."""
        self._made.close()
