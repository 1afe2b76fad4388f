"""What is prepared for one image size each: kept for the sizes used last."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Prepared = TypeVar("Prepared")

SIZES_KEPT = 4
"""A stream has one size; a node that is used for two cameras in turn has two."""
PATIENCE = 60.0
"""Seconds that preparing for a size may take; OpenVINO needs up to 20 on a busy machine."""


class SizeCache(Generic[Prepared]):
    """Prepares at the first use of a size, in the calling thread, and says so.

    Not in a thread beside it: preparing takes about as long as a few dozen frames, the results
    would depend on when it ends, and until then both threads would share the processor. Meanwhile
    frames are superseded, not queued.

    Args:
        prepare: Called with width and height, pixels.
        announce: Called with a line before and after it; once sizes keep changing, less and less
            often.
        kept: Sizes to keep; the one not used for longest goes first.

    Attributes:
        preparing_until: When the last preparation ended; of one under way when it ought to, at
            the latest. Seconds of time.monotonic(), -inf before the first; from any thread.
    """

    def __init__(
        self,
        prepare: Callable[[int, int], Prepared],
        announce: Callable[[str], None],
        kept: int = SIZES_KEPT,
    ) -> None:
        self._prepare = prepare
        self._announce = announce
        self._kept = kept
        self.preparing_until = -math.inf
        self._count = 0  # of all that were prepared
        self._prepared: OrderedDict[tuple[int, int], Prepared] = OrderedDict()

    def get(self, width: int, height: int) -> Prepared:
        """What belongs to this size. Lets through what `prepare` raises, and keeps nothing then."""
        size = width, height
        if size not in self._prepared:
            self._count += 1
            self._tell(f"preparing the network for images of {width}x{height} ...")
            start = time.perf_counter()
            while len(self._prepared) >= self._kept:
                self._prepared.popitem(last=False)
            self.preparing_until = time.monotonic() + PATIENCE
            try:
                self._prepared[size] = self._prepare(width, height)
            finally:
                self.preparing_until = time.monotonic()
            took = time.perf_counter() - start
            self._tell(f"prepared the network for images of {width}x{height} in {took:.1f} s")
        self._prepared.move_to_end(size)
        return self._prepared[size]

    def _tell(self, line: str) -> None:
        if self._count > 2 * self._kept:
            if self._count & (self._count - 1):  # only the powers of two
                return
            line += f" (sizes keep changing: {self._count} times so far, {self._kept} are kept)"
        self._announce(line)

    def clear(self) -> None:
        """Let go of everything."""
        self._prepared.clear()
