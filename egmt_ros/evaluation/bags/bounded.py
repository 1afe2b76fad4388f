"""Reading of files that may lie about their sizes, in bounded memory."""

from __future__ import annotations

import bz2
import io
import sys
from pathlib import Path
from typing import Any

LARGEST = 512 * 2**20
"""Bytes of a message or chunk from which on it is taken for damage. The largest cameras have
150 megapixels; recorders start a new chunk after about 1 MB."""

_STEP = 4 * 2**20  # bytes that are decompressed at once

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class BoundedFile(io.BufferedReader):
    """A file, open for reading, that allocates no more than it can deliver.

    `io.BufferedReader.read(n)` reserves n bytes before it looks whether the file holds so many.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path, "r"))
        self.size = path.stat().st_size

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes.

        Raises:
            ValueError: There are not so many, or they are more than LARGEST.
        """
        left = self.size - self.tell()
        wanted = left if size is None or size < 0 else size
        if wanted > left or wanted > LARGEST:
            raise ValueError(
                f"at byte {self.tell()}, {wanted} bytes are announced, of which "
                f"{max(left, 0)} are there (at most {LARGEST} are read at once)"
            )
        return super().read(wanted)

    def at(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes from ``offset``.

        Raises:
            ValueError: They are not there, or more than LARGEST.
        """
        if not 0 <= offset <= self.size:
            raise ValueError(f"it points to byte {offset} of a file of {self.size}")
        self.seek(offset)
        data = self.read(size)
        if len(data) != size:
            raise ValueError(f"the file ended at byte {offset + len(data)} while it was read")
        return data


class BoundedPath:
    """A path as `rosbags` asks for one, whose file is a BoundedFile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._path.exists()

    def open(self, mode: str = "rb") -> BoundedFile:
        """Open it for reading."""
        return BoundedFile(self._path)

    def __str__(self) -> str:
        return str(self._path)


def zstd_decompressor() -> Any:
    """A zstd stream decompressor, of the standard library or of the package of `rosbags`."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdDecompressor()


def _lz4_decompressor() -> Any:
    from lz4.frame import LZ4FrameDecompressor

    return LZ4FrameDecompressor()


_DECOMPRESSORS = {
    "zstd": zstd_decompressor,
    "lz4": _lz4_decompressor,
    "bz2": bz2.BZ2Decompressor,
}


def decompress(data: bytes, compression: str, limit: int = LARGEST, cut: bool = False) -> bytes:
    """The content of compressed data.

    Args:
        data: One or more frames, one after another.
        compression: "zstd", "lz4", "bz2", or "" for none.
        limit: Bytes that the content may have.
        cut: The data end early; what they hold is returned.

    Raises:
        ValueError: The data are damaged, end early, or hold more than ``limit``.
    """
    if not compression:
        return data
    if compression not in _DECOMPRESSORS:
        raise ValueError(f"compression {compression!r} is unknown")
    parts: list[bytes] = []
    room = limit
    decoder = None
    while data or (decoder is not None and not decoder.eof and not decoder.needs_input):
        if decoder is None or decoder.eof:
            decoder = _DECOMPRESSORS[compression]()
        try:
            # In steps, because lz4 reserves what it may at most give.
            part = decoder.decompress(data, max_length=min(room + 1, _STEP))
        except Exception as error:  # each library has its own kinds
            if cut:
                break
            raise ValueError(f"{compression} data are damaged ({error})") from error
        room -= len(part)
        if room < 0:
            raise ValueError(f"{compression} data hold more than the {limit} bytes announced")
        parts.append(part)
        data = (decoder.unused_data or b"") if decoder.eof else b""
    if not cut and (decoder is None or not decoder.eof):
        raise ValueError(f"{compression} data end early")
    return parts[0] if len(parts) == 1 else b"".join(parts)
