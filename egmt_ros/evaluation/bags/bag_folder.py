"""The folder of a rosbag2 bag: which files it has, and what metadata.yaml says about them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from egmt_ros.errors import BagError
from egmt_ros.evaluation.bags.storage import Contents, TopicTally, parsed_qos, topic_with_qos

METADATA = "metadata.yaml"
_LARGEST = 64 * 2**20  # bytes of a metadata.yaml; each file of a bag takes about 200


@dataclass(frozen=True)
class BagFile:
    """A file of a bag; ``start`` and ``end``: bag times in ns, None where they are not known."""

    path: Path
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class BagFolder:
    """A bag of several files; ``contents``: as metadata.yaml says, None without it."""

    files: tuple[BagFile, ...]
    contents: Contents | None


def read_folder(folder: Path) -> BagFolder:
    """The files of a bag.

    MCAP files describe themselves, so a recording that was killed before it wrote metadata.yaml
    is read all the same.

    Raises:
        BagError: The folder is no bag, or its metadata.yaml is damaged or names missing files.
    """
    metadata = folder / METADATA
    if not metadata.is_file():
        return _without_metadata(folder)
    try:
        if metadata.stat().st_size > _LARGEST:
            raise ValueError(f"it has {metadata.stat().st_size} bytes")
        content = yaml.safe_load(metadata.read_text(encoding="utf-8"))
        return _parse(folder, content["rosbag2_bagfile_information"])
    except BagError:
        raise
    except Exception as error:  # whatever a damaged file makes of the YAML
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise BagError(
            f"bag {folder} cannot be read: {metadata} is damaged ({' '.join(reason.split())}); run "
            f"`ros2 bag reindex {folder}`, or give one of its files."
        ) from error


def _without_metadata(folder: Path) -> BagFolder:
    found = sorted(folder.glob("*.mcap"), key=_natural)
    if found:
        return BagFolder(tuple(BagFile(path) for path in found), None)
    others = sorted((*folder.glob("*.db3"), *folder.glob("*.bag")), key=_natural)
    if others:
        raise BagError(
            f"bag {folder} has no {METADATA}; run `ros2 bag reindex {folder}`, or give the file "
            f"itself: {others[0]}"
        )
    raise BagError(
        f"{folder} is not a bag: it has no {METADATA} and no .mcap file; give a rosbag2 folder."
    )


def _natural(path: Path) -> list[Any]:
    """bag_2 before bag_10."""
    return [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", path.name)]


def _parse(folder: Path, info: dict[str, Any]) -> BagFolder:
    names = [PurePosixPath(str(name)).name for name in info["relative_file_paths"]]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise BagError(
            f"bag {folder} lacks {', '.join(missing) or 'files'}, which its {METADATA} names; "
            f"copy what is missing, or run `ros2 bag reindex {folder}`."
        )
    times: dict[str, tuple[int, int]] = {}
    for file in info.get("files") or ():
        first = int(file["starting_time"]["nanoseconds_since_epoch"])
        last = first + int(file["duration"]["nanoseconds"])
        if int(file["message_count"]):
            times[PurePosixPath(str(file["path"])).name] = (first, last)
    files = [BagFile(folder / name, *times.get(name, (None, None))) for name in names]
    return BagFolder(tuple(files), _contents(info))


def _contents(info: dict[str, Any]) -> Contents:
    tally = TopicTally()
    for entry in info["topics_with_message_count"]:
        topic = entry["topic_metadata"]
        qos = parsed_qos(topic.get("offered_qos_profiles") or [])
        tally.add(
            topic_with_qos(str(topic["name"]), str(topic["type"]), int(entry["message_count"]), qos)
        )
    topics = tuple(sorted(tally.topics.values(), key=lambda t: t.name))
    count = int(info["message_count"])
    if not count:
        return Contents(topics)
    start = int(info["starting_time"]["nanoseconds_since_epoch"])
    return Contents(topics, count, start, start + int(info["duration"]["nanoseconds"]))
