"""How a session and its child processes talk: one JSON object a line.

Children send events on their standard output and read commands on their standard input. The end
of the standard input means that the session is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any


class EventStream:
    """Sends events on what was the standard output; anything else printed goes to stderr."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._file = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, event: str, **data: Any) -> None:
        """Sends one event; does nothing where nobody listens any more."""
        line = json.dumps({"event": event, **data})
        with self._lock:
            try:
                self._file.write(line + "\n")
            except (BrokenPipeError, ValueError):
                pass


def listen_for_commands(
    on_command: Callable[[dict[str, Any]], None], on_end: Callable[[], None]
) -> threading.Thread:
    """Reads commands from stdin in a daemon thread; calls ``on_end`` once at the end of stdin."""

    def listen() -> None:
        # The buffered sys.stdin would be locked by this thread while the interpreter shuts down.
        with os.fdopen(os.dup(0), "r", encoding="utf-8") as commands:
            for line in commands:
                try:
                    command = json.loads(line)
                except ValueError:
                    continue
                if isinstance(command, dict):
                    on_command(command)
        on_end()

    thread = threading.Thread(target=listen, name="commands", daemon=True)
    thread.start()
    return thread
