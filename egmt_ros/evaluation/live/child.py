"""A child process of a session: started apart, heard through JSON lines, always ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that a child said. ``name`` is "end" when it closed its output."""

    source: str
    name: str
    data: dict[str, Any] = field(default_factory=dict)


class ChildProcess:
    """One process of a session.

    It gets a process session of its own, so that Ctrl-C in the terminal reaches only the parent,
    which then ends its children in order.

    Args:
        name: Role in messages, for example "node".
        command: Program and arguments.
        log: File that takes stderr (and stdout, unless it carries events).
        environment: The whole environment of the child.
        events: Where the child's events go; None for a child that sends none.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        events: queue.Queue[Event] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._events = events
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL if events is None else subprocess.PIPE,
                stdout=stream if events is None else subprocess.PIPE,
                stderr=stream,
                env=dict(environment),
                start_new_session=True,
            )
        self._reader: threading.Thread | None = None
        if events is not None:
            self._reader = threading.Thread(target=self._read, name=f"{name} events", daemon=True)
            self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def returncode(self) -> int | None:
        """Exit status (negative: the signal that ended it), None while it runs."""
        return self._process.poll()

    def tell(self, command: str, **data: Any) -> None:
        """Sends a command; does nothing if the child is gone."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps({"command": command, **data}).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError, OSError):
            pass

    def wait(self, timeout: float) -> int | None:
        """Waits for the end; exit status, or None after ``timeout`` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def signal(self, number: int) -> None:
        """Sends a signal to this process, if it still runs."""
        if self._process.poll() is None:
            self._process.send_signal(number)

    def end(self, patience: float = 3.0) -> int:
        """Ends the process for certain: SIGINT, then SIGTERM, then SIGKILL. Exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            self.signal(number)
            status = self.wait(patience)
            if status is not None:
                break
        else:
            status = self._process.wait()
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except OSError:
                pass
        if self._reader is not None:
            self._reader.join(patience)
        return status

    def log_tail(self, lines: int = 12) -> str:
        """The last lines of the log, indented, for an error message."""
        try:
            with self.log.open("rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - 16384))
                text = stream.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join("    " + line for line in text.rstrip().splitlines()[-lines:])

    def _read(self) -> None:
        assert self._process.stdout is not None and self._events is not None
        with self._process.stdout as stream:
            for line in stream:
                try:
                    data = json.loads(line)
                    name = data.pop("event")
                except (ValueError, KeyError, AttributeError, TypeError):
                    continue
                self._events.put(Event(self.name, str(name), data))
        self._events.put(Event(self.name, "end"))
