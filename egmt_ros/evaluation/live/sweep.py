"""The beginning of a bag played at one rate after another into one node process."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.bench.node_figures import Account, account_of
from egmt_ros.evaluation.live.account import SIDES
from egmt_ros.evaluation.live.child import ChildProcess
from egmt_ros.evaluation.live.environment import reserved_domain
from egmt_ros.evaluation.live.figures import spread
from egmt_ros.evaluation.live.options import DROPPED, RATES, LiveOptions
from egmt_ros.evaluation.live.outputs import read_sent, rows
from egmt_ros.evaluation.live.search import highest_rate
from egmt_ros.evaluation.live.session import SessionOptions
from egmt_ros.evaluation.live.setting import Setting
from egmt_ros.evaluation.live.topics import NODE_NAME, check_inputs, output_topics

TIMEOUT = 30.0
SENT_SHARE = 0.95
"""Of a rate that the player must reach for it to have been tried at all."""


@dataclass(frozen=True)
class Try:
    """Playing at one rate.

    Attributes:
        rate: Of the reference camera, asked for, Hz.
        begin, end: Of the sending, steady clock, ns.
        account: Side -> counter -> frames, as of `node_figures.account_of`.
        reference: Side whose frames are counted.
    """

    rate: float
    begin: int
    end: int
    account: dict[str, dict[str, int]]
    reference: str

    @property
    def sent(self) -> int:
        return self.account[self.reference]["sent"]

    @property
    def sent_hz(self) -> float:
        return self.sent * 1e9 / max(self.end - self.begin, 1)

    @property
    def dropped(self) -> int:
        """Frames that were lost or superseded, of the side with more."""
        return max(side["lost"] + side["superseded"] for side in self.account.values())

    @property
    def limited(self) -> bool:
        """The player itself did not reach the rate."""
        return self.sent_hz < SENT_SHARE * self.rate

    @property
    def followed(self) -> bool:
        """The rate was reached and at most `DROPPED` of the frames dropped."""
        worst = max((side["lost"] + side["superseded"]) / max(side["sent"], 1)
                    for side in self.account.values())
        return not self.limited and self.sent > 0 and worst <= DROPPED


def run_sweep(bag: Path, folder: Path, setting: SessionOptions, options: LiveOptions,
              recorded_rate: float, reference: str,
              tell: Callable[[str], None]) -> tuple[dict[str, Any], list[str]]:
    """Search the highest rate without drops, then take latencies at `RATES`.

    Ctrl-C ends it in order; what was tried until then is returned.

    Args:
        bag: Played from memory.
        folder: For logs and CSV files.
        setting: As for the replay; its topics, parameters and interruption count.
        options: How far and how long.
        recorded_rate: Of the reference camera in the bag, Hz.
        reference: Its side.
        tell: Takes lines about progress.

    Returns:
        "highest_rate_hz": None where no rate was followed; "search": each try in order, "rate",
        "sent_hz", "sent", "fused" and "dropped" frames, "followed", "p50" and "p95" in ms from the
        sending of the reference camera's frame to the arrival of the image; "at_rate": the same
        at `RATES`, with the whole distribution as "latency_ms"; and notes.

    Raises:
        EgmtError: A process failed or did not answer in time; the message names its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        domain = stack.enter_context(reserved_domain(options.domain_id))
        sweep = _Sweep(bag.resolve(), folder.resolve(), setting, domain)
        stack.callback(sweep.end)
        sweep.start_all()
        found: float | None = None
        search: list[Try] = []
        at_rate: list[Try] = []

        def play(rate: float, tries: list[Try]) -> Try:
            tell(f"{rate:g} Hz for {options.try_seconds:g} s")
            tries.append(sweep.play(rate, rate / recorded_rate, options.try_seconds, reference))
            return tries[-1]

        notes = []
        try:
            found = highest_rate(lambda rate: play(rate, search).followed, options.highest)
            for rate in RATES:
                play(rate, at_rate)
        except KeyboardInterrupt:
            notes.append("The sweep was interrupted: it lacks the rates that were to come.")
        received = sweep.stop()
    arrivals = _arrivals(received)
    topic = setting.thermal_topic if reference == "thermal" else setting.visible_topic
    sent = {frame.stamp: frame.time
            for frame in read_sent(folder / "sent.csv", {topic: reference})[reference]}
    if any(each.limited for each in search):
        notes.append("The player did not reach the highest rates that were tried, so what the node"
                     " does there is not known; they count as not followed.")
    return {
        "highest_rate_hz": found,
        "search": [_row(each, arrivals, sent) for each in search],
        "at_rate": [_row(each, arrivals, sent, whole=True) for each in at_rate],
    }, notes


