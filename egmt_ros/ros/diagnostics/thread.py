"""The thread that reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class DiagnosticsThread:
    """Calls `publish` every period, on the steady clock, whatever the executor is busy with.

    Loading weights and warming up block the executor for seconds; a timer would be silent then.

    Args:
        publish: Called from this thread, first at once.
        period: Returns the seconds until the next call.
        on_error: Called with what `publish` raised; the thread goes on.
    """

    def __init__(
        self,
        publish: Callable[[], None],
        period: Callable[[], float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._publish = publish
        self._period = period
        self._on_error = on_error
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="egmt_diagnostics", daemon=True)

    def start(self) -> None:
        """Report from now on."""
        self._thread.start()

    def wake(self) -> None:
        """Report now."""
        self._wake.set()

    def stop(self) -> None:
        """Report no more; waits for the report that is under way."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping:
            start = time.monotonic()
            try:
                self._publish()
            except Exception as error:
                self._on_error(error)
            self._wake.wait(max(0.0, start + self._period() - time.monotonic()))
            self._wake.clear()
