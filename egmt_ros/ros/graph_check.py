"""Looking at the running graph for `egmt doctor`: the fusion node's topics, rates, diagnostics."""

from __future__ import annotations

import importlib
import os
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from egmt_ros.doctor.graph import COMPRESSED, ENTITIES, IMAGE, Endpoint, Graph, Status, Topic
from egmt_ros.ros import qos
from egmt_ros.ros.endpoints import endpoints
from egmt_ros.ros.lifecycle import RCLError

KINDS = (IMAGE, COMPRESSED, "sensor_msgs/msg/CameraInfo", ENTITIES)
COUNTED = (IMAGE, COMPRESSED, ENTITIES)

ROLES = (
    "~/input/thermal/image",
    "~/input/visible/image",
    "~/input/thermal/image/compressed",
    "~/input/visible/image/compressed",
    "~/input/thermal/camera_info",
    "~/input/visible/camera_info",
    "~/output/image",
    "~/output/camera_info",
    "~/output/entities",
)

# How often newly found topics are looked for, s.
LOOK = 0.2


def look(wanted: str, wait: float, listen: float, context: Context) -> Graph:
    """Listen to the graph for a while.

    Args:
        wanted: Name of the fusion node; with a slash the fully qualified one.
        wait: Longest time until the node is found, s; discovery takes one or two.
        listen: How long to count messages and to read diagnostics once it is found, s.
        context: An initialised one.
    """
    node = Node(
        f"egmt_doctor_{os.getpid()}",
        context=context,
        enable_rosout=False,
        start_parameter_services=False,
        use_global_arguments=False,
    )
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    observer = _Observer(node, wanted)
    # Counted in looks: a machine that stands still for a while then does not end the listening.
    left = max(1, round(wait / LOOK))
    try:
        while left:
            left = max(1, round(listen / LOOK)) if observer.discover() else left - 1
            end = time.monotonic() + LOOK
            while (rest := end - time.monotonic()) > 0:
                executor.spin_once(timeout_sec=rest)
        return observer.graph(wait, listen)
    finally:
        executor.shutdown()
        node.destroy_node()


class _Observer:
    """Counts what comes on the topics of the node that is looked for."""

    def __init__(self, node: Node, wanted: str) -> None:
        self._node = node
        self._wanted = wanted
        self._seen = False
        self._arrivals: dict[str, list[float]] = {}
        self._statuses: dict[str, dict[str, Status]] = {}  # by node and name
        self._named_inputs: dict[str, dict[str, str]] = {}  # by node: topic -> role
        node.create_subscription(
            DiagnosticArray, "/diagnostics", self._on_diagnostics, qos.diagnostics()
        )

    def discover(self) -> bool:
        """Begin to count on topics that are new; True when the node is seen for the first time."""
        found = self._found()
        first = bool(found) and not self._seen
        self._seen |= first
        for name, kind, _ in self._topics_of(found[0]) if found else ():
            if kind in COUNTED and name not in self._arrivals:
                arrivals = self._arrivals[name] = []
                self._node.create_subscription(
                    _message_class(kind),
                    name,
                    lambda message, arrivals=arrivals: arrivals.append(time.monotonic()),
                    qos.stream("sensor_data", 10),  # hears every publisher
                    raw=True,
                )
        return first

    def graph(self, waited: float, listened: float) -> Graph:
        """What was seen until now."""
        found = self._found()
        here = found[0] if found else ""
        topics = [self._topic(here, *topic) for topic in self._topics_of(here)] if here else []
        return Graph(
            wanted=self._wanted,
            nodes=tuple(found),
            topics=tuple(topics),
            statuses=tuple(self._statuses.get(here, {}).values()),
            image_topics=tuple(
                name
                for name, kinds in self._node.get_topic_names_and_types()
                if IMAGE in kinds
                and any(p.node != here for p in self._endpoints(name, incoming=True))
            ),
            seconds=listened if here else waited,
        )

    def _found(self) -> list[str]:
        nodes = (
            f"{namespace.rstrip('/')}/{name}"
            for name, namespace in self._node.get_node_names_and_namespaces()
        )
        by_name = "/" not in self._wanted
        wanted = self._wanted
        return sorted(n for n in nodes if (n.rpartition("/")[2] if by_name else n) == wanted)

    def _topics_of(self, node: str) -> list[tuple[str, str, bool]]:
        """(name, type, whether it is an input) of the node's topics of our kinds, inputs first."""
        namespace, _, name = node.rpartition("/")
        node_and_namespace = (name, namespace or "/")
        try:
            inputs = self._node.get_subscriber_names_and_types_by_node(*node_and_namespace)
            outputs = self._node.get_publisher_names_and_types_by_node(*node_and_namespace)
        except RCLError:  # the node left meanwhile
            return []
        return [
            (topic, kind, incoming)
            for incoming, topics in ((True, inputs), (False, outputs))
            for topic, kinds in sorted(topics)
            for kind in kinds
            if kind in KINDS
        ]

    def _topic(self, node: str, name: str, kind: str, incoming: bool) -> Topic:
        ours = [e for e in self._endpoints(name, not incoming) if e.node == node]
        doctor = self._node.get_fully_qualified_name()
        arrivals = self._arrivals.get(name)
        return Topic(
            name=name,
            role=self._role(node, name, kind, incoming),
            incoming=incoming,
            ours=ours[0] if ours else Endpoint(node, kind, reliability=""),
            theirs=tuple(
                endpoint
                for endpoint in self._endpoints(name, incoming)
                if endpoint.node not in (node, doctor)
            ),
            rate=None if arrivals is None else _rate(arrivals),
        )

    def _role(self, node: str, name: str, kind: str, incoming: bool) -> str:
        """The name before remapping: by the name itself, else as the node tells, else by type."""
        for role in ROLES:
            if name == f"{node}{role[1:]}":
                return role
        if incoming:
            role = self._named_inputs.get(node, {}).get(name, "")
            return f"{role}/compressed" if role and kind == COMPRESSED else role
        return {IMAGE: "~/output/image", ENTITIES: "~/output/entities"}.get(kind, "")

    def _endpoints(self, topic: str, incoming: bool) -> list[Endpoint]:
        """Publishers of a topic where `incoming`, otherwise its subscriptions."""
        if incoming:
            found = self._node.get_publishers_info_by_topic(topic)
        else:
            found = self._node.get_subscriptions_info_by_topic(topic)
        return endpoints(found)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            prefix, _, name = status.name.partition(": ")
            if not name:
                continue
            level = int.from_bytes(status.level, "little")
            mine = self._statuses.setdefault(status.hardware_id, {})
            mine[name] = Status(name, level, status.message)
            values = {item.key: item.value for item in status.values}
            side = name.removesuffix(" input")
            if side in ("thermal", "visible") and "topic" in values:
                inputs = self._named_inputs.setdefault(status.hardware_id, {})
                inputs[values["topic"]] = f"~/input/{side}/image"


def _rate(arrivals: list[float]) -> float:
    """Messages a second, from the first to the last; 0 where there are fewer than two."""
    if len(arrivals) < 2 or arrivals[-1] <= arrivals[0]:
        return 0.0
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def _message_class(kind: str) -> type:
    package, _, name = kind.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), name)