class _Sweep(Setting):
    """Node, recorder and player from memory."""

    def __init__(self, bag: Path, folder: Path, options: SessionOptions, domain: int) -> None:
        super().__init__(bag, folder, options, domain, check_inputs(bag, options))
        self._reports = 0
        self._alive: list[ChildProcess] = []
        self._account: Account = {}  # at the end of the last try

    def start_all(self) -> None:
        """Starts node, recorder and player, and waits until they hear each other."""
        options = self.options
        self.give_up_when_asked()
        node = self.start_configured_node()
        recorder = self.start_recorder(node.pid, self.folder / "received.csv")
        self.wait_ready(node, recorder, options.start_timeout, options.match_timeout)
        player = self.start("player", [
            sys.executable, "-m", "egmt_ros.evaluation.live.stretch", str(self.bag),
            "--topics", options.thermal_topic, options.visible_topic,
            "--log", str(self.folder / "sent.csv"), "--beside", *self.beside])
        self._alive = [player, node, recorder]
        self.wait(lambda: ("player", "matched") in self.seen, 2 * TIMEOUT,
                  "the player and the node to find each other", self._alive)

    def on_progress(self, source: str, data: dict[str, Any]) -> None:
        self._reports += source == "player"

    def play(self, rate: float, speed: float, seconds: float, reference: str) -> Try:
        """Plays at one rate; `speed` is what makes it of the recorded one."""
        before = self._account or self._settled()
        self.seen.pop(("player", "played"), None)
        self._alive[0].tell("play", speed=speed, duration=seconds)
        self.wait(lambda: ("player", "played") in self.seen, TIMEOUT, "the player to go on",
                  self._alive, advance=lambda: self._reports)
        done = self.seen[("player", "played")]
        after = self._account = self._settled()
        sent = {"thermal": done["sent"].get(self.options.thermal_topic, 0),
                "visible": done["sent"].get(self.options.visible_topic, 0)}
        account = {side: account_of(sent[side], before, after)[side] for side in SIDES}
        return Try(rate, done["begin"], done["end"], account, reference)

    def _settled(self) -> Account:
        _, node, recorder = self._alive
        if not self.drain(node, recorder, TIMEOUT):
            raise EgmtError(f"Frames were still in flight or coming {TIMEOUT:g} s after the playing"
                            f" had stopped: {self.diagnostics.account()}. The node's log is"
                            f" {node.log}")
        return self.diagnostics.account()

    def stop(self) -> Path:
        """Ends all processes in order; where the recorder's CSV is."""
        self.given_up = lambda: False
        player, node, recorder = self._alive
        player.tell("stop")
        self.wait(lambda: ("player", "done") in self.seen, TIMEOUT, "the player to end", [player])
        self.stop_node(node, self.options.stop_timeout)
        self.stop_recorder(recorder, self.options.stop_timeout)
        return self.folder / "received.csv"


def _arrivals(path: Path) -> list[tuple[int, int]]:
    """(stamp, arrival) of each fused image, ns."""
    topic = output_topics(NODE_NAME)["image"].name
    return [(int(row["stamp"]), int(row["received"])) for row in rows(path)
            if row["topic"] == topic]


def _row(each: Try, arrivals: Sequence[tuple[int, int]], sent: dict[int, int], *,
         whole: bool = False) -> dict[str, Any]:
    ways = [(received - sent[stamp]) / 1e6 for stamp, received in arrivals
            if stamp in sent and each.begin <= sent[stamp] <= each.end]
    times = spread(ways)
    row = {
        "rate": round(each.rate, 3), "sent_hz": round(each.sent_hz, 3), "sent": each.sent,
        "fused": each.account[each.reference]["fused"], "dropped": each.dropped,
        "followed": each.followed, "p50": times and times["p50"], "p95": times and times["p95"],
    }
    return {**row, "latency_ms": times} if whole else row


def recorded_rate(stamps: Sequence[int]) -> float | None:
    """Hz of a camera by its stamps, ns: from the median step forward; None without one."""
    steps = [b - a for a, b in zip(stamps, stamps[1:], strict=False) if b > a]
    return 1e9 / statistics.median(steps) if steps else None
