"""Subscriptions and publishers whose QoS ROS can override, and what keeps others from them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecyclePublisher
from rclpy.qos import QoSProfile, qos_policy_name_from_kind
from rclpy.subscription import Subscription

from egmt_ros.doctor.graph import Endpoint, Topic, incompatible
from egmt_ros.ros import qos
from egmt_ros.ros.diagnostics import ERROR, Report, Source, Status
from egmt_ros.ros.endpoints import endpoint, endpoints

try:
    from rclpy.event_handler import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )
except ImportError:  # Humble
    from rclpy.qos_event import (
        PublisherEventCallbacks,
        SubscriptionEventCallbacks,
        UnsupportedEventTypeError,
    )

# Where the value of a `qos` parameter is not called as the policy.
_PROFILE_OF = {"best_effort": "sensor_data"}


@dataclass(eq=False)
class _Watched:
    """A subscription or publisher.

    Attributes:
        status: On diagnostics.
        topic: Resolved name.
        incoming: Whether it is a subscription.
        parameter: Sets its reliability; empty: none does.
        ours: Its type and QoS, as made.
        policy: Of the last event that told of someone who does not fit; empty: there was none.
    """

    status: str
    topic: str
    incoming: bool
    parameter: str
    ours: Endpoint
    policy: str = ""


class QosWatch:
    """Makes subscriptions and publishers, and tells of QoS that does not fit theirs.

    They are made and destroyed in the executor's thread, in which the middleware's events come;
    `problems` may be asked in any.

    Args:
        node: Whose they are.
        on_conflict: Called with the topic and a sentence when someone who does not fit is found.
    """

    def __init__(self, node: LifecycleNode, on_conflict: Callable[[str, str], None]) -> None:
        self._node = node
        self._on_conflict = on_conflict
        self._watched: dict[object, _Watched] = {}

    def subscribe(
        self,
        kind: type,
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        *,
        status: str,
        parameter: str,
        on_lost: Callable[[int], None] | None = None,
    ) -> Subscription:
        """`Node.create_subscription`, watched.

        Args:
            kind, topic, callback, profile: As there; overrides change a copy of the profile.
            status: Name of the diagnostics status that tells of it.
            parameter: Sets the reliability of the profile; empty: none does.
            on_lost: Called with a number of messages that were sent but will never be received;
                first with 0, unless the middleware does not tell.

        Raises:
            ConfigError: an override cannot be used.
        """
        make = functools.partial(
            self._made,
            self._node.create_subscription,
            "subscription",
            (kind, topic, callback),
            profile,
            about=(status, parameter),
        )
        if on_lost is not None:
            told = functools.partial(
                SubscriptionEventCallbacks,
                message_lost=lambda event: on_lost(event.total_count_change),
            )
            try:
                made = make(callbacks=told)
            except UnsupportedEventTypeError:
                pass
            else:
                on_lost(0)
                return made
        return make(callbacks=SubscriptionEventCallbacks)

    def publisher(
        self, kind: type, topic: str, profile: QoSProfile, *, status: str, parameter: str = ""
    ) -> LifecyclePublisher:
        """`LifecycleNode.create_lifecycle_publisher`, watched; arguments as of `subscribe`."""
        return self._made(
            self._node.create_lifecycle_publisher,
            "publisher",
            (kind, topic),
            profile,
            PublisherEventCallbacks,
            (status, parameter),
        )

    def destroy(self, made: Subscription | LifecyclePublisher) -> None:
        """Remove it from the node."""
        watched = self._watched.pop(made)
        if watched.incoming:
            self._node.destroy_subscription(made)
        else:
            self._node.destroy_lifecycle_publisher(made)

    def problems(self, status: str) -> list[str]:
        """What is wrong now, a sentence for each policy and node: topic, both sides, the remedy.

        A subscription that hears another publisher has no problem.

        Args:
            status: Of those to be told of.
        """
        return [
            sentence
            for watched in tuple(self._watched.values())
            if watched.status == status and watched.policy
            for sentence in self._told(watched)
        ]

    def source(self, status: str) -> Source:
        """Tells the diagnostics of the problems of one status."""

        def tell(report: Report) -> Status:
            problems = self.problems(status)
            return Status(ERROR, "; ".join(problems)) if problems else Status()

        return tell

    def _made(
        self,
        create: Callable[..., Any],
        entity: str,
        arguments: tuple[Any, ...],
        profile: QoSProfile,
        callbacks: Callable[..., Any],
        about: tuple[str, str],
    ) -> Any:
        kind, topic = arguments[:2]
        profile = copy.copy(profile)  # rclpy writes overrides into the one that it is given
        options = qos.overrides(self._node, topic, entity)
        found: list[_Watched] = []  # the event may come before `create` returns

        def on_incompatible(event: Any) -> None:
            if found and found[0] in self._watched.values():
                self._on_event(found[0], event)

        made = create(
            *arguments,
            profile,
            event_callbacks=callbacks(incompatible_qos=on_incompatible),
            qos_overriding_options=options,
        )
        status, parameter = about
        package = kind.__module__.partition(".")[0]
        watched = _Watched(
            status=status,
            topic=self._node.resolve_topic_name(topic),
            incoming=entity == "subscription",
            parameter=parameter,
            ours=endpoint(
                self._node.get_fully_qualified_name(), f"{package}/msg/{kind.__name__}", profile
            ),
        )
        self._watched[made] = watched
        found.append(watched)
        return made

    def _on_event(self, watched: _Watched, event: Any) -> None:
        if event.total_count_change <= 0:
            return
        watched.policy = qos_policy_name_from_kind(event.last_policy_kind).lower()
        # The graph may know of it a moment later: the diagnostics then say the rest.
        who = "a publisher" if watched.incoming else "a subscriber"
        general = f"{watched.topic}: the {watched.policy} of {who} does not fit this node's"
        for sentence in self._told(watched) or [general]:
            self._on_conflict(watched.topic, sentence)

    def _told(self, watched: _Watched) -> list[str]:
        ours = watched.ours
        if watched.incoming:
            found = self._node.get_publishers_info_by_topic(watched.topic)
        else:
            found = self._node.get_subscriptions_info_by_topic(watched.topic)
        theirs = tuple(one for one in endpoints(found) if one.kind == ours.kind)
        topic = Topic(watched.topic, "", watched.incoming, ours, theirs)
        conflicts = {one: incompatible(topic, one) for one in theirs}
        if watched.incoming and not all(conflicts.values()):
            return []
        return [
            self._sentence(watched, other.node, policy, mine, its)
            for other, policies in conflicts.items()
            for policy, mine, its in policies
        ]

    def _sentence(
        self, watched: _Watched, node: str, policy: str, ours: str, theirs: str
    ) -> str:
        if "_UNKNOWN_" in node:  # discovered a moment before its node's name
            node = "the other node"
        override = qos.override_name(
            watched.topic, "subscription" if watched.incoming else "publisher", policy
        )
        if policy == "reliability" and watched.parameter and not self._node.has_parameter(override):
            change = f"set {watched.parameter}: {_PROFILE_OF.get(theirs, theirs)}"
        elif policy in ("reliability", "durability"):
            change = f"start the node with the parameter {override}: {theirs}"
        else:
            change = ""
        mine, its = ("requests", "offers") if watched.incoming else ("offers", "requests")
        remedy = f"make {node} {its.removesuffix('s')} {ours}"
        if change:
            remedy = f"{change} (read by configure), or {remedy}"
        return (
            f"{watched.topic}: {policy}: this node {mine} {ours}, {node} {its} {theirs}: {remedy}"
        )
