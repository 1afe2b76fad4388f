"""Asks all sources and makes the message."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Header

from egmt_ros.ros.diagnostics.inputs import InputSource
from egmt_ros.ros.diagnostics.model import model_source
from egmt_ros.ros.diagnostics.pairing import pairing_source
from egmt_ros.ros.diagnostics.process import ProcessSource
from egmt_ros.ros.diagnostics.state import InputState, NodeState
from egmt_ros.ros.diagnostics.status import ERROR, Report, Source, Status, merge, message_of

_CONFIGURED = ("inactive", "activating", "active", "deactivating")


class DiagnosticsBuilder:
    """Makes the DiagnosticArray; rates are taken between two calls.

    Sources may be added and forgotten in any thread.

    Args:
        node_name: Fully qualified name of the node, the hardware_id.
        state: Of the node.
        inputs: By side name, "thermal" and "visible".
        account: Returns counts per side name.
        expected_rate: Returns the rate at which images of a side should come, Hz; 0: unknown.
        now: Steady clock, ns.
    """

    def __init__(
        self,
        node_name: str,
        state: NodeState,
        inputs: Mapping[str, InputState],
        account: Callable[[], Mapping[str, Mapping[str, int]]],
        expected_rate: Callable[[str], float] = lambda side: 0.0,
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._hardware_id = node_name
        self._state = state
        self._account = account
        self._now = now
        self._last: tuple[int, dict[str, int]] | None = None
        self._configured_since: int | None = None
        self._lock = threading.Lock()
        self._sources: tuple[tuple[str, Source], ...] = ()
        for side, of in inputs.items():
            rate = functools.partial(expected_rate, side)
            self.add(f"{side} input", InputSource(side, of, state, rate))
        self.add("pairing", pairing_source(state, tuple(inputs)))
        self.add("model", model_source(state))
        self.add("process", ProcessSource(state))

    def add(self, name: str, source: Source) -> Callable[[], None]:
        """Ask this source from now on, for the status of this name.

        Returns:
            Forgets the source again.
        """
        entry = (name, source)
        with self._lock:
            self._sources = (*self._sources, entry)

        def forget() -> None:
            with self._lock:
                self._sources = tuple(one for one in self._sources if one is not entry)

        return forget

    def build(self, stamp: Time) -> DiagnosticArray:
        """The statuses in the order in which their names were first added.

        Args:
            stamp: Of the message, by the node's clock.
        """
        report = self._report(stamp)
        said: dict[str, list[Status]] = {}
        for name, source in self._sources:
            said.setdefault(name, []).append(_ask(source, report))
        status = [
            message_of(name, self._hardware_id, merge(parts)) for name, parts in said.items()
        ]
        return DiagnosticArray(header=Header(stamp=stamp), status=status)

    def _report(self, stamp: Time) -> Report:
        now = self._now()
        counts = self._account()
        last_time, last = self._last or (now, {})
        new = {f"{side}.{key}": n for side, of in counts.items() for key, n in of.items()}
        new |= {"pairs": self._state.pairs, "errors": self._state.errors}
        self._last = (now, new)
        if self._state.phase not in _CONFIGURED:
            self._configured_since = None
        elif self._configured_since is None:
            self._configured_since = now
        return Report(
            now=now,
            clock=stamp.sec * 1_000_000_000 + stamp.nanosec,
            elapsed=(now - last_time) / 1e9,
            counts=counts,
            fresh={key: count - last.get(key, 0) for key, count in new.items()},
            configured_since=self._configured_since,
        )


def _ask(source: Source, report: Report) -> Status:
    """What a source says; one that fails must not silence the others."""
    try:
        return source(report) or Status()
    except Exception as error:
        return Status(ERROR, f"this status cannot be told: {error!r}")
