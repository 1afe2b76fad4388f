"""One live session: a bag played over DDS into a real node, whose outputs are recorded.

Three processes run: the node, a recorder and a player. They share a ROS domain of their own that
does not leave this machine. Every wait has a limit; whatever happens, no process stays behind.
"""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.live.account import NodeDiagnostics, settled
from egmt_ros.evaluation.live.child import ChildProcess, Event
from egmt_ros.evaluation.live.environment import (
    require_ros,
    reserved_domain,
    session_environment,
)
from egmt_ros.evaluation.live.progress import PlayProgress
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.live.topics import check_inputs, output_topics

NODE_NAME = "egmt_fusion"


@dataclass(frozen=True)
class SessionOptions:
    """How a bag is replayed. Times in seconds.

    Attributes:
        thermal_topic, visible_topic: Inputs in the bag.
        ground_truth_topic: EntityLabelArray topic of the bag with what is really there, or "".
        rate, loops: Speed and number of passes.
        params_file: Parameters of the node; None: the package's config/fusion.yaml.
        parameters: Parameters set beyond the file.
        publish_clock: Whether the player publishes /clock.
        domain_id: ROS domain; None: a free one.
        node_command: What starts the node, before ``--ros-args``.
        progress: Show a progress bar.
        start_timeout: For the node to become active (loading the network included).
        match_timeout, drain_timeout, stop_timeout: For publishers and subscribers to find each
            other, for the last frames to be settled, for a process to end.
        linger: How long the player stays after the last message.
    """

    thermal_topic: str = "/thermal/image_raw"
    visible_topic: str = "/visible/image_raw"
    ground_truth_topic: str = "/ground_truth/entities"
    rate: float = 1.0
    loops: int = 1
    params_file: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    publish_clock: bool = True
    domain_id: int | None = None
    node_command: Sequence[str] = (sys.executable, "-m", "egmt_ros.ros.fusion_node")
    progress: bool = True
    start_timeout: float = 90.0
    match_timeout: float = 20.0
    drain_timeout: float = 10.0
    stop_timeout: float = 10.0
    linger: float = 0.7


def run_session(
    bag: Path, out_dir: Path, options: SessionOptions | None = None
) -> SessionResult:
    """Replays a bag through the node and records what comes out.

    Args:
        bag: rosbag2 folder or mcap file.
        out_dir: Folder for the recorded bag ("bag"), the CSV files, session.json and logs. Its
            "bag" must not exist.
        options: How to replay.

    Raises:
        MissingDependencyError: rclpy or egmt_msgs is not installed.
        BagError: The bag is damaged or lacks an input topic.
        EgmtError: A process failed or did not answer in time; the message names its log.
    """
    options = options or SessionOptions()
    require_ros()
    ground_truth = check_inputs(bag, options)
    out_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        domain = stack.enter_context(reserved_domain(options.domain_id))
        session = _Session(bag.resolve(), out_dir.resolve(), options, domain, ground_truth)
        stack.callback(session.end)
        result = session.run()
    result.save(out_dir / "session.json")
    return result


