"""What the node says about itself on /diagnostics, and the thread that says it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from egmt_ros.pipeline.latency import SlidingPercentiles
from egmt_ros.pipeline.results import ThermalReading

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR

# An input that is silent for longer than this is worth a warning, seconds.
SILENCE = 2.0


@dataclass
class ThermalDefects:
    """Dead pixels and lines of the fused thermal images. Written by the worker's thread."""

    last: ThermalReading | None = None
    filled_pixels: int = 0  # of all images together
    repaired_lines: int = 0

    def add(self, reading: ThermalReading) -> None:
        """Count those of one more image."""
        self.last = reading
        self.filled_pixels += reading.filled_pixels
        if reading.lines_repaired:
            self.repaired_lines += reading.dead_rows + reading.dead_columns

    def values(self) -> dict[str, object]:
        """For /diagnostics: the last image's counts and temperatures, and totals."""
        last = self.last
        if last is None:
            return {}
        values = {
            "last_filled_pixels": last.filled_pixels,
            "last_dead_rows": last.dead_rows,
            "last_dead_columns": last.dead_columns,
            "filled_pixels": self.filled_pixels,
            "repaired_lines": self.repaired_lines,
        }
        if not math.isnan(last.min_celsius):
            values |= {"min_celsius": last.min_celsius, "max_celsius": last.max_celsius}
        return values

    def warning(self) -> str:
        """What is worth a warning: dead lines that stay in the image; empty: nothing."""
        last = self.last
        if last is None or last.lines_repaired or not last.dead_rows + last.dead_columns:
            return ""
        return (
            f"{last.dead_rows} dead rows and {last.dead_columns} dead columns in the thermal"
            " image: set thermal.repair_lines to true to have them interpolated"
        )


@dataclass
class InputState:
    """What is known of one input besides its account. Written by the executor's thread, but for
    `defects`.
    """

    topic: str
    publishers: Callable[[], int] = lambda: 0  # on the topic
    matched: Callable[[], int | None] = lambda: 0  # of them, those whose QoS fits ours
    encoding: str = ""
    width: int = 0
    height: int = 0
    last_arrival: int | None = None  # steady ns
    last_reject: str = ""
    defects: ThermalDefects = field(default_factory=ThermalDefects)  # of the thermal input


@dataclass
class NodeState:
    """What the node tells its diagnostics; each field is replaced as a whole."""

    phase: str = "unconfigured"
    enabled: bool = True
    fault: str = ""  # why the last transition failed
    worker_lives: Callable[[], bool] = lambda: True  # from before active until after it
    last_error: str = ""  # of inference or publishing
    errors: int = 0
    pairs: int = 0
    resets: int = 0
    processing_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    latency_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    wait_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    gap_ms: SlidingPercentiles = field(default_factory=SlidingPercentiles)
    model: Mapping[str, object] = field(default_factory=dict)


