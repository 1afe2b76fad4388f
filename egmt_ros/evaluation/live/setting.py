"""What every session of a bag and a node has in common: topics, parameters, domain, logs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from egmt_ros.errors import EgmtError
from egmt_ros.evaluation.live.child import ChildProcess
from egmt_ros.evaluation.live.environment import session_environment
from egmt_ros.evaluation.live.participant import message_class
from egmt_ros.evaluation.live.processes import LiveProcesses
from egmt_ros.evaluation.live.topics import NODE_NAME, Checked, output_topics, remappings

if TYPE_CHECKING:
    from egmt_ros.evaluation.live.session import SessionOptions


class Setting(LiveProcesses):
    """Processes around a node that is to fuse a bag.

    Args:
        bag: What is played.
        folder: For logs and files.
        options: Topics and parameters.
        domain: ROS domain id.
        checked: What the bag has.

    Attributes:
        topics: Role -> topic.
        parameters: What is set for the node beyond its file.
        beside: Topics that are played beside the images.
        notes: What a reader should know.
    """

    def __init__(self, bag: Path, folder: Path, options: SessionOptions, domain: int,
                 checked: Checked) -> None:
        environment, warning = session_environment(domain, folder / "logs")
        super().__init__(folder / "logs", environment)
        self.bag = bag
        self.folder = folder
        self.options = options
        self._checked = checked
        self.notes = [warning] if warning else []
        self.beside = self._playable(checked)
        self.parameters = {
            **{f"input.{side}.transport": "compressed" for side in sorted(checked.compressed)},
            **options.parameters,
        }
        if warning:
            for side in ("thermal", "visible"):
                self.parameters.setdefault(f"input.{side}.qos", "reliable")
        self.topics = {
            "thermal": options.thermal_topic,
            "visible": options.visible_topic,
            **({"ground_truth": checked.ground_truth} if checked.ground_truth else {}),
            **{role: topic.name for role, topic in output_topics(NODE_NAME).items()},
        }

    def _playable(self, checked: Checked) -> list[str]:
        """Topics that are played beside the images: those whose message type is installed."""
        names = list(checked.camera_infos.values())
        for topic in checked.latched:
            try:
                message_class(topic.msgtype)
            except EgmtError as error:
                self.notes.append(f"The latched topic {topic.name} was not played: {error}")
            else:
                names.append(topic.name)
        return names

    def start_configured_node(self) -> ChildProcess:
        """Starts the node on the bag's topics."""
        return self.start_node(
            self.options.node_command, remappings=remappings(self.options, self._checked),
            params_file=self.options.params_file, parameters=self.parameters)

    def give_up_when_asked(self) -> None:
        """From now on Ctrl-C interrupts what is waited for, by KeyboardInterrupt."""
        interruption = self.options.interruption
        if interruption is not None:
            self.given_up = lambda: interruption.asked
