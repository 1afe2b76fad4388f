"""The text side of CLIP (Radford et al., ICML 2021), centred."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from egmt_ros.entities.text.model_encoder import ModelTextEncoder, unit
from egmt_ros.errors import ConfigError

CENTRE_WORDS = (
    "air animal apple arm baby bag ball bank beach bed bird boat book bottle box boy bread bridge "
    "camera candle chair church city clock cloud coat computer cow cup desk dog door dress drum "
    "egg eye face farm field finger fire fish flag flower food forest fruit garden girl glass gold "
    "guitar hair hammer hand hat hill horse house ice insect island key kitchen knife lake lamp "
    "leaf letter machine market metal milk mirror money moon mountain music night ocean office oil "
    "paint paper party phone piano picture plane plate rain river rock room rope salt sand school "
    "sea sheep ship shoe snow soap soldier song star stone street sugar sun table tea telephone "
    "tent tool tower town toy train tree valley village wall watch water wheel wind window winter "
    "wood wool"
).split()
"""Everyday nouns whose mean embedding is subtracted.

CLIP's text embeddings lie in a narrow cone: any two names have a cosine of 0.7 and more, and what
they share says nothing about either. The words are fixed, so that the embedding of a name does
not depend on the vocabulary that it stands in; they are part of the encoder's name."""


class ClipEncoder(ModelTextEncoder):
    """Projected text embeddings less the mean of those of `CENTRE_WORDS` in the same templates."""

    kinds = ("clip", "clip_text_model")
    loader = "CLIPTextModelWithProjection"

    @property
    def name(self) -> str:
        """The word clip-centred, @, and 12 hex digits of the weights' and the centre's hash."""
        made_of = f"{self.digest} {' '.join(CENTRE_WORDS)}"
        return f"clip-centred@{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"

    @property
    def width(self) -> int:
        """Length of an embedding, 512 for ViT-B."""
        width = self.config.get("projection_dim")
        if not isinstance(width, int):
            raise ConfigError(
                f"{self.folder}/config.json has no projection_dim; expected a CLIP model with "
                "text projection"
            )
        return width

    def _make(self, names: Sequence[str]) -> np.ndarray:
        return unit(self._average(names) - self._centre)

    @cached_property
    def _centre(self) -> np.ndarray:
        """(1, width) mean embedding of the words."""
        return self._average(CENTRE_WORDS).mean(0, keepdims=True)

    def _pool(self, output: Any, mask: Any) -> Any:
        return output.text_embeds
