"""What text encoders with a transformers model have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.text.cache import EmbeddingCache
from egmt_ros.entities.text.model_folder import (
    import_transformers,
    model_digest,
    quiet,
    read_config,
    resolve_model,
)
from egmt_ros.entities.text.templates import split_template, texts_of
from egmt_ros.errors import ConfigError

BATCH = 128
"""Texts embedded at a time, to bound the memory."""


class ModelTextEncoder(ABC):
    """A `TextEncoder` of a transformers model on the CPU, loaded when a text is new to the cache.

    The embedding of a name is the mean of those of its texts, of unit length.

    Args:
        model: Folder or hub id.
        template: One or more texts with `{}` for the name, see `split_template`.
        cache: Where embeddings are kept; None keeps none.

    Raises:
        ConfigError: The template cannot be used.
    """

    kinds: tuple[str, ...]
    """`model_type` that config.json of a suitable model has."""
    loader: str
    """Class of transformers that loads it."""

    def __init__(
        self, model: str | Path, template: str = "{}", cache: EmbeddingCache | None = None
    ) -> None:
        split_template(template)
        self._model = model
        self._template = template
        self._cache = cache

    @property
    @abstractmethod
    def name(self) -> str:
        """What vocabularies and checkpoints call it."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Length of an embedding."""

    @property
    def template(self) -> str:
        """Text that is embedded, with `{}` for the name."""
        return self._template

    @property
    def identity(self) -> str:
        """Name and hash of the weights: what an embedding depends on besides its text."""
        return f"{self.name} {self.digest}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of weights, configuration and tokenizer, hex."""
        return model_digest(self.folder)

    @cached_property
    def folder(self) -> Path:
        """Local folder of the model."""
        return resolve_model(self._model)

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json of the model.

        Raises:
            ConfigError: It cannot be read or is that of another kind of model.
        """
        config = read_config(self.folder)
        if config.get("model_type") not in self.kinds:
            raise ConfigError(
                f"text encoder folder {self.folder} has a model of type "
                f"{config.get('model_type')!r}; expected {' or '.join(map(repr, self.kinds))}"
            )
        return config

    def knows(self, name: str) -> bool:
        """True: a model embeds any text."""
        return True

    def embed(self, names: Sequence[str]) -> np.ndarray:
        """(E, width) float32 embeddings of unit length.

        Raises:
            ConfigError: The model is missing or cannot be loaded.
            MissingDependencyError: transformers is not installed.
        """
        if self._cache is None:
            return self._make(names)
        key, width = (self.identity, self._template), self.width
        found = {name: self._cache.get(*key, name, width) for name in dict.fromkeys(names)}
        missing = [name for name, embedding in found.items() if embedding is None]
        if missing:
            for name, embedding in zip(missing, self._make(missing), strict=True):
                found[name] = embedding
                self._cache.put(*key, name, embedding)
        rows = [found[name] for name in names]
        return np.stack(rows) if rows else np.empty((0, width), np.float32)

    def _make(self, names: Sequence[str]) -> np.ndarray:
        return unit(self._average(names))

    def _average(self, names: Sequence[str]) -> np.ndarray:
        """(E, width) float32 mean of the unit embeddings of each name's texts."""
        texts = [text for name in names for text in texts_of(self._template, name)]
        chunks = [self._encode(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]
        if not chunks:
            return np.empty((0, self.width), np.float32)
        vectors = unit(np.concatenate(chunks))
        return vectors.reshape(len(names), -1, vectors.shape[-1]).mean(1)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Tokenizer and network."""
        _ = self.config  # says what is wrong with the folder better than the library
        transformers = import_transformers()
        try:
            with quiet(transformers):
                tokenizer = transformers.AutoTokenizer.from_pretrained(
                    self.folder, local_files_only=True
                )
                network, report = getattr(transformers, self.loader).from_pretrained(
                    self.folder, local_files_only=True, output_loading_info=True
                )
        except Exception as error:  # whatever is in the files
            raise ConfigError(
                f"text encoder folder {self.folder} cannot be loaded as {self.loader} "
                f"({type(error).__name__}: {' '.join(str(error).split())[:200]}); expected "
                "config.json, weights and tokenizer as transformers saves them"
            ) from error
        # What is missing was filled with random numbers; the pooler is not used.
        missing = [key for key in report["missing_keys"] if not key.startswith("pooler")]
        if missing:
            raise ConfigError(
                f"the weights in {self.folder} lack {missing[0]} of {self.loader}; give the folder "
                "of a complete model"
            )
        return tokenizer, network.float().eval()

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, width) float32 of these texts."""
        import torch

        tokenizer, network = self._loaded
        longest = network.config.max_position_embeddings
        with torch.inference_mode():
            batch = tokenizer(
                list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
            )
            return self._pool(network(**batch), batch["attention_mask"]).numpy().astype(np.float32)

    @abstractmethod
    def _pool(self, output: Any, mask: Any) -> Any:
        """(N, width) tensor of the network's output; `mask` is 1 where there is a token."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """(N, width) at unit length."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
