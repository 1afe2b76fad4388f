"""From a CUDA device that is out of memory to the CPU (parameter model.fallback_to_cpu)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from egmt_ros.errors import EgmtError
from egmt_ros.node_core.parameters import FusionParameters
from egmt_ros.node_core.processing import Engine
from egmt_ros.ros.diagnostics import WARN, Report, Status
from egmt_ros.ros.engine_changes import Base, EngineChanges
from egmt_ros.ros.failures import describe
from egmt_ros.ros.model_slot import Loaded, ModelSlot, may_fall_back


class Fallback:
    """Replaces an engine that ran out of CUDA memory by one on the CPU.

    Calls come from the executor's thread, but for `tell`.

    Args:
        changes: Carries it out.
        slot: Has the engine in use.
        parameters: Those in force.
        logger: Is told.
    """

    def __init__(
        self,
        changes: EngineChanges,
        slot: ModelSlot,
        parameters: Callable[[], FusionParameters],
        logger: object,
    ) -> None:
        self._changes = changes
        self._slot = slot
        self._parameters = parameters
        self._logger = logger
        self._under_way = False
        self._failed = False

    def allow(self) -> None:
        """Try again, even if it has failed before."""
        self._failed = False

    def tell(self, report: Report) -> Status | None:
        """For /diagnostics: a warning while the engine in use is a fallback."""
        loaded = self._slot.loaded
        if loaded is None or not loaded.fallback:
            return None
        return Status(
            WARN,
            f"on the CPU (model.fallback_to_cpu) since: {loaded.fallback}; ~/reload_model returns"
            " to model.device",
            {"fallback": loaded.fallback},
        )

    def take_care(self, error: Exception) -> bool:
        """Whether something is being done about an error of the engine in use."""
        loaded = self._slot.loaded
        if self._under_way:
            return True
        if self._failed or loaded is None or not loaded.engine.device.startswith("cuda"):
            return False
        if not may_fall_back(error, self._parameters()):
            return False
        reason = describe(error)
        self._under_way = True
        try:
            self._changes.begin(
                "the fallback to the CPU",
                lambda base: self._load(base, reason),
                self._on_done,
                self._on_refused,
            )
        except EgmtError:  # another change is under way: with the next error
            self._under_way = False
            return False
        self._logger.error(f"falling back to the CPU (model.fallback_to_cpu): {reason}")
        return True

    def _load(self, base: Base, reason: str) -> Loaded:
        """The weights in use, whatever model.weights has become since."""
        parameters = dataclasses.replace(base.parameters, model=base.loaded.made_by)
        return self._slot.load_on_cpu(parameters, base.loaded.chosen, reason)

    def _on_done(self, engine: Engine, warnings: list[str]) -> None:
        self._under_way = False
        self._logger.warning(
            f"model {engine.model_id} now runs on the CPU; ~/reload_model returns to model.device"
        )

    def _on_refused(self, reason: str) -> None:
        self._failed, self._under_way = True, False
        self._logger.error(f"no fallback to the CPU: {reason}")
