"""Embeddings on disk, each under the hash of what it was made of."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from pathlib import Path

import numpy as np

_log = logging.getLogger(__name__)

_SEAL = hashlib.sha256().digest_size


def default_cache_folder() -> Path:
    """egmt_ros/text in the user's cache folder ($XDG_CACHE_HOME, or ~/.cache)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "egmt_ros" / "text"


class EmbeddingCache:
    """Keeps embeddings; of a damaged entry it knows nothing, and it is made anew.

    An entry is a file: the SHA-256 of its key and content, then the float32 values. Where the
    folder cannot be written nothing is kept.

    Args:
        folder: Made when the first embedding is put into it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, identity: str, template: str, text: str, width: int) -> np.ndarray | None:
        """The (width,) float32 embedding that was put under this key, None if there is none."""
        key = _key(identity, template, text)
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        seal, values = content[:_SEAL], content[_SEAL:]
        if seal != _seal(key, values) or len(values) != 4 * width:
            return None
        return np.frombuffer(values, "<f4").astype(np.float32)

    def put(self, identity: str, template: str, text: str, embedding: np.ndarray) -> None:
        """Keep the embedding of a text.

        Args:
            identity: Of the text encoder, weights included.
            template: That was filled with the text.
            text: An entity's name.
            embedding: (width,) float32.
        """
        key = _key(identity, template, text)
        values = np.ascontiguousarray(embedding, "<f4").tobytes()
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(_seal(key, values) + values)
            os.replace(file.name, path)
        except OSError as error:
            _log.info("the embedding of %r is not kept in %s: %s", text, path.parent, error)

    def _path(self, key: bytes) -> Path:
        name = hashlib.sha256(key).hexdigest()
        return self.folder / name[:2] / name


def _key(identity: str, template: str, text: str) -> bytes:
    return json.dumps([identity, template, text]).encode()


def _seal(key: bytes, values: bytes) -> bytes:
    return hashlib.sha256(key + b"\0" + values).digest()
