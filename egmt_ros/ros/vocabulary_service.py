"""Service ~/set_vocabulary: other entities while the node runs.

The response is sent when the engine with the new entities is in use (`EngineChanges`).
"""

from __future__ import annotations

from collections.abc import Callable

from egmt_msgs.srv import SetVocabulary
from rclpy.node import Node

from egmt_ros.errors import EgmtError
from egmt_ros.node_core.processing import Engine
from egmt_ros.node_core.steering import load_text_encoder
from egmt_ros.ros.engine_changes import Base, EngineChanges
from egmt_ros.ros.lifecycle import Answer, may_answer_later
from egmt_ros.ros.model_slot import Chosen, Loaded


class VocabularyService:
    """Changes the vocabulary as it is asked to.

    Args:
        node: Its node.
        changes: Carries the changes out.
        vocabulary_hash: That in force, "" for none.
    """

    def __init__(
        self, node: Node, changes: EngineChanges, vocabulary_hash: Callable[[], str]
    ) -> None:
        self._logger = node.get_logger()
        self._changes = changes
        self._hash = vocabulary_hash
        self._service = node.create_service(SetVocabulary, "~/set_vocabulary", self._on_request)
        may_answer_later(self._service)

    def _on_request(
        self, request: SetVocabulary.Request, response: SetVocabulary.Response
    ) -> SetVocabulary.Response | Answer:
        chosen = Chosen(tuple(request.names), tuple(request.thresholds))
        answer = Answer()
        try:
            self._changes.begin(
                "another change of the vocabulary",
                lambda base: _with(base, chosen),
                lambda engine, warnings: answer.give(self._success(engine, warnings)),
                lambda reason: answer.give(self._refusal(reason)),
            )
        except EgmtError as error:
            return self._refusal(str(error))
        return answer

    def _success(self, engine: Engine, warnings: list[str]) -> SetVocabulary.Response:
        names = ", ".join(engine.names[:30]) + (" ..." if len(engine.names) > 30 else "")
        message = f"{len(engine.names)} entities in force: {names}"
        self._logger.info(f"vocabulary {engine.vocabulary_hash}: {message}")
        return SetVocabulary.Response(
            success=True,
            message="; ".join([message, *warnings]),
            vocabulary_hash=engine.vocabulary_hash,
        )

    def _refusal(self, reason: str) -> SetVocabulary.Response:
        self._logger.warning(f"set_vocabulary refused: {reason}")
        return SetVocabulary.Response(success=False, message=reason, vocabulary_hash=self._hash())


def _with(base: Base, chosen: Chosen) -> Loaded:
    engine = base.loaded.engine
    encoder = load_text_encoder(base.parameters.entities, engine)
    other = engine.with_vocabulary(chosen.names, chosen.thresholds, encoder)
    return base.loaded._replace(engine=other, chosen=chosen)
