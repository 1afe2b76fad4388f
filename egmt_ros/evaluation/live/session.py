"""One live session: a bag played over DDS into a real node, whose outputs are recorded.

Three processes run: the node, a recorder and a player. They share a ROS domain of their own that
does not leave this machine. Every wait has a limit; whatever happens, no process stays behind.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.bench.process_meter import ProcessMeter
from egmt_ros.evaluation.live.child import ChildProcess
from egmt_ros.evaluation.live.environment import require_ros, reserved_domain
from egmt_ros.evaluation.live.processes import NODE_COMMAND
from egmt_ros.evaluation.live.progress import PlayProgress
from egmt_ros.evaluation.live.result import SessionResult
from egmt_ros.evaluation.live.setting import Setting
from egmt_ros.evaluation.live.topics import Checked, check_inputs
from egmt_ros.evaluation.offline.interrupting import Interruption

METER_INTERVAL = 0.25  # s between two looks at the node's process


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
        interruption: Its first Ctrl-C ends the playing in order and keeps what was recorded; None:
            Ctrl-C interrupts at once.
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
    node_command: Sequence[str] = NODE_COMMAND
    progress: bool = True
    start_timeout: float = 90.0
    match_timeout: float = 20.0
    drain_timeout: float = 10.0
    stop_timeout: float = 30.0
    linger: float = 0.7
    interruption: Interruption | None = None


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
        BagError: The bag is damaged from the start or lacks an input topic.
        KeyboardInterrupt: It was interrupted before the playing began.
        EgmtError: A process failed or did not answer in time; the message names its log.
    """
    options = options or SessionOptions()
    require_ros()
    checked = check_inputs(bag, options)
    out_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        domain = stack.enter_context(reserved_domain(options.domain_id))
        session = _Session(bag.resolve(), out_dir.resolve(), options, domain, checked)
        stack.callback(session.end)
        result = session.run()
    result.save(out_dir / "session.json")
    return result


class _Session(Setting):
    """The state of one session and its steps, in the order of ``run``."""

    def __init__(self, bag: Path, out_dir: Path, options: SessionOptions, domain: int,
                 checked: Checked) -> None:
        super().__init__(bag, out_dir, options, domain, checked)
        self._domain = domain
        self._progress: PlayProgress | None = None
        self._meter: ProcessMeter | None = None

    def run(self) -> SessionResult:
        options = self.options
        begin = time.monotonic()
        self.give_up_when_asked()
        node = self.start_configured_node()
        recorder = self.start_recorder(node.pid, self.folder / "received.csv", self.folder / "bag")
        self.wait_ready(node, recorder, options.start_timeout, options.match_timeout)
        player = self._start_player()
        self.wait(lambda: ("player", "matched") in self.seen, options.match_timeout + 15.0,
                  "the player and the node to find each other", [node, recorder, player])
        self.given_up = lambda: False  # from here on, what was recorded is kept
        started = time.monotonic() - begin
        play_s, done = self._play(node, recorder, player)
        drained = self.drain(node, recorder, options.drain_timeout)
        status = self.stop_node(node, options.stop_timeout)
        recorded = self.stop_recorder(recorder, options.stop_timeout)
        if recorded.get("unwritten"):
            self.notes.append(
                f"The disk was too slow: {recorded['unwritten']} messages were not recorded.")
        return SessionResult(
            folder=self.folder, source_bag=self.bag, output_bag=self.folder / "bag",
            sent_csv=self.folder / "sent.csv", received_csv=self.folder / "received.csv",
            node_log=node.log, topics=self.topics, account=self.diagnostics.account(),
            diagnostics=self.diagnostics.statuses, sent=done.get("sent", {}),
            rate=options.rate, loops=options.loops, domain_id=self._domain, drained=drained,
            interrupted=bool(done.get("interrupted")), node_exit=status,
            start_s=round(started, 3), play_s=round(play_s, 3),
            middleware=self.seen[("recorder", "ready")].get("rmw", ""),
            parameters=self.parameters, notes=tuple(self.notes), damage=done.get("damage", ""),
            readings=tuple(tuple(reading) for reading in self._meter.readings),
        )

    def _start_player(self) -> ChildProcess:
        options = self.options
        command = [sys.executable, "-m", "egmt_ros.evaluation.live.player", str(self.bag),
                   "--topics", options.thermal_topic, options.visible_topic,
                   "--rate", str(options.rate), "--loop", str(options.loops),
                   "--log", str(self.folder / "sent.csv"), "--linger", str(options.linger),
                   "--match-timeout", str(options.match_timeout), "--attached",
                   "--beside", *self.beside]
        if not options.publish_clock:
            command.append("--no-clock")
        return self.start("player", command)

    def _play(self, node: ChildProcess, recorder: ChildProcess,
              player: ChildProcess) -> tuple[float, dict[str, Any]]:
        begin = time.monotonic()
        total = int(self.seen[("player", "matched")].get("total", 0))
        image_topic = self.topics["image"]
        meter = self._meter = ProcessMeter(node.pid, METER_INTERVAL)
        with PlayProgress(total, image_topic, show=self.options.progress) as progress:
            self._progress = progress
            player.tell("play")
            # However long the bag is: a player that reports no progress for a while is stuck.
            self.wait(lambda: self._ended(meter, player), 30.0, "the player to go on",
                      [player, node, recorder], advance=lambda: progress.reports)
            self._progress = None
        played = time.monotonic() - begin - self.options.linger
        player.wait(self.options.stop_timeout)
        return played, self.seen[("player", "done")]

    def _ended(self, meter: ProcessMeter, player: ChildProcess) -> bool:
        """Whether the player has ended; after Ctrl-C it is told to. Looks at the node meanwhile."""
        with suppress(EgmtError):  # a node that has ended is told of with its log
            meter.sample()
        interruption = self.options.interruption
        if interruption is not None and interruption.asked:
            player.signal(signal.SIGINT)
        return ("player", "done") in self.seen

    def on_progress(self, source: str, data: dict[str, Any]) -> None:
        if self._progress is not None:
            self._progress.update(source, data)
