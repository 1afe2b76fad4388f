"""Another engine while the node runs, made beside the one in use.

It is made, and prepared for the image size, in a thread of its own, while the old one goes on
fusing; then the node takes it between two pairs. Until then the executor is free for images.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import NamedTuple

from egmt_ros.errors import EgmtError
from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.node_core.processing import Engine
from egmt_ros.ros.failures import describe
from egmt_ros.ros.lifecycle import ExecutorCalls
from egmt_ros.ros.model_slot import Loaded


class Base(NamedTuple):
    """What a change starts from.

    Attributes:
        loaded: The engine in use.
        size: Width and height, pixels, to prepare the next one for; None: wait for an image.
        parameters: Those in force.
    """

    loaded: Loaded
    size: tuple[int, int] | None
    parameters: FusionParameters


class Adopted(NamedTuple):
    """What came of handing over the new engine.

    Attributes:
        in_use: Done when no pair is handled with the old engine any more; cancelled where that
            cannot be told.
        warnings: Sentences for the one who asked.
    """

    in_use: Future[None]
    warnings: list[str]


class EngineChanges:
    """Replaces the engine, one change at a time.

    Args:
        calls: Into the executor's thread.
        base: Called for each change in the executor's thread; raises EgmtError to refuse it.
        adopt: Called there with the old engine and the new one; raises EgmtError if the old one
            is not the one in use any more.
    """

    def __init__(
        self,
        calls: ExecutorCalls,
        base: Callable[[], Base],
        adopt: Callable[[Engine, Loaded], Adopted],
    ) -> None:
        self._calls = calls
        self._base = base
        self._adopt = adopt
        self._thread: threading.Thread | None = None
        self._what = ""  # the change that has begun and not ended

    def begin(
        self,
        what: str,
        make: Callable[[Base], Loaded],
        done: Callable[[Engine, list[str]], None],
        refused: Callable[[str], None],
    ) -> None:
        """Begin a change. In the executor's thread.

        Args:
            what: The change in words, for others that are refused meanwhile.
            make: Makes the new engine; in a thread of its own, as are the following.
            done: Called with the new engine and warnings when it is in use.
            refused: Called with the reason if all stays as it was.

        Raises:
            EgmtError: another change is under way, or there is no engine.
        """
        if self._what:
            raise EgmtError(f"{self._what} is under way: ask again when it is answered")
        base = self._base()
        self._what = what
        self._thread = threading.Thread(
            target=lambda: self._change(base, make, done, refused),
            name="egmt_change",
            # A daemon, so that a text encoder that hangs cannot keep the process from ending.
            daemon=True,
        )
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for the change that is under way, at most `timeout` s."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _change(
        self,
        base: Base,
        make: Callable[[Base], Loaded],
        done: Callable[[Engine, list[str]], None],
        refused: Callable[[str], None],
    ) -> None:
        try:
            new = self._replace(base, make)
        except CancelledError:
            answer = functools.partial(refused, "the node is shutting down")
        except Exception as error:
            answer = functools.partial(refused, describe(error))
        else:
            answer = functools.partial(done, *new)
        self._what = ""  # first: who has the answer may ask for the next change
        answer()

    def _replace(
        self, base: Base, make: Callable[[Base], Loaded]
    ) -> tuple[Engine, list[str]]:
        """The new engine, in use, and warnings. Lets through what stands in its way."""
        old = base.loaded.engine
        new = make(base)
        try:
            if base.size is not None:
                new.engine.warm_up(*base.size)
            adopted = self._calls.ask(lambda: self._adopt(old, new))
        except BaseException:
            new.engine.close()
            raise
        try:
            adopted.in_use.result()
            old.close()
        except CancelledError:
            pass  # freed once nobody has it
        return new.engine, adopted.warnings
