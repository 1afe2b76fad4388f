"""What the parameters entities.names, text_encoder and emphasis make of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egmt_ros.errors import ConfigError
from egmt_ros.node_core.parameters import EntityParameters
from egmt_ros.node_core.processing import Engine
from egmt_ros.pipeline.emphasis import unknown_entity
from egmt_ros.pipeline.text_encoder import TextEncoder


def load_text_encoder(parameters: EntityParameters, engine: Engine) -> TextEncoder | None:
    """The encoder of entities.text_encoder with the engine's template; None if it is empty.

    Raises:
        EgmtError: It is missing.
    """
    if not parameters.text_encoder:
        return None
    from egmt_ros.entities.text.specification import make_text_encoder

    return make_text_encoder(parameters.text_encoder, engine.template)


def with_configured_entities(engine: Engine, parameters: EntityParameters) -> Engine:
    """The engine that looks for entities.names; `engine` itself if there are none.

    Raises:
        EgmtError: A name is not in the weights and cannot be embedded; `engine` is as before.
    """
    if not parameters.names:
        return engine
    chosen = engine.with_vocabulary(parameters.names, (), load_text_encoder(parameters, engine))
    engine.close()
    return chosen


def unknown_emphasis(names: Sequence[str], parameters: EntityParameters) -> list[str]:
    """Emphasised entities that the vocabulary `names` lacks."""
    return [name for name in parameters.factors if name not in names]


def check_emphasis(names: Sequence[str], parameters: EntityParameters) -> None:
    """Refuse an emphasis on what is not in the vocabulary `names`.

    Raises:
        ConfigError: It is; the message names the parameter.
    """
    for name in unknown_emphasis(names, parameters):
        raise ConfigError(f"parameter entities.emphasis: {unknown_entity(name, names)}")


def emphasis_weights(engine: Engine, parameters: EntityParameters) -> Any:
    """The `entity_weights` of the emphasis on entities that the engine has; None for none."""
    factors = {name: f for name, f in parameters.factors.items() if name in engine.names}
    return engine.emphasis(factors) if factors else None