class _Session:
    """The state of one session and its steps, in the order of ``run``."""

    def __init__(self, bag: Path, out_dir: Path, options: SessionOptions, domain: int,
                 ground_truth: str) -> None:
        self._bag = bag
        self._out = out_dir
        self._options = options
        self._domain = domain
        self._logs = out_dir / "logs"
        self._environment, warning = session_environment(domain, self._logs)
        self._notes = [warning] if warning else []
        self._parameters = dict(options.parameters)
        if warning:
            for side in ("thermal", "visible"):
                self._parameters.setdefault(f"input.{side}.reliability", "reliable")
        self._topics = {
            "thermal": options.thermal_topic,
            "visible": options.visible_topic,
            **({"ground_truth": ground_truth} if ground_truth else {}),
            **{role: topic.name for role, topic in output_topics(NODE_NAME).items()},
        }
        self._events: queue.Queue[Event] = queue.Queue()
        self._children: list[ChildProcess] = []
        self._seen: dict[tuple[str, str], dict[str, Any]] = {}
        self._diagnostics = NodeDiagnostics()
        self._node_state = ""
        self._progress: PlayProgress | None = None

    # --- the steps -------------------------------------------------------------------------

    def run(self) -> SessionResult:
        options = self._options
        begin = time.monotonic()
        node = self._start_node()
        recorder = self._start_recorder(node.pid)
        self._wait(lambda: ("recorder", "ready") in self._seen, options.match_timeout,
                   "the recorder to start", [recorder, node])
        self._wait(lambda: self._node_state == "active", options.start_timeout,
                   "the node to become active", [node, recorder])
        self._wait(lambda: ("recorder", "publishers") in self._seen
                   and self._diagnostics.updates > 0, options.match_timeout,
                   "the node's outputs and diagnostics to appear", [node, recorder])
        player = self._start_player()
        self._wait(lambda: ("player", "matched") in self._seen, options.match_timeout + 15.0,
                   "the player and the node to find each other", [node, recorder, player])
        started = time.monotonic() - begin
        play_s, done = self._play(node, recorder, player)
        drained = self._drain(node, recorder)
        status = self._stop_node(node)
        recorded = self._stop_recorder(recorder)
        if recorded.get("unwritten"):
            self._notes.append(
                f"The disk was too slow: {recorded['unwritten']} messages were not recorded.")
        return SessionResult(
            folder=self._out, source_bag=self._bag, output_bag=self._out / "bag",
            sent_csv=self._out / "sent.csv", received_csv=self._out / "received.csv",
            node_log=node.log, topics=self._topics, account=self._diagnostics.account(),
            diagnostics=self._diagnostics.statuses, sent=done.get("sent", {}),
            rate=options.rate, loops=options.loops, domain_id=self._domain, drained=drained,
            interrupted=bool(done.get("interrupted")), node_exit=status,
            start_s=round(started, 3), play_s=round(play_s, 3),
            middleware=self._seen[("recorder", "ready")].get("rmw", ""),
            parameters=self._parameters, notes=tuple(self._notes),
        )

    def _start_node(self) -> ChildProcess:
        options = self._options
        command = [*options.node_command, "--ros-args", "-r", f"__node:={NODE_NAME}",
                   "-r", f"~/input/thermal/image:={options.thermal_topic}",
                   "-r", f"~/input/visible/image:={options.visible_topic}"]
        if options.params_file is not None:
            command += ["--params-file", str(options.params_file.resolve())]
        for name, value in {"autostart": True, **self._parameters}.items():
            command += ["-p", f"{name}:={parameter_text(value)}"]
        return self._start("node", command, events=False)

    def _start_recorder(self, node_pid: int) -> ChildProcess:
        topics = output_topics(NODE_NAME)
        command = [sys.executable, "-m", "egmt_ros.evaluation.live.recorder",
                   str(self._out / "bag"), "--log", str(self._out / "received.csv"),
                   "--node", f"/{NODE_NAME}", "--node-pid", str(node_pid), "--attached"]
        for topic in topics.values():
            command += ["--topic", topic.name, topic.msgtype]
        command += ["--latched", *(t.name for t in topics.values() if t.latched)]
        command += ["--await", topics["image"].name, topics["entities"].name]
        return self._start("recorder", command)

    def _start_player(self) -> ChildProcess:
        options = self._options
        command = [sys.executable, "-m", "egmt_ros.evaluation.live.player", str(self._bag),
                   "--topics", options.thermal_topic, options.visible_topic,
                   "--rate", str(options.rate), "--loop", str(options.loops),
                   "--log", str(self._out / "sent.csv"), "--linger", str(options.linger),
                   "--match-timeout", str(options.match_timeout), "--attached"]
        if not options.publish_clock:
            command.append("--no-clock")
        return self._start("player", command)

    def _play(self, node: ChildProcess, recorder: ChildProcess,
              player: ChildProcess) -> tuple[float, dict[str, Any]]:
        begin = time.monotonic()
        total = int(self._seen[("player", "matched")].get("total", 0))
        image_topic = self._topics["image"]
        with PlayProgress(total, image_topic, show=self._options.progress) as progress:
            self._progress = progress
            player.tell("play")
            # However long the bag is: a player that reports no progress for a while is stuck.
            self._wait(lambda: ("player", "done") in self._seen, 30.0, "the player to go on",
                       [player, node, recorder], advance=lambda: progress.reports)
            self._progress = None
        played = time.monotonic() - begin - self._options.linger
        player.wait(self._options.stop_timeout)
        return played, self._seen[("player", "done")]

    def _drain(self, node: ChildProcess, recorder: ChildProcess) -> bool:
        """Waits until two diagnostics in a row say that nothing is in flight or coming."""
        deadline = time.monotonic() + self._options.drain_timeout
        while time.monotonic() < deadline:
            before, updates = self._diagnostics.account(), self._diagnostics.updates
            self._wait(lambda u=updates: self._diagnostics.updates > u,
                       self._options.drain_timeout, "the node's diagnostics", [node, recorder])
            if settled(before, self._diagnostics.account()):
                return True
        return False

    def _stop_node(self, node: ChildProcess) -> int:
        node.signal(signal.SIGINT)
        deadline = time.monotonic() + self._options.stop_timeout
        while node.returncode() is None and time.monotonic() < deadline:
            self._pump(0.1)
        status = node.returncode()
        if status is None:
            raise EgmtError(
                f"The node did not end within {self._options.stop_timeout:g} s of SIGINT. "
                + _where(node))
        if status != 0:
            raise EgmtError(
                f"The node ended with status {status} on SIGINT; expected 0. " + _where(node))
        return status

    def _stop_recorder(self, recorder: ChildProcess) -> dict[str, Any]:
        recorder.tell("stop")
        self._wait(lambda: ("recorder", "done") in self._seen, self._options.stop_timeout + 20.0,
                   "the recorder to write the bag", [recorder])
        recorder.wait(self._options.stop_timeout)
        return self._seen[("recorder", "done")]

    def end(self) -> None:
        """Ends whatever still runs, the latest first; nothing where all has ended."""
        for child in reversed(self._children):
            child.end()

    # --- processes and events --------------------------------------------------------------

    def _start(self, name: str, command: Sequence[str], *, events: bool = True) -> ChildProcess:
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

    def _wait(self, reached: Callable[[], bool], timeout: float, what: str,
              alive: Sequence[ChildProcess], advance: Callable[[], Any] | None = None) -> None:
        """Handles events until ``reached``.

        Args:
            timeout: Limit in seconds; it starts anew whenever ``advance`` gives a new value.
            what: What is waited for, for the error.
            alive: Processes whose end before that is an error; the first one should bring it
                about, so its log is named where the time runs out.
        """
        deadline = time.monotonic() + timeout
        mark = advance() if advance else None
        while not reached():
            self._pump(0.1)
            if reached():
                return
            for child in alive:
                if (status := child.returncode()) is not None:
                    self._pump(0.2)  # its last words
                    if reached():
                        return
                    raise EgmtError(
                        f"The {child.name} ended with status {status} while waiting for {what}."
                        f" {_where(child)}")
            if advance is not None and advance() != mark:
                mark, deadline = advance(), time.monotonic() + timeout
            if time.monotonic() > deadline:
                waited_for = alive[0]
                state = f" (state: {self._node_state or 'unknown'})"
                raise EgmtError(
                    f"Waited {timeout:g} s in vain for {what}"
                    f"{state if waited_for.name == 'node' else ''}. {_where(waited_for)}")

    def _pump(self, timeout: float) -> None:
        """Handles the events that are there, waiting at most ``timeout`` for the first."""
        try:
            event = self._events.get(timeout=timeout)
            while True:
                self._handle(event)
                event = self._events.get_nowait()
        except queue.Empty:
            return

    def _handle(self, event: Event) -> None:
        if event.name == "diagnostics":
            self._diagnostics.update(event.data["statuses"])
            fault = self._diagnostics.model_error()
            if fault and self._node_state not in ("active", "finalized"):
                raise EgmtError(f"The node cannot start: {fault}. " + _where(self._children[0]))
        elif event.name == "state":
            self._node_state = event.data["label"]
        elif event.name == "error":
            child = next(c for c in self._children if c.name == event.source)
            raise EgmtError(f"{event.data['message']} (said by the {event.source}; log: "
                            f"{child.log})")
        else:
            if event.name == "progress" and self._progress is not None:
                self._progress.update(event.source, event.data)
            self._seen[(event.source, event.name)] = event.data


def parameter_text(value: Any) -> str:
    """A parameter value as ``--ros-args -p`` takes it (YAML)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(parameter_text(item) for item in value) + "]"
    return repr(value)


def _where(child: ChildProcess) -> str:
    tail = child.log_tail()
    return f"Its log is {child.log}" + (f", which ends:\n{tail}" if tail else " (empty).")
