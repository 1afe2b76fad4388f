"""The running graph around the fusion node: who is on its topics, and whether they fit.

Quality of service is a request and an offer: a subscription hears a publisher only if each policy
that the publisher offers is at least what the subscription requests (DDS 1.4, 2.2.3; REP 2003).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from egmt_ros.doctor.finding import Finding, ok, problem, warning

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
ENTITIES = "egmt_msgs/msg/EntityLabelArray"

# Weak to strong: an offer must be at least the request.
STRENGTH = {
    "reliability": ("best_effort", "reliable"),
    "durability": ("volatile", "transient_local"),
    "liveliness": ("automatic", "manual_by_topic"),
}

PARAMETERS = {
    ("~/input/thermal/image", "reliability"): "input.thermal.qos",
    ("~/input/visible/image", "reliability"): "input.visible.qos",
    ("~/input/thermal/image/compressed", "reliability"): "input.thermal.qos",
    ("~/input/visible/image/compressed", "reliability"): "input.visible.qos",
    ("~/output/image", "reliability"): "output.qos",
}
"""What changes a policy of ours; read by the node's configure transition."""


@dataclass(frozen=True)
class Endpoint:
    """A publisher or subscription.

    Attributes:
        node: Fully qualified name of its node.
        kind: Type of its messages, "sensor_msgs/msg/Image".
        reliability: "reliable" or "best_effort".
        durability: "volatile" or "transient_local".
        liveliness: "automatic" or "manual_by_topic".
        deadline: Longest time between two messages, s; infinite: none is set.
    """

    node: str
    kind: str
    reliability: str
    durability: str = "volatile"
    liveliness: str = "automatic"
    deadline: float = math.inf


@dataclass(frozen=True)
class Topic:
    """A topic of the fusion node.

    Attributes:
        name: Resolved name, "/thermal/image_raw".
        role: Its name before remapping, "~/input/thermal/image"; empty where it is unknown.
        incoming: Whether the node subscribes to it (otherwise it publishes).
        ours: The node's endpoint.
        theirs: Those on the other side.
        rate: Messages a second while they were counted; None: they were not.
    """

    name: str
    role: str
    incoming: bool
    ours: Endpoint
    theirs: tuple[Endpoint, ...] = ()
    rate: float | None = None


@dataclass(frozen=True)
class Status:
    """A status of the node on /diagnostics, level 0 (OK) to 3 (STALE)."""

    name: str
    level: int
    message: str


@dataclass(frozen=True)
class Graph:
    """What was seen of the graph.

    Attributes:
        wanted: Name of the node that was looked for.
        nodes: Fully qualified names of the nodes that have it.
        topics: Image, calibration and label topics of the first of them.
        statuses: Its newest statuses on /diagnostics.
        image_topics: Topics on which someone else publishes images.
        seconds: How long was listened; where no node was found, how long it was waited for.
    """

    wanted: str
    nodes: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    statuses: tuple[Status, ...] = ()
    image_topics: tuple[str, ...] = ()
    seconds: float = 0.0


def check_graph(graph: Graph) -> list[Finding]:
    """Every check of the graph, in the order in which they are read best."""
    findings = [check_node(graph)]
    if not graph.nodes:
        return findings
    findings.append(check_configured(graph))
    for topic in graph.topics:
        findings.append(check_partners(topic, graph.image_topics))
        findings += check_types(topic)
        findings += check_qos(topic)
        if topic.rate is not None:
            findings.append(check_rate(topic, graph.seconds))
    return findings + [check_status(status) for status in graph.statuses]


def check_node(graph: Graph) -> Finding:
    """Whether the node is there, once."""
    if not graph.nodes:
        return warning(
            "node",
            f"no node {graph.wanted} was found in {graph.seconds:.0f} s",
            "start it (ros2 launch egmt_ros fusion.launch.py, or egmt node); if it runs, compare"
            " ROS_DOMAIN_ID and the discovery range of both shells, or give its name by --node",
        )
    if len(graph.nodes) > 1:
        if len(set(graph.nodes)) < len(graph.nodes):
            return problem(
                "node",
                f"two nodes of one name: {', '.join(graph.nodes)}",
                "give each its own namespace or node_name",
            )
        return warning(
            "node",
            f"{', '.join(graph.nodes)}; looked at {graph.nodes[0]}",
            "name one by --node NAMESPACE/NAME",
        )
    return ok("node", graph.nodes[0])


def check_configured(graph: Graph) -> Finding:
    """Whether the node has its inputs."""
    inputs = {topic.role: topic.name for topic in graph.topics if topic.incoming}
    kinds = (IMAGE, COMPRESSED)
    images = [topic for topic in graph.topics if topic.incoming and topic.ours.kind in kinds]
    if not images:
        return problem(
            "inputs",
            f"{graph.nodes[0]} subscribes to no image: it is not configured",
            f"ros2 lifecycle set {graph.nodes[0]} configure (then activate), or autostart: true;"
            " the log says why if it cannot be configured",
        )
    return ok("inputs", ", ".join(sorted(inputs.values())))


