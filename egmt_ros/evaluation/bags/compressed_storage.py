"""Files of a bag that were compressed as a whole (zstd), unpacked one at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bounded import zstd_decompressor
from egmt_ros.evaluation.bags.storage import BagRecord, Contents, Definition, Storage, damaged

_REMEDY = "copy it again"
_STEP = 1 << 20  # bytes that are read at once
_GROWTH = 16 << 20  # bytes that are written at once


class CompressedStorage:
    """A compressed file; see `storage.Storage`. Its unpacked copy lives only while it is read.

    Args:
        contents: What is in it, as metadata.yaml says; None: it is unpacked to see.
        opener: Opens the unpacked file.
    """

    def __init__(
        self, path: Path, contents: Contents | None, opener: Callable[[Path], Storage]
    ) -> None:
        self.path = path
        self._opener = opener
        self._copy = path  # the last one that was made
        if contents is None:
            with self._unpacked() as (storage, problem):
                contents = replace(storage.contents, damage=problem or storage.contents.damage)
        self.contents = contents

    def close(self) -> None:
        """Nothing is open between two calls."""

    def definitions(self) -> dict[str, Definition]:
        """Message types that the file defines, by name."""
        with self._unpacked() as (storage, _):
            return storage.definitions()

    def messages(
        self, topics: Collection[str] | None, start: int | None, stop: int | None
    ) -> Iterator[BagRecord]:
        """Messages in the order of bag time.

        Raises:
            BagError: The file is damaged, or there is no room to unpack it.
        """
        with self._unpacked() as (storage, problem):
            try:
                yield from storage.messages(topics, start, stop)
            except BagError as error:
                if not problem:
                    raise self._own(error) from error
        if problem:
            raise damaged(self.path, problem, _REMEDY, partly=True)

    @contextmanager
    def _unpacked(self) -> Iterator[tuple[Storage, str | None]]:
        """The unpacked file, and what went wrong when it was unpacked."""
        with tempfile.TemporaryDirectory(prefix="egmt_bag_") as folder:
            copy = self._copy = Path(folder, self.path.stem)  # x.mcap of x.mcap.zstd
            problem = self._unpack(copy)
            try:
                storage = self._opener(copy)
            except BagError as error:
                if problem:
                    raise damaged(self.path, problem, _REMEDY) from error
                raise self._own(error) from error
            try:
                yield storage, problem
            finally:
                storage.close()

    def _own(self, error: BagError) -> BagError:
        """An error of the copy, which is gone when the error is read."""
        text = str(error).replace(str(self._copy), str(self.path))
        return BagError(text)

    def _unpack(self, copy: Path) -> str | None:
        """Returns what is wrong; what could be unpacked is in the copy."""
        decoder = zstd_decompressor()
        try:
            with self.path.open("rb") as packed, copy.open("wb") as plain:
                while data := packed.read(_STEP):
                    while True:
                        if decoder.eof:  # another frame follows
                            decoder = zstd_decompressor()
                        try:
                            plain.write(decoder.decompress(data, max_length=_GROWTH))
                        except OSError:
                            raise
                        except Exception as error:  # the library's own kind
                            return f"its compression is damaged ({error})"
                        data = decoder.unused_data if decoder.eof else b""
                        if not data and (decoder.eof or decoder.needs_input):
                            break
        except OSError as error:
            raise BagError(
                f"bag file {self.path} cannot be unpacked into {copy.parent}: {error}. Set TMPDIR "
                "to a folder with more room."
            ) from error
        return None if decoder.eof else "its compressed data end early"
