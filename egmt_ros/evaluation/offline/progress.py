"""The progress bar of an offline replay."""

from __future__ import annotations

import sys


class ReplayProgress:
    """Shows how many messages were used and how many frames are done.

    Args:
        total: Messages in all.
        show: False for no bar.
    """

    def __init__(self, total: int, *, show: bool = True) -> None:
        from tqdm import tqdm

        # A log file gets a line now and then, a terminal a moving bar.
        interval = 0.1 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(total=total, desc="evaluate", unit="msg", disable=not show,
                         dynamic_ncols=True, mininterval=interval, maxinterval=2 * interval)

    def __enter__(self) -> ReplayProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def update(self, frames: int) -> None:
        """One message more."""
        self._bar.set_postfix(frames=frames, refresh=False)
        self._bar.update()
