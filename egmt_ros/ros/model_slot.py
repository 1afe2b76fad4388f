"""The engine that the node uses: loaded by the parameters, given up, replaced by another."""

from __future__ import annotations

from typing import NamedTuple

from egmt_ros.errors import EgmtError
from egmt_ros.node_core.outgoing import ModelIdentity
from egmt_ros.node_core.parameters import EntityParameters, FusionParameters, ModelParameters
from egmt_ros.node_core.processing import Engine, EngineFactory
from egmt_ros.node_core.steering import (
    check_emphasis,
    load_text_encoder,
    unknown_emphasis,
    with_configured_entities,
)
from egmt_ros.ros.diagnostics import NodeState
from egmt_ros.ros.failures import describe, out_of_cuda_memory


class Chosen(NamedTuple):
    """A vocabulary chosen at run time, as ~/set_vocabulary was asked for it."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]


class Loaded(NamedTuple):
    """An engine and what it was made by.

    Attributes:
        engine: Fuses.
        made_by: The parameters that it was loaded by.
        chosen: Its vocabulary if that was chosen at run time; None: the configured one.
        fallback: Why it is on the CPU although model.device asks for another device, or "".
    """

    engine: Engine
    made_by: ModelParameters
    chosen: Chosen | None = None
    fallback: str = ""


class ModelSlot:
    """Holds the engine in use. Calls come from the executor's thread, but for `load`.

    Attributes:
        factory: Makes engines; called with the arguments of `load_engine`.
        loaded: The engine in use, None while unconfigured.
        model: What messages say about it, None while unconfigured.
    """

    def __init__(self, factory: EngineFactory, state: NodeState, logger: object) -> None:
        self.factory = factory
        self._state = state
        self._logger = logger
        self.loaded: Loaded | None = None
        self.model: ModelIdentity | None = None

    @property
    def vocabulary_hash(self) -> str:
        """That in force, "" for none."""
        return "" if self.model is None else self.model.vocabulary_hash

    def load(self, parameters: FusionParameters, chosen: Chosen | None = None) -> Loaded:
        """Load the weights beside the engine in use. From any thread.

        Args:
            parameters: Of model and entities.
            chosen: Vocabulary to look for, None: the configured one.

        Raises:
            EgmtError: weights, device or vocabulary cannot be used.
        """
        return Loaded(self._make(parameters, chosen, cpu=False), parameters.model, chosen)

    def load_on_cpu(
        self, parameters: FusionParameters, chosen: Chosen | None, fallback: str
    ) -> Loaded:
        """As `load`, but on the CPU whatever model.device is; `fallback` says why."""
        engine = self._make(parameters, chosen, cpu=True)
        return Loaded(engine, parameters.model, chosen, fallback)

    def configure(self, parameters: FusionParameters) -> None:
        """Load, warm up and use the engine that the parameters describe.

        Raises:
            EgmtError: they cannot be used; nothing is held then.
        """
        self._state.model = {"device_requested": parameters.model.device}
        try:
            loaded = self.load(parameters)
            warm_up_ms = self._prepare(loaded.engine, parameters)
        except Exception as error:
            if not may_fall_back(error, parameters):
                raise
            reason = describe(error)
            self._logger.error(f"falling back to the CPU (model.fallback_to_cpu): {reason}")
            loaded = self.load_on_cpu(parameters, None, reason)
            warm_up_ms = self._prepare(loaded.engine, parameters)
        self._hold(loaded, parameters.entities)
        self._state.model = {
            **self._state.model, "warm_up_ms": "" if warm_up_ms is None else warm_up_ms
        }

    def base(self) -> Loaded:
        """What a change of the engine starts from.

        Raises:
            EgmtError: there is no engine.
        """
        if self.loaded is None:
            raise EgmtError(
                f"the node is {self._state.phase} and has no model: configure it first; the"
                " parameter entities.names is the vocabulary to start with"
            )
        return self.loaded

    def adopt(self, old: Engine, new: Loaded, entities: EntityParameters) -> list[str]:
        """Use `new` from now on; the caller closes `old` when nobody uses it any more.

        Returns:
            Warnings, as sentences.

        Raises:
            EgmtError: `old` is not the engine in use any more.
        """
        if self.loaded is None or self.loaded.engine is not old:
            raise EgmtError("the node was cleaned up meanwhile; nothing has changed")
        self._hold(new, entities)
        warnings = [
            f"entities.emphasis of {name!r} has no effect: it is not in the vocabulary any more"
            for name in unknown_emphasis(new.engine.names, entities)
        ]
        for sentence in warnings:
            self._logger.warning(sentence)
        return warnings

    def release(self, *, close: bool) -> None:
        """Give the engine up.

        Args:
            close: False if something still uses it: its memory is then freed later.
        """
        if self.loaded is not None and close:
            self.loaded.engine.close()
        self.loaded = self.model = None

    def _make(self, parameters: FusionParameters, chosen: Chosen | None, *, cpu: bool) -> Engine:
        wanted, runtime, precision = parameters.model, *_execution(parameters, cpu=cpu)
        engine = self.factory(
            weights=wanted.weights or None,
            device="cpu" if cpu else wanted.device,
            threads=wanted.threads or None,
            runtime=runtime,
            precision=precision,
            announce=self._logger.info,
        )
        try:
            if chosen is None:
                return with_configured_entities(engine, parameters.entities)
            encoder = load_text_encoder(parameters.entities, engine)
            other = engine.with_vocabulary(chosen.names, chosen.thresholds, encoder)
            engine.close()
            return other
        except BaseException:
            engine.close()
            raise

    def _prepare(self, engine: Engine, parameters: FusionParameters) -> float | None:
        """Check and warm up an engine, or close it; the milliseconds of a pair, None: no warm-up.
        """
        wanted = parameters.model
        try:
            check_emphasis(engine.names, parameters.entities)
            model = ModelIdentity.of(engine)
            self._logger.info(
                f"model {model.model_id} with {len(model.names)} entities on device"
                f" {model.device} (model.device: {wanted.device}) with {model.runtime}"
                f" (model.runtime: {wanted.runtime})"
            )
            if not (wanted.warm_up_width and wanted.warm_up_height):
                return None
            took = float(engine.warm_up(wanted.warm_up_width, wanted.warm_up_height))
            self._logger.info(f"warmed up, one pair takes {took:.1f} ms")
            return took
        except BaseException:
            engine.close()
            raise

    def _hold(self, loaded: Loaded, entities: EntityParameters) -> None:
        self.loaded, self.model = loaded, ModelIdentity.of(loaded.engine)
        self._state.model = {
            **self._state.model,
            "device": self.model.device,
            "runtime": self.model.runtime,
            "model_id": self.model.model_id,
            "vocabulary_hash": self.model.vocabulary_hash,
            "text_encoder": self.model.text_encoder,
            "entities": len(self.model.names),
            "emphasis": " ".join(entities.emphasis),
        }


def may_fall_back(error: BaseException, parameters: FusionParameters) -> bool:
    """Whether an engine on the CPU is to take over after an error with model.device."""
    wanted = parameters.model
    return wanted.fallback_to_cpu and wanted.device != "cpu" and out_of_cuda_memory(error)


def _execution(parameters: FusionParameters, *, cpu: bool) -> tuple[str, str]:
    """Runtime and precision; on the CPU none of those that need a CUDA device."""
    wanted = parameters.model
    if not cpu:
        return wanted.runtime, wanted.precision
    runtime = "auto" if wanted.runtime == "cuda-graphs" else wanted.runtime
    return runtime, "float32" if wanted.precision == "float16" else wanted.precision
