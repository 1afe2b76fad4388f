"""What a text encoder is to the engine; `egmt_ros.entities.text` has those that use models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class TextEncoder(Protocol):
    """Embeds entity names. Slow things, such as loading a model, wait for the first `embed`."""

    @property
    def name(self) -> str:
        """What vocabularies and checkpoints call it; equal names give equal embeddings."""

    @property
    def template(self) -> str:
        """Text that is embedded, with `{}` for the name; several, separated by |, are averaged."""

    @property
    def width(self) -> int:
        """Length of an embedding."""

    def knows(self, name: str) -> bool:
        """Whether it can embed this name: a model can embed any, a file those it holds."""

    def embed(self, names: Sequence[str]) -> np.ndarray:
        """(E, width) float32 embeddings of unit length.

        Raises:
            EgmtError: A name is not known, or the model is missing or cannot be used.
        """
