"""What is told of an input: how often images come, what became of them, what is lost."""

from __future__ import annotations

import math
from collections.abc import Callable

from egmt_ros.pipeline.rate import SlidingRate
from egmt_ros.ros.diagnostics.state import InputState, NodeState
from egmt_ros.ros.diagnostics.status import OK, WARN, Report, Status

# An input that is silent for longer than this is worth a warning, seconds; of a slow camera, than
# three periods of its expected rate.
SILENCE = 2.0

# Rates are taken over this time, seconds.
RATE_WINDOW = 5.0


class InputSource:
    """Tells of one input.

    Args:
        side: "thermal" or "visible".
        state: What is known of it.
        node: The node's own state.
        expected_rate: Returns the rate at which images should come, Hz; 0: unknown.
    """

    def __init__(
        self,
        side: str,
        state: InputState,
        node: NodeState,
        expected_rate: Callable[[], float],
    ) -> None:
        self._side = side
        self._state = state
        self._node = node
        self._expected_rate = expected_rate
        self._rate = SlidingRate(RATE_WINDOW)
        self._lost = 0  # at the last report

    def __call__(self, report: Report) -> Status:
        state = self._state
        publishers, matched = state.publishers(), state.matched()
        expected = self._expected_rate()
        lost, self._lost = state.lost - self._lost, state.lost
        age = _seconds(report, state.last_arrival)
        silence = min(age, _seconds(report, report.configured_since))
        silent = silence > max(SILENCE, 3.0 / expected if expected else 0.0)
        if silent or report.configured_since is None:
            self._rate.clear()
        else:
            received = report.counts.get(self._side, {}).get("received", 0)
            self._rate.update(report.now / 1e9, received)
        level, message = OK, f"{self._rate.rate:.1f} Hz"
        if report.configured_since is None:
            message = f"not subscribed: {self._node.phase}"
        else:
            said = [
                self._silent(silence, publishers, matched) if silent else "",
                self._losing(lost, report),
                self._slow(expected, lost),
                self._rejecting(report),
                state.defects.warning(),
            ]
            warnings = [warning for warning in said if warning]
            if warnings:
                level, message = WARN, "; ".join(warnings)
        values = {
            "topic": state.topic,
            "publishers": publishers,
            "matched": "" if matched is None else matched,
            "rate_hz": self._rate.rate,
            "expected_rate_hz": expected or "",
            "age_s": "" if state.last_arrival is None else age,
            "stamp_age_s": self._stamp_age(report),
            "encoding": state.encoding,
            "width": state.width,
            "height": state.height,
            **report.counts.get(self._side, {}),
            "lost": state.lost if state.tells_lost else "",
            "last_reject": state.last_reject,
            **state.defects.values(),
        }
        return Status(level, message, values)

    def _stamp_age(self, report: Report) -> object:
        """The node's time minus the last image's stamp, s; empty before the first /clock."""
        stamp = self._state.last_stamp
        return "" if stamp is None or not report.clock else (report.clock - stamp) / 1e9

    def _silent(self, silence: float, publishers: int, matched: int | None) -> str:
        message = f"no image on {self._state.topic} for {silence:.0f} s, {publishers} publishers"
        if matched is not None and matched < publishers:
            message += (
                f", {publishers - matched} of them with a QoS that ours does not fit: check"
                f" input.{self._side}.qos"
            )
        return message

    def _losing(self, lost: int, report: Report) -> str:
        if lost <= 0:
            return ""
        sent = lost + report.fresh.get(f"{self._side}.received", 0)
        return (
            f"{lost} of {sent} images on {self._state.topic} were lost on their way: start the"
            " camera's driver with the node's DDS profile, too (a best-effort sender's shared"
            " memory is too small for images without it), or make both sides reliable"
            f" (input.{self._side}.qos)"
        )

    def _slow(self, expected: float, lost: int) -> str:
        if not expected or not self._rate.short_of(expected):
            return ""
        message = (
            f"{self._rate.rate:.1f} Hz on {self._state.topic}, expected {expected:g} Hz"
            f" (diagnostics.{self._side}_rate)"
        )
        if lost > 0:
            return message
        if self._state.tells_lost:
            return f"{message}, and none was lost on its way: look at the camera and its driver"
        return (
            f"{message}: look at the camera and its driver, and start the driver with the node's"
            " DDS profile, too"
        )

    def _rejecting(self, report: Report) -> str:
        rejected = report.fresh.get(f"{self._side}.rejected", 0)
        return f"{rejected} images rejected, last: {self._state.last_reject}" if rejected else ""


def _seconds(report: Report, since: int | None) -> float:
    """Since a time on the steady clock, ns; infinite without one."""
    return math.inf if since is None else (report.now - since) / 1e9
