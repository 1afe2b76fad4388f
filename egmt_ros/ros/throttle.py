"""One log line a problem: the first at once, repetitions only every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Protocol


class Logger(Protocol):
    """What is needed of a logger; that of a node is one."""

    def warning(self, message: str) -> object:
        """Log a warning."""

    def error(self, message: str) -> object:
        """Log an error."""


class LogThrottle:
    """Thread-safe throttle by key, on the steady clock.

    Each severity has a method, and so a line of its own that calls the logger: rclpy raises
    ValueError where one line logs with a second severity.

    Args:
        period: Seconds between two lines of one key.
    """

    def __init__(self, period: float = 10.0, now: Callable[[], float] = time.monotonic) -> None:
        self._period = period
        self._now = now
        self._lock = threading.Lock()
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def is_new(self, key: Hashable) -> bool:
        """Whether nothing was said about the key so far."""
        with self._lock:
            return key not in self._seen

    def warning(self, logger: Logger, key: Hashable, message: str) -> bool:
        """Warn unless the key was logged a moment ago; returns whether it was logged now."""
        line = self._line(key, message)
        if line is not None:
            logger.warning(line)
        return line is not None

    def error(self, logger: Logger, key: Hashable, message: str) -> bool:
        """Like `warning`, for an error."""
        line = self._line(key, message)
        if line is not None:
            logger.error(line)
        return line is not None

    def _line(self, key: Hashable, message: str) -> str | None:
        """What to log now, None for nothing."""
        now = self._now()
        with self._lock:
            last, silenced = self._seen.get(key, (None, 0))
            if last is not None and now - last < self._period:
                self._seen[key] = (last, silenced + 1)
                return None
            self._seen[key] = (now, 0)
        return f"{message} ({silenced} more like this since the last line)" if silenced else message
