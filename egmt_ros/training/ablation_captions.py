"""The captions of the pairs as sentence embeddings, for the ablation `sentences`."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from egmt_ros.entities.annotations import read_object
from egmt_ros.entities.text.vocabulary_embeddings import embed_vocabulary
from egmt_ros.entities.vocabulary import Vocabulary
from egmt_ros.errors import DataError
from egmt_ros.training.data import Sample

IMAGES = ("infrared", "visible")
"""Keys of a pair's two captions in captions.json, in the order in which they are told."""
CHUNK = 128
"""Sentences embedded at a time, to bound the memory."""

Key = tuple[str, str]
"""Data set and name of a pair."""


class CaptionBook:
    """Embeddings of the captions of pairs.

    Args:
        embeddings: Data set and name of a pair -> (2, text_width) float32, of the infrared and of
            the visible caption; zeros for one that is missing.
        width: text_width.
    """

    def __init__(self, embeddings: Mapping[Key, np.ndarray], width: int) -> None:
        self._embeddings = embeddings
        self._none = np.zeros((len(IMAGES), width), np.float32)

    def of(self, samples: Sequence[Sample]) -> Tensor:
        """(B, 2, text_width) of the pairs, zeros for those without captions."""
        rows = [self._embeddings.get((s.dataset, s.name), self._none) for s in samples]
        return torch.from_numpy(np.stack(rows))


def load_caption_book(
    data: Path,
    samples: Sequence[Sample],
    text_encoder: str,
    cache: Path,
    embed: Callable[[Vocabulary], np.ndarray] = embed_vocabulary,
) -> CaptionBook:
    """Embed the captions of the samples that have some, or take them from the cache.

    Args:
        data: Folder of data sets, or one data set, each with its captions.json.
        samples: Pairs of these data sets.
        text_encoder: The one of the vocabulary, which embeds the captions as well.
        cache: File (.npz) with the sentences and their embeddings; written if it holds others.
        embed: From a vocabulary to the (E, text_width) embeddings of its texts.

    Raises:
        DataError: No sample has a caption, or a file is not as expected.
    """
    captions = _captions(data, samples)
    sentences = sorted({text for pair in captions.values() for text in pair if text})
    if not sentences:
        raise DataError(
            f"no pair in {data} has captions; the ablation 'sentences' needs captions.json with "
            f"the texts {' and '.join(IMAGES)} of each pair beside its splits"
        )
    embedded = _cached(cache, sentences)
    if embedded is None:
        # The sentences stand where names would: the same encoder, mean and length.
        chunks = (sentences[i : i + CHUNK] for i in range(0, len(sentences), CHUNK))
        embedded = np.concatenate([embed(Vocabulary(tuple(c), text_encoder)) for c in chunks])
        _write(cache, sentences, embedded)
    width = embedded.shape[1]
    of_text = dict(zip(sentences, embedded, strict=True)) | {"": np.zeros(width, np.float32)}
    book = {key: np.stack([of_text[text] for text in pair]) for key, pair in captions.items()}
    return CaptionBook(book, width)


def _captions(data: Path, samples: Sequence[Sample]) -> dict[Key, tuple[str, ...]]:
    """The two captions of each sample that has one; "" for a missing one."""
    data = data.resolve()
    files: dict[str, tuple[Path, dict]] = {}
    found = {}
    for sample in samples:
        name = sample.dataset
        if name not in files:
            folder = data / name if (data / name).is_dir() else data
            path = folder / "captions.json"
            files[name] = path, read_object(path)
        path, captions = files[name]
        entry = captions.get(sample.name, {})
        texts = tuple(entry.get(image, "") for image in IMAGES) if isinstance(entry, dict) else (0,)
        if not all(isinstance(text, str) for text in texts):
            raise DataError(
                f"{path}: {sample.name} is {entry!r:.60}; expected an object with the texts "
                f"{' and '.join(IMAGES)}; repair the file"
            )
        if any(texts):
            found[name, sample.name] = texts
    return found


def _cached(path: Path, sentences: list[str]) -> np.ndarray | None:
    """The embeddings in the cache if it is one of these sentences."""
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            same = held["sentences"].tolist() == sentences
            return held["embeddings"] if same else None
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None  # damaged: made anew


def _write(path: Path, sentences: list[str], embeddings: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, sentences=np.array(sentences), embeddings=embeddings)
    os.replace(part, path)
