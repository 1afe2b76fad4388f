"""The progress bar of a replay."""

from __future__ import annotations

import sys
from typing import Any


class PlayProgress:
    """Shows how many messages were sent and how many fused images came back.

    Args:
        total: Messages to send.
        image_topic: Topic of the fused images.
        show: False for no bar.

    Attributes:
        reports: How often the player has reported.
    """

    def __init__(self, total: int, image_topic: str, *, show: bool = True) -> None:
        from tqdm import tqdm

        self._image_topic = image_topic
        self._sent = 0
        self.reports = 0
        # A log file gets a line now and then, a terminal a moving bar.
        interval = 0.1 if sys.stderr.isatty() else 5.0
        self._bar = tqdm(total=total, desc="replay", unit="msg", disable=not show,
                         dynamic_ncols=True, mininterval=interval, maxinterval=2 * interval)

    def __enter__(self) -> PlayProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, source: str, data: dict[str, Any]) -> None:
        """Takes over a progress event of the player or the recorder."""
        if source == "player":
            self.reports += 1
            sent = sum(data["sent"].values())
            self._bar.update(sent - self._sent)
            self._sent = sent
        elif source == "recorder":
            self._bar.set_postfix(fused=data["received"].get(self._image_topic, 0), refresh=False)
