"""A camera that sends nothing any more: when it counts as missing, and what goes on without it."""

from __future__ import annotations

from dataclasses import dataclass

from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.frames import Frame, Side


@dataclass(frozen=True, eq=False)
class Single:
    """A frame whose partner's camera is missing; beside `Pair` in the mailbox.

    Attributes:
        frame: Of the camera that lives.
        released: When it was decided, steady clock, ns.
    """

    frame: Frame
    released: int

    @property
    def thermal(self) -> Frame | None:
        return self.frame if self.frame.side is Side.THERMAL else None

    @property
    def visible(self) -> Frame | None:
        return self.frame if self.frame.side is Side.VISIBLE else None

    @property
    def frames(self) -> tuple[Frame]:
        return (self.frame,)

    @property
    def waited(self) -> int:
        """From its arrival to the release, ns."""
        return self.released - self.frame.arrival


class CameraWatch:
    """Tells which camera is missing: silent for `timeout` while the other one sends.

    It stays missing until it sends again. While both are silent neither is missing; of two that
    come back, the later one has `timeout` from the return of the earlier one. Not thread-safe.

    Args:
        timeout: Steady ns; longer than the period of the slower camera, or that camera counts as
            missing between its frames.
        now: When watching begins, steady ns: as if both had just sent.

    Raises:
        ConfigError: `timeout` is below 1.
    """

    def __init__(self, timeout: int, now: int) -> None:
        if timeout < 1:
            raise ConfigError(f"sync: missing_timeout is {timeout} ns, expected at least 1 ns")
        self._timeout = timeout
        self._last = dict.fromkeys(Side, now)
        self._back_since = dict.fromkeys(Side, now)
        self._missing: Side | None = None

    def seen(self, side: Side, now: int) -> None:
        """A frame has come (now: steady ns)."""
        if side is self._missing:
            self._missing = None
        both_were_silent = now - max(self._last.values()) >= self._timeout
        # Once for each silence of both: of a slow camera every frame ends a silence.
        if both_were_silent and self._back_since[side] <= self._last[side.other]:
            self._back_since[side] = now
        self._last[side] = now

    def missing(self, now: int) -> Side | None:
        """The camera that is missing (now: steady ns)."""
        due = self.due()
        if due is not None and now >= due:
            self._missing = self._quiet()
        return self._missing

    def due(self) -> int | None:
        """When a camera will be missing unless it sends, steady ns; None: none will, or one is."""
        quiet = self._quiet()
        if quiet is None or self._missing is not None:
            return None
        return max(self._last[quiet], self._back_since[quiet.other]) + self._timeout

    def _quiet(self) -> Side | None:
        """The camera that has sent nothing since the other one did."""
        thermal, visible = self._last[Side.THERMAL], self._last[Side.VISIBLE]
        if thermal == visible:
            return None
        return Side.THERMAL if thermal < visible else Side.VISIBLE
