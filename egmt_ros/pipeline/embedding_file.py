"""Embeddings of a vocabulary in a file: for machines that have no text encoder.

`egmt annotate embed` writes it: an .npz with names, embeddings, text_encoder and template.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from egmt_ros.errors import ConfigError
from egmt_ros.model.vocabulary_hash import vocabulary_hash


@dataclass(frozen=True, eq=False)
class EmbeddingFile:
    """The embeddings of some entity names; a `TextEncoder` for these names.

    Attributes:
        names: Entity names, each once.
        embeddings: (E, width) float32 of unit length.
        name: Text encoder that made them.
        template: Text that was embedded, see `TextEncoder.template`.
    """

    names: tuple[str, ...]
    embeddings: np.ndarray
    name: str
    template: str

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return self.embeddings.shape[1]

    @property
    def vocabulary_hash(self) -> str:
        """Hash of names, text encoder and template."""
        return vocabulary_hash(self.names, self.name, self.template)

    def knows(self, name: str) -> bool:
        """Whether the file holds this name."""
        return name in self.names

    def embed(self, names: Sequence[str]) -> np.ndarray:
        """(E, width) float32 of these names.

        Raises:
            ConfigError: One of them is not in the file.
        """
        for name in names:
            if name not in self.names:
                raise ConfigError(
                    f"the embedding file holds no {name!r}, only {_listed(self.names)}; "
                    "make one with egmt annotate embed"
                )
        return self.embeddings[[self.names.index(name) for name in names]]

    def write(self, path: Path) -> None:
        """Write the file under another name first and then rename it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez(
                file,
                names=np.array(self.names),
                embeddings=self.embeddings,
                text_encoder=np.array(self.name),
                template=np.array(self.template),
            )
        os.replace(part, path)


def read_embedding_file(path: str | Path) -> EmbeddingFile:
    """Read what `EmbeddingFile.write` wrote. Nothing is ever unpickled.

    Raises:
        ConfigError: The file is missing, damaged, or not of this kind.
    """
    path = Path(path).expanduser()
    try:
        with np.load(path, allow_pickle=False) as held:
            names, embeddings = held["names"], held["embeddings"]
            name, template = held["text_encoder"].item(), held["template"].item()
    except FileNotFoundError as error:
        raise ConfigError(
            f"embedding file {path} does not exist; make it with egmt annotate embed"
        ) from error
    except (OSError, EOFError, KeyError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise ConfigError(
            f"embedding file {path} cannot be read ({type(error).__name__}: {error}); "
            "make it anew with egmt annotate embed"
        ) from error
    wrong = _wrong(names, embeddings, name, template)
    if wrong:
        raise ConfigError(f"embedding file {path}: {wrong}; make it with egmt annotate embed")
    return EmbeddingFile(tuple(map(str, names)), embeddings, name, template)


def _wrong(names: np.ndarray, embeddings: np.ndarray, name: object, template: object) -> str | None:
    """What is wrong with the content, or None."""
    if names.ndim != 1 or names.dtype.kind != "U" or len(set(names.tolist())) != names.size:
        return f"names are {names!r:.60}, expected different texts"
    if embeddings.dtype != np.float32 or embeddings.ndim != 2 or len(embeddings) != names.size:
        return (
            f"embeddings are {embeddings.shape} {embeddings.dtype}, expected float32 with a row "
            f"for each of the {names.size} names"
        )
    if not np.allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-3):
        return "embeddings are not of unit length"
    if not isinstance(name, str) or not isinstance(template, str):
        return f"text_encoder is {name!r:.60} and template {template!r:.60}, expected texts"
    return None


def _listed(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
