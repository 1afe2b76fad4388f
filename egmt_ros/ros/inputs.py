"""The two image subscriptions of the node, up to the pairs that the worker takes."""

from __future__ import annotations

import functools
import time

from rclpy.clock import Clock
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image

from egmt_ros.errors import InputError
from egmt_ros.node_core.parameters import FusionParameters, InputParameters, SyncParameters
from egmt_ros.pipeline.accounting import FrameAccount, Outcome
from egmt_ros.pipeline.compressed import announced_size
from egmt_ros.pipeline.frames import Pair, Side
from egmt_ros.pipeline.intake import Intake
from egmt_ros.pipeline.mailbox import Mailbox
from egmt_ros.pipeline.message_view import message_view
from egmt_ros.pipeline.missing_camera import Single
from egmt_ros.ros import qos
from egmt_ros.ros.diagnostics import InputState, NodeState, Source
from egmt_ros.ros.image_topics import TRANSPORTS, image_topic, transport_source
from egmt_ros.ros.lifecycle import SteadyAlarm, matched_publishers
from egmt_ros.ros.qos_watch import QosWatch
from egmt_ros.ros.synchronising import make_pairer, make_watch
from egmt_ros.ros.throttle import LogThrottle


class Inputs:
    """Subscribes to both cameras, pairs their frames and puts the pairs into a mailbox.

    Everything here happens in the executor's thread.

    Attributes:
        states: What is known of each input, for the diagnostics.
    """

    def __init__(
        self,
        node: LifecycleNode,
        account: FrameAccount,
        state: NodeState,
        throttle: LogThrottle,
        steady: Clock,
        watch: QosWatch,
    ) -> None:
        self._node = node
        self._watch = watch
        self._state = state
        self._throttle = throttle
        self._subscribers: dict[Side, object] = {}
        self._transports = {Side.THERMAL: "raw", Side.VISIBLE: "raw"}
        self._intake = Intake(account, message_view, self._on_bad_frame)
        self._alarm = SteadyAlarm(node, self._on_release, steady)
        self.states = {side: self._input_state(side) for side in (Side.THERMAL, Side.VISIBLE)}

    def subscribe(self, parameters: InputParameters) -> None:
        """Receive from now on; frames count as inactive until `open`."""
        for side, wanted in (
            (Side.THERMAL, parameters.thermal), (Side.VISIBLE, parameters.visible)
        ):
            state = self.states[side]
            state.topic = image_topic(self._node, side, wanted.transport)
            self._transports[side] = wanted.transport
            receive = {"raw": self._on_image, "compressed": self._on_compressed}[wanted.transport]
            self._subscribers[side] = self._watch.subscribe(
                TRANSPORTS[wanted.transport],
                state.topic,
                functools.partial(receive, side),
                qos.stream(wanted.qos, wanted.depth),
                status=f"{side.value} input",
                parameter=f"input.{side.value}.qos",
                on_lost=functools.partial(self._on_lost, self.states[side]),
            )

    def unsubscribe(self) -> None:
        """Receive no more."""
        for subscription in self._subscribers.values():
            self._watch.destroy(subscription)
        self._subscribers.clear()

    def open(self, parameters: FusionParameters, mailbox: Mailbox[Pair | Single]) -> None:
        """Pair the frames from now on; without effect while it is done."""
        if not self._intake.is_open:
            sync = self._state.sync = parameters.sync
            self._intake.open(
                make_pairer(sync),
                mailbox,
                reference=Side(parameters.output.reference),
                watch=make_watch(sync),
            )

    def close(self, outcome: Outcome) -> None:
        """Pair no more: this becomes of the frames that wait and of those to come."""
        self._alarm.cancel()
        self._intake.close(outcome)
        self._state.missing = None

    def pair_by(self, sync: SyncParameters) -> None:
        """Pair by other rules from now on, if frames are paired at all."""
        if self._intake.is_open:
            self._intake.replace_pairer(make_pairer(sync), make_watch(sync))
            self._state.sync = sync
            self._arm()

    def transport_source(self, side: Side) -> Source:
        """Tells the diagnostics of images that come by the other transport."""
        return transport_source(
            self._node, side, self.states[side], lambda: self._transports[side]
        )

    def skew(self) -> float | None:
        """By how many seconds thermal images come later than visible ones of the same stamp."""
        return self._intake.skew.seconds()

    def _on_image(self, side: Side, message: Image) -> None:
        state = self.states[side]
        state.encoding = message.encoding
        state.width, state.height = message.width, message.height
        self._receive(side, message)

    def _on_compressed(self, side: Side, message: CompressedImage) -> None:
        state = self.states[side]
        state.encoding = message.format
        try:
            state.width, state.height = announced_size(message.data)
        except InputError:  # told when the frame is rejected
            state.width = state.height = 0
        self._receive(side, message)

    def _receive(self, side: Side, message: Image | CompressedImage) -> None:
        now = time.monotonic_ns()
        state = self.states[side]
        state.last_arrival = now
        stamp = message.header.stamp
        state.last_stamp = stamp.sec * 1_000_000_000 + stamp.nanosec
        self._intake.receive(side, state.last_stamp, message, now)
        self._arm()

    @staticmethod
    def _on_lost(state: InputState, count: int) -> None:
        state.tells_lost = True
        state.lost += count

    def _on_bad_frame(self, side: Side, error: InputError) -> None:
        self.states[side].last_reject = f"{error.reason}: {error}"
        text = f"{side.value} image rejected: {error}"
        self._throttle.warning(self._node.get_logger(), (side, error.reason), text)

    def _on_release(self) -> None:
        self._intake.poll(time.monotonic_ns())
        self._arm()

    def _arm(self) -> None:
        """Have `_on_release` called when the pairing next has something to release."""
        self._state.resets = self._intake.resets
        self._state.missing = self._intake.missing
        self._alarm.set(self._intake.deadline())

    def _input_state(self, side: Side) -> InputState:
        state = InputState(image_topic(self._node, side, "raw"))
        state.publishers = lambda: self._node.count_publishers(state.topic)
        state.matched = lambda: matched_publishers(self._subscribers.get(side))
        return state

