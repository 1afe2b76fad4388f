"""What kind of bag a file is: by its name, and by how it begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.bounded import ZSTD_MAGIC
from egmt_ros.evaluation.bags.mcap_records import MAGIC as MCAP_MAGIC
from egmt_ros.evaluation.bags.mcap_storage import McapStorage
from egmt_ros.evaluation.bags.ros1_storage import Ros1Storage
from egmt_ros.evaluation.bags.sqlite_storage import SqliteStorage
from egmt_ros.evaluation.bags.storage import Storage

Opener = Callable[[Path], Storage]

_KINDS: dict[str, tuple[str, bytes, Opener]] = {
    ".mcap": ("mcap", MCAP_MAGIC, McapStorage),
    ".db3": ("sqlite3", b"SQLite format 3\0", SqliteStorage),
    ".bag": ("ros1", b"#ROSBAG V2.0\n", Ros1Storage),
}
_PACKED = ".zstd"
_STRANGERS = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip file",
    b"\x89HDF": "an HDF5 file",
    b"<": "a web page or XML file",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was not fetched",
}


class Kind(NamedTuple):
    """Name of a file's storage, whether it is compressed as a whole, and what opens it."""

    storage: str
    packed: bool
    opener: Opener


def kind_of(path: Path) -> Kind:
    """The kind of a bag file.

    Raises:
        BagError: It is no bag, or may not be read.
    """
    packed = path.suffix == _PACKED
    suffix = path.with_suffix("").suffix if packed else path.suffix
    if not path.is_file() or suffix not in _KINDS:
        raise BagError(
            f"{path} is not a bag; give a rosbag2 folder, a .mcap or .db3 file, or a ROS 1 .bag."
        )
    try:
        with path.open("rb") as file:
            head = file.read(32)
    except OSError as error:
        raise BagError(
            f"bag file {path} cannot be opened: {error.strerror or error}. Check that you may "
            f"read it (`ls -l {path}`)."
        ) from error
    name, magic, opener = _KINDS[suffix]
    if packed:
        magic = ZSTD_MAGIC
    if not head.startswith(magic):
        looks = next((what for m, what in _STRANGERS.items() if head.startswith(m)), None)
        found = f"is {looks}" if looks else "is empty" if not head else f"begins with {head[:8]!r}"
        raise BagError(
            f"{path} cannot be read: it {found}; a {path.suffix} file begins with {magic!r}. It is "
            "no bag, or damaged."
        )
    return Kind(name, packed, opener)
