"""Service ~/set_vocabulary: other entities while the node runs.

The engine with the new entities is made and prepared for the image size in a thread of its own,
while the old one goes on fusing; then the node takes it between two pairs. The response is sent
when that is done, and until then the executor is free for images.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import NamedTuple

from egmt_msgs.srv import SetVocabulary
from rclpy.node import Node

from egmt_ros.errors import EgmtError
from egmt_ros.pipeline.text_encoder import TextEncoder
from egmt_ros.ros.lifecycle import Answer, ExecutorCalls, may_answer_later
from egmt_ros.ros.processing import Engine


class Base(NamedTuple):
    """What a change of the vocabulary starts from.

    Attributes:
        engine: The one in use.
        size: Width and height, pixels, to prepare the next one for; None: wait for an image.
        encoder: Makes the text encoder for new names; None if none is configured.
    """

    engine: Engine
    size: tuple[int, int] | None
    encoder: Callable[[], TextEncoder | None]


class Adopted(NamedTuple):
    """What came of handing over the new engine.

    Attributes:
        in_use: Done when no pair is handled with the old engine any more; cancelled where that
            cannot be told.
        warnings: Sentences for the one who asked.
    """

    in_use: Future[None]
    warnings: list[str]


class VocabularyService:
    """Changes the vocabulary, one request at a time.

    Args:
        node: Its node.
        base: Called for each request in the executor's thread; raises EgmtError to refuse it.
        adopt: Called there with the old engine and the new one; raises EgmtError if the old one
            is not the one in use any more.
        vocabulary_hash: That in force, "" for none.
    """

    def __init__(
        self,
        node: Node,
        base: Callable[[], Base],
        adopt: Callable[[Engine, Engine], Adopted],
        vocabulary_hash: Callable[[], str],
    ) -> None:
        self._logger = node.get_logger()
        self._base = base
        self._adopt = adopt
        self._hash = vocabulary_hash
        self._calls = ExecutorCalls(node)
        self._thread: threading.Thread | None = None
        self._service = node.create_service(SetVocabulary, "~/set_vocabulary", self._on_request)
        may_answer_later(self._service)

    def close(self, timeout: float) -> None:
        """Refuse what is under way and wait for its thread, at most `timeout` s."""
        self._calls.close()
        if self._thread is not None:
            self._thread.join(timeout)

    def _on_request(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response | Answer:
        try:
            if self._thread is not None and self._thread.is_alive():
                raise EgmtError(
                    "another change of the vocabulary is under way: ask again when it is answered"
                )
            base = self._base()
        except EgmtError as error:
            return self._refusal(str(error))
        answer = Answer()
        self._thread = threading.Thread(
            target=lambda: answer.give(self._change(request, base)),
            name="egmt_vocabulary",
            # A daemon, so that a text encoder that hangs cannot keep the process from ending.
            daemon=True,
        )
        self._thread.start()
        return answer

    def _change(self, request: SetVocabulary.Request, base: Base) -> SetVocabulary.Response:
        """Do what is asked; the response. In a thread of its own."""
        try:
            engine = base.engine.with_vocabulary(
                tuple(request.names), tuple(request.thresholds), base.encoder()
            )
            try:
                if base.size is not None:
                    engine.warm_up(*base.size)
                adopted = self._calls.ask(lambda: self._adopt(base.engine, engine))
            except BaseException:
                engine.close()
                raise
        except EgmtError as error:
            return self._refusal(str(error))
        except CancelledError:
            return self._refusal("the node is shutting down")
        except Exception as error:
            self._logger.error(f"set_vocabulary failed: {error!r}")
            return self._refusal(f"{type(error).__name__}: {error}")
        try:
            adopted.in_use.result()
            base.engine.close()
        except CancelledError:
            pass  # freed once nobody has it
        names = ", ".join(engine.names[:30]) + (" ..." if len(engine.names) > 30 else "")
        message = f"{len(engine.names)} entities in force: {names}"
        self._logger.info(f"vocabulary {engine.vocabulary_hash}: {message}")
        return SetVocabulary.Response(
            success=True,
            message="; ".join([message, *adopted.warnings]),
            vocabulary_hash=engine.vocabulary_hash,
        )

    def _refusal(self, reason: str) -> SetVocabulary.Response:
        self._logger.warning(f"set_vocabulary refused: {reason}")
        return SetVocabulary.Response(success=False, message=reason, vocabulary_hash=self._hash())
