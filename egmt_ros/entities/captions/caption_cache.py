"""Captions on disk, by image, model, prompt and settings, so that no image is captioned twice."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.captions.caption_file import is_text
from egmt_ros.errors import ConfigError

FORMAT = {"format": "egmt-caption-cache", "version": 1}


def default_cache_folder() -> Path:
    """Folder for caches of this user: $XDG_CACHE_HOME, or ~/.cache, and below it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "egmt_ros" / "captions"


def image_digest(pixels: np.ndarray) -> str:
    """SHA-256 of an image's size and pixels, as the model gets them; not of its file."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str}\n".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


class CaptionCache:
    """The captions of one model with one set of settings, in one file that only grows.

    A JSON line {"image": digest, "prompt": text, "caption": text} follows another; `add` returns
    when they are on the disk. A line that was cut short, by a crash or a full disk, is left out
    and its image captioned anew. One process at a time uses a file.

    Args:
        folder: Made if it is missing.
        model: Identity of the model, see `ModelSource.identity`.
        label: The model's name for people; stands in the first line.
        generation: Settings that decide a caption, JSON values.

    Raises:
        ConfigError: The folder cannot be made, the file cannot be opened, or another process
            uses it.

    Attributes:
        path: The file.
        damaged: Lines that could not be read.
    """

    def __init__(self, folder: Path, model: str, label: str, generation: Mapping[str, Any]) -> None:
        header = {**FORMAT, "model": model, "generation": dict(generation)}
        key = hashlib.sha256(json.dumps(header, sort_keys=True).encode()).hexdigest()[:16]
        self.path = folder / f"{key}.jsonl"
        self.damaged = 0
        self._captions: dict[tuple[str, str], str] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise ConfigError(
                f"captions cannot be stored in {folder} ({error}); give another folder as --cache"
            ) from error
        try:
            self._lock()
            self._read()
            if self._file.tell() == 0:
                self._append([{**header, "label": label}])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> CaptionCache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of captions."""
        return len(self._captions)

    def get(self, image: str, prompt: str) -> str | None:
        """The caption of an image by its digest ("" if the model said nothing); None if new."""
        return self._captions.get((image, prompt))

    def add(self, prompt: str, captions: Mapping[str, str]) -> None:
        """Store captions, image digest -> caption, made with one prompt.

        Raises:
            OSError: They cannot be written.
        """
        self._append(
            {"image": image, "prompt": prompt, "caption": caption}
            for image, caption in captions.items()
        )
        self._captions.update({(image, prompt): text for image, text in captions.items()})

    def close(self) -> None:
        """Let other processes use the file."""
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise ConfigError(
                    f"{self.path} cannot be locked ({error}); give a folder of a local disk as "
                    "--cache"
                ) from error
            raise ConfigError(
                f"another process is captioning with this model and stores in {self.path}; wait "
                "for it, or give another folder as --cache"
            ) from error

    def _read(self) -> None:
        self._file.seek(0)
        data = self._file.read()
        for number, line in enumerate(data.split(b"\n")):
            if not line or (number == 0 and b'"format"' in line):
                continue
            try:
                found = json.loads(line)
                entry = found["image"], found["prompt"], found["caption"]
            except (ValueError, RecursionError, KeyError, TypeError):
                self.damaged += 1
                continue
            if all(map(is_text, entry)):
                self._captions[entry[:2]] = entry[2]
            else:
                self.damaged += 1
        if data and not data.endswith(b"\n"):
            self._file.write(b"\n")  # so that what follows is not part of the line cut short

    def _append(self, lines: Any) -> None:
        data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        while data:
            data = data[self._file.write(data) :]
        os.fsync(self._file.fileno())
