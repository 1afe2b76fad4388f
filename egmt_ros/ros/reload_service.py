"""Service ~/reload_model: the weights anew while the node runs.

The response is sent when the new weights are in use (`EngineChanges`); until then, and if they
cannot be used, the old ones go on fusing.
"""

from __future__ import annotations

from rclpy.node import Node
from std_srvs.srv import Trigger

from egmt_ros.errors import EgmtError
from egmt_ros.node_core.processing import Engine
from egmt_ros.ros.engine_changes import EngineChanges
from egmt_ros.ros.lifecycle import Answer, may_answer_later
from egmt_ros.ros.model_slot import ModelSlot


class ReloadService:
    """Loads what model.weights names now, onto model.device.

    The vocabulary is that of ~/set_vocabulary if that was used since `configure`, otherwise the
    configured one.

    Args:
        node: Its node.
        changes: Carries the changes out.
        slot: Loads.
    """

    def __init__(self, node: Node, changes: EngineChanges, slot: ModelSlot) -> None:
        self._logger = node.get_logger()
        self._changes = changes
        self._slot = slot
        self._service = node.create_service(Trigger, "~/reload_model", self._on_request)
        may_answer_later(self._service)

    def _on_request(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response | Answer:
        answer = Answer()
        try:
            self._changes.begin(
                "a reload of the model",
                lambda base: self._slot.load(base.parameters, base.loaded.chosen),
                lambda engine, warnings: answer.give(self._success(engine, warnings)),
                lambda reason: answer.give(self._refusal(reason)),
            )
        except EgmtError as error:
            return self._refusal(str(error))
        return answer

    def _success(self, engine: Engine, warnings: list[str]) -> Trigger.Response:
        message = (
            f"model {engine.model_id} with {len(engine.names)} entities in use on device"
            f" {engine.device}"
        )
        self._logger.info(f"reloaded: {message}")
        return Trigger.Response(success=True, message="; ".join([message, *warnings]))

    def _refusal(self, reason: str) -> Trigger.Response:
        self._logger.warning(f"reload_model refused: {reason}")
        return Trigger.Response(success=False, message=reason)
