"""An interruption that lets the frame in hand be finished."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interruption:
    """While it is entered, SIGINT and SIGTERM only ask to end; a second one ends at once.

    Attributes:
        asked: Whether somebody has asked.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # others cannot set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
