"""Ctrl-C once: end in order and keep what there is; twice: stop at once."""

from __future__ import annotations

import signal
import threading
from typing import Any


class Interruption:
    """A context in which the first SIGINT only sets a flag; the second one interrupts.

    Outside the main thread, and where SIGINT is ignored, nothing is changed.

    Attributes:
        asked: SIGINT has come.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._installed = False

    def __enter__(self) -> Interruption:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            self._before = signal.signal(signal.SIGINT, self._note)
            self._installed = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._before or signal.SIG_DFL)
            self._installed = False

    def _note(self, *_: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