def check_partners(topic: Topic, image_topics: Sequence[str] = ()) -> Finding:
    """Whether someone is on the other side of a topic.

    Args:
        topic: One of the node's.
        image_topics: Topics with images, to be named as what might have been meant.
    """
    nodes = ", ".join(sorted({endpoint.node for endpoint in topic.theirs}))
    if not topic.incoming:
        count = len(topic.theirs)
        listeners = f"{count} subscribers" + (f" ({nodes})" if nodes else "")
        return ok(topic.name, listeners.replace("1 subscribers", "1 subscriber"))
    if topic.theirs:
        return ok(topic.name, f"published by {nodes}")
    if topic.ours.kind not in (IMAGE, COMPRESSED):
        return ok(topic.name, "no publisher; needed only where the fused image is to have one")
    others = [name for name in image_topics if name != topic.name]
    there = f" (there are {', '.join(others)})" if others else ""
    return problem(
        topic.name,
        "nobody publishes on it",
        f"start the camera's driver, or remap {topic.role or 'the input'} to its topic{there}",
    )


def check_types(topic: Topic) -> list[Finding]:
    """A problem for each endpoint on the other side with another type of message."""
    return [
        problem(
            topic.name,
            f"{theirs.node} uses {theirs.kind}, {topic.ours.node} uses {topic.ours.kind}: they do"
            " not hear each other",
            "remap one of them to a topic of its own type"
            + (
                "; input.*.transport: compressed hears compressed images"
                if topic.incoming and theirs.kind == COMPRESSED
                else ""
            ),
        )
        for theirs in topic.theirs
        if theirs.kind != topic.ours.kind
    ]


def check_qos(topic: Topic) -> list[Finding]:
    """A problem for each policy and node on the other side that does not fit ours."""
    return [
        problem(
            topic.name,
            f"{policy}: {topic.ours.node} {'requests' if topic.incoming else 'offers'} {ours},"
            f" {theirs.node} {'offers' if topic.incoming else 'requests'} {other}",
            _qos_remedy(topic, policy, theirs, ours, other),
        )
        for theirs in topic.theirs
        if theirs.kind == topic.ours.kind
        for policy, ours, other in incompatible(topic, theirs)
    ]


def incompatible(topic: Topic, theirs: Endpoint) -> list[tuple[str, str, str]]:
    """(policy, ours, theirs) of each policy that keeps the two from hearing each other."""
    offered, requested = (theirs, topic.ours) if topic.incoming else (topic.ours, theirs)
    found = []
    for policy, ranks in STRENGTH.items():
        offer, request = getattr(offered, policy), getattr(requested, policy)
        # A policy that the middleware does not tell is taken to fit.
        if offer in ranks and request in ranks and ranks.index(offer) < ranks.index(request):
            found.append((policy, getattr(topic.ours, policy), getattr(theirs, policy)))
    if offered.deadline > requested.deadline:
        found.append(("deadline", f"{topic.ours.deadline:g} s", f"{theirs.deadline:g} s"))
    return found


def _qos_remedy(topic: Topic, policy: str, theirs: Endpoint, ours: str, other: str) -> str:
    parameter = PARAMETERS.get((topic.role, policy))
    change = f"make {theirs.node} {'offer' if topic.incoming else 'request'} {ours}"
    if parameter is None:
        return change
    value = {"best_effort": "sensor_data"}.get(other, other)
    return f"set {parameter}: {value} (read by configure), or {change}"


def check_rate(topic: Topic, seconds: float) -> Finding:
    """Whether messages come.

    Args:
        topic: With a rate.
        seconds: How long was listened.
    """
    name = f"{topic.name} rate"
    if topic.rate:
        return ok(name, f"{topic.rate:.1f} Hz")
    if topic.incoming and not topic.theirs:
        return ok(name, "not measured: nobody publishes on it")
    if topic.incoming:
        return problem(
            name,
            f"no message in {seconds:.0f} s",
            "see that the driver sends; if it does, give it the DDS profile and look for lost"
            " packets (docs/tuning.md, DDS)",
        )
    return warning(
        name,
        f"no message in {seconds:.0f} s",
        "is the node active (ros2 lifecycle get), do both inputs have a rate, and are their stamps"
        " within sync.max_gap?",
    )


def check_status(status: Status) -> Finding:
    """What the node says about itself."""
    name = f"diagnostics, {status.name}"
    if status.level == 0:
        return ok(name, status.message)
    remedy = "see the status's values: ros2 topic echo /diagnostics"
    return (warning if status.level == 1 else problem)(name, status.message, remedy)