class DiagnosticsBuilder:
    """Makes the DiagnosticArray; rates are taken between two calls.

    Args:
        node_name: Fully qualified name of the node, the hardware_id.
        state: Of the node.
        inputs: By side name, "thermal" and "visible".
        account: Returns counts per side name.
        now: Steady clock, ns.
    """

    def __init__(
        self,
        node_name: str,
        state: NodeState,
        inputs: Mapping[str, InputState],
        account: Callable[[], Mapping[str, Mapping[str, int]]],
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._hardware_id = node_name
        self._state = state
        self._inputs = inputs
        self._account = account
        self._now = now
        self._last: tuple[int, dict[str, int]] | None = None
        self._configured_since: int | None = None

    def build(self, stamp: Time) -> DiagnosticArray:
        """The four statuses, of thermal input, visible input, pairing and model.

        Args:
            stamp: Of the message, by the node's clock.
        """
        now = self._now()
        counts = self._account()
        last_time, last = self._last or (now, {})
        elapsed = (now - last_time) / 1e9
        new = {f"{side}.{key}": n for side, of in counts.items() for key, n in of.items()}
        new |= {"pairs": self._state.pairs, "errors": self._state.errors}
        fresh = {key: count - last.get(key, 0) for key, count in new.items()}
        self._last = (now, new)
        configured = self._state.phase in ("inactive", "activating", "active", "deactivating")
        if not configured:
            self._configured_since = None
        elif self._configured_since is None:
            self._configured_since = now
        status = [
            self._input(side, counts.get(side, {}), fresh, elapsed, now) for side in self._inputs
        ]
        status += [self._pairing(fresh), self._model(fresh)]
        return DiagnosticArray(header=Header(stamp=stamp), status=status)

    def _status(
        self, name: str, level: bytes, message: str, values: Mapping[str, object]
    ) -> DiagnosticStatus:
        return DiagnosticStatus(
            name=f"egmt_fusion: {name}",
            level=level,
            message=message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()],
        )

    def _input(
        self,
        side: str,
        counts: Mapping[str, int],
        fresh: Mapping[str, int],
        elapsed: float,
        now: int,
    ) -> DiagnosticStatus:
        state = self._inputs[side]
        rate = fresh.get(f"{side}.received", 0) / elapsed if elapsed > 0 else 0.0
        silent_since = state.last_arrival or self._configured_since
        silence = (now - silent_since) / 1e9 if silent_since is not None else 0.0
        rejected = fresh.get(f"{side}.rejected", 0)
        publishers, matched = state.publishers(), state.matched()
        level, message = OK, f"{rate:.1f} Hz"
        if self._configured_since is None:
            message = f"not subscribed: {self._state.phase}"
        elif silence > SILENCE:
            level = WARN
            message = f"no image on {state.topic} for {silence:.0f} s, {publishers} publishers"
            if matched is not None and matched < publishers:
                message += (
                    f", {publishers - matched} of them with a QoS that ours does not fit: check"
                    f" input.{side}.reliability"
                )
        elif rejected:
            level = WARN
            message = f"{rejected} images rejected, last: {state.last_reject}"
        elif state.defects.warning():
            level, message = WARN, state.defects.warning()
        values = {
            "topic": state.topic,
            "publishers": publishers,
            "matched": "" if matched is None else matched,
            "rate_hz": rate,
            "age_s": "" if state.last_arrival is None else (now - state.last_arrival) / 1e9,
            "encoding": state.encoding,
            "width": state.width,
            "height": state.height,
            **counts,
            "last_reject": state.last_reject,
            **state.defects.values(),
        }
        return self._status(f"{side} input", level, message, values)

    def _pairing(self, fresh: Mapping[str, int]) -> DiagnosticStatus:
        state = self._state
        level, message = OK, f"{fresh['pairs']} pairs since the last report"
        # The frames of the last moment may still wait: unpaired ones are those given up.
        starving = (
            state.phase == "active"
            and not fresh["pairs"]
            and all(fresh.get(f"{side}.unpaired", 0) for side in self._inputs)
        )
        if starving:
            level = WARN
            message = (
                "both cameras send, but no two stamps are within sync.max_gap: check the"
                " cameras' clocks, sync.max_gap, sync.thermal_offset and sync.visible_offset"
            )
        values = {"pairs": state.pairs, "resets": state.resets}
        values |= _percentiles("gap_ms", state.gap_ms, (50, 95))
        return self._status("pairing", level, message, values)

    def _model(self, fresh: Mapping[str, int]) -> DiagnosticStatus:
        state = self._state
        lives = state.worker_lives()  # asked first: the phase changes before it is told to end
        level, message = OK, state.phase if state.enabled else f"{state.phase}, disabled"
        if state.fault:
            level, message = ERROR, f"{state.phase}: {state.fault}"
        elif not lives and state.phase == "active":
            level, message = ERROR, (
                "the worker's thread has ended, nothing is fused: the log says why; deactivate and"
                " activate the node"
            )
        elif fresh["errors"]:
            level, message = ERROR, f"{fresh['errors']} pairs failed, last: {state.last_error}"
        values = {
            "state": state.phase,
            "enabled": state.enabled,
            **state.model,
            "errors": state.errors,
            "last_error": state.last_error,
        }
        values |= _percentiles("processing_ms", state.processing_ms, (50, 95))
        values |= _percentiles("latency_ms", state.latency_ms, (50, 95, 99))
        values |= _percentiles("wait_ms", state.wait_ms, (50, 95))
        return self._status("model", level, message, values)


class DiagnosticsThread:
    """Calls `publish` every period, on the steady clock, whatever the executor is busy with.

    Loading weights and warming up block the executor for seconds; a timer would be silent then.

    Args:
        publish: Called from this thread, first at once.
        period: Returns the seconds until the next call.
        on_error: Called with what `publish` raised; the thread goes on.
    """

    def __init__(
        self,
        publish: Callable[[], None],
        period: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._publish = publish
        self._period = period
        self._on_error = on_error
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="egmt_diagnostics", daemon=True)

    def start(self) -> None:
        """Report from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Report now."""
        self._wake.set()

    def stop(self) -> None:
        """Report no more; waits for the report that is under way."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            start = time.monotonic()
            try:
                self._publish()
            except Exception as error:
                self._on_error(error)
            self._wake.wait(max(0.0, start + self._period() - time.monotonic()))
            self._wake.clear()


def _percentiles(
    name: str, window: SlidingPercentiles, ranks: tuple[int, ...]
) -> dict[str, object]:
    values = window.percentiles(ranks) or [""] * len(ranks)
    return {f"{name}_p{rank}": value for rank, value in zip(ranks, values, strict=True)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)
