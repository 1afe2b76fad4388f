"""A folder of real image pairs as a bag, as if two cameras had taken them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_types import IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.bags.pair_folder import PairFiles, scan_pairs
from egmt_ros.evaluation.bags.synthetic_bag import (
    THERMAL_FRAME,
    THERMAL_TOPIC,
    VISIBLE_FRAME,
    VISIBLE_TOPIC,
)
from egmt_ros.evaluation.scene.sequence import SECOND, START
from egmt_ros.pipeline.image_files import read_thermal, read_visible

MISMATCH = ("error", "skip", "letterbox")
_TRANSPORT = 2_000_000  # ns from stamp to bag time


def write_pairs_bag(
    folder: str | Path,
    path: str | Path,
    *,
    rate: float = 10.0,
    repeat: int = 1,
    mismatch: str = "error",
    visible: str | Path | None = None,
    storage: str = "mcap",
    compress: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, int]:
    """Write the pairs of a folder as a bag; both images of a pair get the same stamp.

    Args:
        folder, visible: See pair_folder.scan_pairs.
        path: Bag folder to make.
        rate: Frames a second.
        repeat: How often each pair is sent before the next one comes.
        mismatch: What to do with a pair whose images differ in size: "error", "skip" it, or
            "letterbox" the thermal image into the visible one's size. Pairs may differ in size
            from each other.
        storage, compress, overwrite: See BagWriter.
        progress: Show a progress bar.

    Returns:
        topic -> number of messages.

    Raises:
        DataError: No pairs, an unreadable image, or images of different size.
        BagError: The bag cannot be made.
    """
    if not rate > 0 or repeat < 1 or mismatch not in MISMATCH:
        raise DataError(
            f"rate={rate}, repeat={repeat}, mismatch={mismatch!r}: the rate must be above 0, "
            f"repeat at least 1, mismatch one of {', '.join(MISMATCH)}."
        )
    scan = scan_pairs(folder, visible)
    if scan.note():
        print(scan.note(), file=sys.stderr)
    counts = write_bag(
        path,
        _messages(scan.pairs, rate, repeat, mismatch, progress),
        best_effort=(THERMAL_TOPIC, VISIBLE_TOPIC),
        topics={THERMAL_TOPIC: IMAGE, VISIBLE_TOPIC: IMAGE},
        storage=storage,
        compress=compress,
        overwrite=overwrite,
    )
    return counts


def _messages(
    pairs: list[PairFiles], rate: float, repeat: int, mismatch: str, progress: bool
) -> Iterator[BagMessage]:
    files: Any = pairs
    if progress:
        from tqdm import tqdm

        files = tqdm(pairs, desc="writing", unit="pair")
    sent, skipped = 0, []
    for pair in files:
        images = _read_pair(pair, mismatch)
        if images is None:
            skipped.append(pair.stem)
            continue
        for _ in range(repeat):
            stamp = START + int(round(sent * SECOND / rate))
            warm = image_message(images[0], stamp, THERMAL_FRAME)
            seen = image_message(images[1], stamp, VISIBLE_FRAME)
            yield BagMessage(THERMAL_TOPIC, IMAGE, stamp + _TRANSPORT, warm)
            yield BagMessage(VISIBLE_TOPIC, IMAGE, stamp + _TRANSPORT, seen)
            sent += 1
    if skipped:
        names = ", ".join(skipped[:5]) + (" ..." if len(skipped) > 5 else "")
        print(f"{len(skipped)} pairs of unequal sizes were skipped: {names}", file=sys.stderr)
    if not sent:
        raise DataError("every pair was skipped: the two images of each differ in size.")


def _read_pair(pair: PairFiles, mismatch: str) -> tuple[np.ndarray, np.ndarray] | None:
    warm, seen = read_thermal(pair.thermal), read_visible(pair.visible)
    if warm.dtype == np.float32:
        raise DataError(f"{pair.thermal} holds float32; expected uint8 or uint16 pixels for a bag")
    if warm.shape[:2] == seen.shape[:2]:
        return warm, seen
    if mismatch == "skip":
        return None
    if mismatch == "letterbox":
        return letterbox(warm, seen.shape[1], seen.shape[0]), seen
    raise DataError(
        f"pair {pair.stem}: the thermal image is {warm.shape[1]}x{warm.shape[0]} and the visible "
        f"one {seen.shape[1]}x{seen.shape[0]}; the images of a pair must have the same size. "
        "Register them first, or choose mismatch=skip or mismatch=letterbox."
    )


def letterbox(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale an image into ``width`` x ``height``, aspect kept, the rest black."""
    h, w = image.shape[:2]
    scale = min(width / w, height / h)
    new = (max(1, round(w * scale)), max(1, round(h * scale)))
    scaled = cv2.resize(
        image, new, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    out = np.zeros((height, width, *image.shape[2:]), image.dtype)
    x, y = (width - new[0]) // 2, (height - new[1]) // 2
    out[y : y + new[1], x : x + new[0]] = scaled
    return out


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag from-pairs`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="subfolders ir and vi")
    parser.add_argument("out", type=Path, metavar="OUT", help="bag folder to make")
    parser.add_argument(
        "--visible", type=Path, metavar="DIR", help="visible images; DIR then holds thermal ones"
    )
    parser.add_argument("--rate", type=float, default=10.0, metavar="HZ", help="default: 10")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="send each pair N times")
    parser.add_argument(
        "--mismatch", choices=MISMATCH, default="error", help="pairs of unequal image sizes"
    )
    parser.add_argument("--storage", choices=["mcap", "sqlite3"], default="mcap")
    parser.add_argument("--compress", action="store_true", help="zstd chunks (mcap)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bag")


def run(args: argparse.Namespace) -> int:
    """Make the bag and say what is in it."""
    counts = write_pairs_bag(
        args.folder,
        args.out,
        rate=args.rate,
        repeat=args.repeat,
        mismatch=args.mismatch,
        visible=args.visible,
        storage=args.storage,
        compress=args.compress,
        overwrite=args.overwrite,
        progress=True,
    )
    print(f"{args.out}: " + ", ".join(f"{n} {t}" for t, n in counts.items()))
    return 0
