"""What is told of an input: how often images come, what became of them."""

from __future__ import annotations

from egmt_ros.ros.diagnostics.state import InputState, NodeState
from egmt_ros.ros.diagnostics.status import OK, WARN, Report, Status

# An input that is silent for longer than this is worth a warning, seconds.
SILENCE = 2.0


class InputSource:
    """Tells of one input.

    Args:
        side: "thermal" or "visible".
        state: What is known of it.
        node: The node's own state.
    """

    def __init__(self, side: str, state: InputState, node: NodeState) -> None:
        self._side = side
        self._state = state
        self._node = node

    def __call__(self, report: Report) -> Status:
        state = self._state
        publishers, matched = state.publishers(), state.matched()
        rate = report.rate(f"{self._side}.received")
        level, message = self._judge(report, rate, publishers, matched)
        values = {
            "topic": state.topic,
            "publishers": publishers,
            "matched": "" if matched is None else matched,
            "rate_hz": rate,
            "age_s": "" if state.last_arrival is None else _seconds(report, state.last_arrival),
            "encoding": state.encoding,
            "width": state.width,
            "height": state.height,
            **report.counts.get(self._side, {}),
            "last_reject": state.last_reject,
            **state.defects.values(),
        }
        return Status(level, message, values)

    def _judge(
        self, report: Report, rate: float, publishers: int, matched: int | None
    ) -> tuple[bytes, str]:
        """Level and message."""
        state = self._state
        if report.configured_since is None:
            return OK, f"not subscribed: {self._node.phase}"
        silence = _seconds(report, state.last_arrival or report.configured_since)
        if silence > SILENCE:
            message = f"no image on {state.topic} for {silence:.0f} s, {publishers} publishers"
            if matched is not None and matched < publishers:
                message += (
                    f", {publishers - matched} of them with a QoS that ours does not fit: check"
                    f" input.{self._side}.qos"
                )
            return WARN, message
        rejected = report.fresh.get(f"{self._side}.rejected", 0)
        if rejected:
            return WARN, f"{rejected} images rejected, last: {state.last_reject}"
        if state.defects.warning():
            return WARN, state.defects.warning()
        return OK, f"{rate:.1f} Hz"


def _seconds(report: Report, since: int) -> float:
    """Since a time on the steady clock, ns."""
    return (report.now - since) / 1e9
