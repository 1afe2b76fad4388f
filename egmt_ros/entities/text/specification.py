"""Text encoders by name, as the node's parameter entities.text_encoder has them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from egmt_ros.entities.text.cache import EmbeddingCache, default_cache_folder
from egmt_ros.errors import ConfigError
from egmt_ros.pipeline.text_encoder import TextEncoder

FORMS = "minilm, minilm:FOLDER, clip:FOLDER, clip:HUB_ID or file:FILE.npz"


class EncoderSpec(NamedTuple):
    """Which text encoder: "minilm", "clip" or "file", and its folder, hub id or file."""

    kind: str
    source: str


def parse_encoder(text: str) -> EncoderSpec:
    """Read one of `FORMS`; nothing is opened.

    Raises:
        ConfigError: It is none of them.
    """
    kind, colon, source = (part.strip() for part in text.strip().partition(":"))
    if kind not in ("minilm", "clip", "file") or (colon or kind != "minilm") and not source:
        raise ConfigError(f"text encoder is {text!r}; expected {FORMS}")
    return EncoderSpec(kind, source)


def make_text_encoder(text: str, template: str = "{}", cache: Path | None = None) -> TextEncoder:
    """Make a text encoder; models are loaded when a text is new to the cache.

    Args:
        text: One of `FORMS`.
        template: Text that is embedded, see `split_template`; a file has its own.
        cache: Folder that keeps embeddings; None: that of the user.

    Raises:
        ConfigError: `text` or `template` cannot be used, or the file cannot be read.
        MissingDependencyError: "minilm" without a folder, and its wheel is not installed.
    """
    from egmt_ros.entities.text.clip import ClipEncoder
    from egmt_ros.entities.text.minilm import MiniLmEncoder
    from egmt_ros.pipeline.embedding_file import read_embedding_file

    kind, source = parse_encoder(text)
    if kind == "file":
        return read_embedding_file(source)
    kept = EmbeddingCache(cache or default_cache_folder())
    if kind == "clip":
        return ClipEncoder(source, template, kept)
    return MiniLmEncoder(source or None, template, kept)
