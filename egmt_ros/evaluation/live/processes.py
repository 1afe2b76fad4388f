"""The processes of a live run: a node under test and its helpers, started, heard and ended.

Every wait has a limit; whatever happens, no process stays behind.
"""

from __future__ import annotations

import math
import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.live.account import NodeDiagnostics, settled
from egmt_ros.evaluation.live.child import ChildProcess, Event
from egmt_ros.evaluation.live.topics import NODE_NAME, output_topics

NODE_COMMAND = (sys.executable, "-m", "egmt_ros.ros.fusion_node")


class LiveProcesses:
    """Child processes that share an environment, and what they have said.

    Args:
        logs: Folder of their logs.
        environment: Of all of them, see ``session_environment``.

    Attributes:
        seen: (process, event) -> data of its last occurrence.
        diagnostics: The node's newest.
        node_state: Of its life cycle, as the recorder sees it; "" before.
        given_up: Asked again and again while something is waited for; True interrupts.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = environment
        self._events: queue.Queue[Event] = queue.Queue()
        self._children: list[ChildProcess] = []
        self.seen: dict[tuple[str, str], dict[str, Any]] = {}
        self.diagnostics = NodeDiagnostics()
        self.node_state = ""
        self.given_up: Callable[[], bool] = lambda: False

    # --- processes ---------------------------------------------------------------------------

    def start(self, name: str, command: Sequence[str], *, events: bool = True) -> ChildProcess:
        """Starts a process; ``events``: whether it talks in JSON lines."""
        try:
            child = ChildProcess(name, command, log=self._logs / f"{name}.log",
                                 environment=self._environment,
                                 events=self._events if events else None)
        except OSError as error:
            raise EgmtError(
                f"The {name} cannot be started ({error}): {' '.join(map(str, command[:3]))}"
            ) from error
        self._children.append(child)
        return child

    def start_node(
        self,
        command: Sequence[str],
        *,
        remappings: Mapping[str, str],
        params_file: Path | None,
        parameters: Mapping[str, Any],
    ) -> ChildProcess:
        """Starts the fusion node; ``parameters`` go before the file's."""
        command = [*command, "--ros-args", "-r", f"__node:={NODE_NAME}"]
        for own, topic in remappings.items():
            command += ["-r", f"{own}:={topic}"]
        if params_file is not None:
            command += ["--params-file", str(params_file.resolve())]
        for name, value in {"autostart": True, **parameters}.items():
            command += ["-p", f"{name}:={parameter_text(value)}"]
        return self.start("node", command, events=False)

    def start_recorder(self, node_pid: int, log: Path, bag: Path | None = None) -> ChildProcess:
        """Starts what listens to the node; without ``bag`` only arrival times are kept."""
        topics = output_topics(NODE_NAME)
        command = [sys.executable, "-m", "egmt_ros.evaluation.live.recorder",
                   *([] if bag is None else [str(bag)]), "--log", str(log),
                   "--node", f"/{NODE_NAME}", "--node-pid", str(node_pid), "--attached"]
        for topic in topics.values():
            command += ["--topic", topic.name, topic.msgtype]
        command += ["--latched", *(t.name for t in topics.values() if t.latched)]
        command += ["--await", topics["image"].name, topics["entities"].name]
        return self.start("recorder", command)

    def wait_ready(self, node: ChildProcess, recorder: ChildProcess, start_timeout: float,
                   match_timeout: float) -> None:
        """Waits until the node is active and the recorder hears it."""
        self.wait(lambda: ("recorder", "ready") in self.seen, match_timeout,
                  "the recorder to start", [recorder, node])
        self.wait(lambda: self.node_state == "active", start_timeout,
                  "the node to become active", [node, recorder])
        self.wait(lambda: ("recorder", "publishers") in self.seen
                  and self.diagnostics.updates > 0, match_timeout,
                  "the node's outputs and diagnostics to appear", [node, recorder])

    def drain(self, node: ChildProcess, recorder: ChildProcess, timeout: float) -> bool:
        """Waits until two diagnostics in a row say that nothing is in flight or coming."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            before, updates = self.diagnostics.account(), self.diagnostics.updates
            self.wait(lambda u=updates: self.diagnostics.updates > u, timeout,
                      "the node's diagnostics", [node, recorder])
            if settled(before, self.diagnostics.account()):
                return True
        return False

    def stop_node(self, node: ChildProcess, timeout: float) -> int:
        """Ends the node by SIGINT; its exit status, which must be 0."""
        node.signal(signal.SIGINT)
        deadline = time.monotonic() + timeout
        while node.returncode() is None and time.monotonic() < deadline:
            self.pump(0.1)
        status = node.returncode()
        if status is None:
            raise EgmtError(
                f"The node did not end within {timeout:g} s of SIGINT. " + _where(node))
        if status != 0:
            raise EgmtError(
                f"The node ended with status {status} on SIGINT; expected 0. " + _where(node))
        return status

    def stop_recorder(self, recorder: ChildProcess, timeout: float) -> dict[str, Any]:
        """Has the recorder write what it has; what it said last."""
        recorder.tell("stop")
        self.wait(lambda: ("recorder", "done") in self.seen, timeout + 20.0,
                  "the recorder to write its files", [recorder])
        recorder.wait(timeout)
        return self.seen[("recorder", "done")]

    def end(self) -> None:
        """Ends whatever still runs, the latest first; nothing where all has ended."""
        for child in reversed(self._children):
            child.end()

    # --- events ------------------------------------------------------------------------------

    def wait(self, reached: Callable[[], bool], timeout: float, what: str,
             alive: Sequence[ChildProcess], advance: Callable[[], Any] | None = None) -> None:
        """Handles events until ``reached``.

        Args:
            timeout: Limit in seconds; it starts anew whenever ``advance`` gives a new value.
            what: What is waited for, for the error.
            alive: Processes whose end before that is an error; the first one should bring it
                about, so its log is named where the time runs out.

        Raises:
            EgmtError: The time ran out, or a process ended; the message names its log.
            KeyboardInterrupt: It was given up.
        """
        deadline = time.monotonic() + timeout
        mark = advance() if advance else None
        while not reached():
            self.pump(0.1)
            if reached():
                return
            if self.given_up():
                raise KeyboardInterrupt
            for child in alive:
                if (status := child.returncode()) is not None:
                    self.pump(0.2)  # its last words
                    if reached():
                        return
                    raise EgmtError(
                        f"The {child.name} ended with status {status} while waiting for {what}."
                        f" {_where(child)}")
            if advance is not None and advance() != mark:
                mark, deadline = advance(), time.monotonic() + timeout
            if time.monotonic() > deadline:
                waited_for = alive[0]
                state = f" (state: {self.node_state or 'unknown'})"
                raise EgmtError(
                    f"Waited {timeout:g} s in vain for {what}"
                    f"{state if waited_for.name == 'node' else ''}. {_where(waited_for)}")

    def pump(self, timeout: float) -> None:
        """Handles the events that are there, waiting at most ``timeout`` for the first."""
        try:
            event = self._events.get(timeout=timeout)
            while True:
                self._handle(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def on_progress(self, source: str, data: dict[str, Any]) -> None:
        """Called with the progress that a process reports; does nothing here."""

    def _handle(self, event: Event) -> None:
        if event.name == "diagnostics":
            self.diagnostics.update(event.data["statuses"])
            fault = self.diagnostics.model_error()
            if fault and self.node_state not in ("active", "finalized"):
                raise EgmtError(f"The node cannot start: {fault}. " + _where(self._children[0]))
        elif event.name == "state":
            self.node_state = event.data["label"]
        elif event.name == "error":
            child = next(c for c in self._children if c.name == event.source)
            raise EgmtError(f"{event.data['message']} (said by the {event.source}; log: "
                            f"{child.log})")
        else:
            if event.name == "progress":
                self.on_progress(event.source, event.data)
            self.seen[(event.source, event.name)] = event.data


def parameter_text(value: Any) -> str:
    """A parameter value as ``--ros-args -p`` takes it (YAML)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        # ROS cannot tell the type of an empty list; [""] stands for none.
        return "[" + ", ".join(parameter_text(item) for item in value or ("",)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return repr(value)


def _where(child: ChildProcess) -> str:
    tail = child.log_tail()
    return f"Its log is {child.log}" + (f", which ends:\n{tail}" if tail else " (empty).")
