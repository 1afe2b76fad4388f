"""A folder of real image pairs as a bag, as if two cameras had taken them."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.bag_types import ENTITIES, IMAGE, image_message
from egmt_ros.evaluation.bags.bag_writer import BagMessage, write_bag
from egmt_ros.evaluation.bags.pair_cameras import PairCameras, Shot, add_noise, plan_shots
from egmt_ros.evaluation.bags.pair_folder import scan_pairs
from egmt_ros.evaluation.bags.pair_images import MISMATCH, PairImages
from egmt_ros.evaluation.bags.pair_truth import PairTruth, find_annotations, pair_truth
from egmt_ros.evaluation.bags.synthetic_bag import (
    THERMAL_FRAME,
    THERMAL_TOPIC,
    VISIBLE_FRAME,
    VISIBLE_TOPIC,
)
from egmt_ros.evaluation.bags.truth_messages import PARTIAL, TRUTH_TOPIC, WHOLE, truth_message
from egmt_ros.pipeline.frames import Side
from egmt_ros.pipeline.whole_files import write_whole
from egmt_ros.resources import config_path

FOUND = "found"
"""Of `labels`: those that are found by the folder."""

_IMAGES = {
    Side.THERMAL: (THERMAL_TOPIC, THERMAL_FRAME),
    Side.VISIBLE: (VISIBLE_TOPIC, VISIBLE_FRAME),
}
_NO_FAULTS = PairCameras()


def write_pairs_bag(
    folder: str | Path,
    path: str | Path,
    *,
    rate: float = 10.0,
    repeat: int = 1,
    mismatch: str = "error",
    visible: str | Path | None = None,
    cameras: PairCameras = _NO_FAULTS,
    labels: str | Path | None = None,
    vocabulary: Path | None = None,
    index: Path | None = None,
    storage: str = "mcap",
    compress: bool = False,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, int]:
    """Write the pairs of a folder as a bag, the newest pair in each frame.

    Args:
        folder, visible: See pair_folder.scan_pairs.
        path: Bag folder to make.
        rate: Pairs a second.
        repeat: How many periods of that rate each pair lasts.
        mismatch: What to do with a pair whose images differ in size; see PairImages.
        cameras: When they look, and their faults; by default both images of a pair get the same
            stamp.
        labels: Where the truth about the pairs is, FOUND or what find_annotations takes; it is
            written for each visible frame. None: no truth.
        vocabulary: Entities of the truth; None: those of the default weights.
        index: CSV file to write besides: side, stamp and the stem of the pair, of each frame.
        storage, compress, overwrite: See BagWriter.
        progress: Show a progress bar, and say what was found.

    Returns:
        topic -> number of messages.

    Raises:
        DataError: No pairs, an unreadable image, images of different size, no labels of these
            pairs, or the index cannot be written.
        BagError: The bag cannot be made.
    """
    if not 0 < rate < float("inf") or repeat < 1 or mismatch not in MISMATCH:
        raise DataError(
            f"rate={rate}, repeat={repeat}, mismatch={mismatch!r}: the rate must be above 0, "
            f"repeat at least 1, mismatch one of {', '.join(MISMATCH)}."
        )
    if index is not None and (index.is_dir() or not index.parent.is_dir()):
        raise DataError(f"index {index} cannot be written; give a file in a folder that is there")
    scan = scan_pairs(folder, visible)
    if scan.note():
        print(scan.note(), file=sys.stderr)
    images = PairImages(scan.pairs, mismatch)
    shots = plan_shots(len(images.pairs), rate, repeat, cameras)
    truth = None
    topics = {THERMAL_TOPIC: IMAGE, VISIBLE_TOPIC: IMAGE}
    if labels is not None:
        stems = [pair.stem for pair in images.pairs]
        truth = _truth(Path(folder), stems, labels, vocabulary, progress)
        topics[TRUTH_TOPIC] = ENTITIES
    counts = write_bag(
        path,
        _messages(images, shots, cameras, truth, progress),
        best_effort=(THERMAL_TOPIC, VISIBLE_TOPIC),
        topics=topics,
        storage=storage,
        compress=compress,
        overwrite=overwrite,
    )
    if images.skipped:
        names = ", ".join(images.skipped[:5]) + (" ..." if len(images.skipped) > 5 else "")
        print(
            f"{len(images.skipped)} pairs of unequal sizes were skipped: {names}", file=sys.stderr
        )
    for side in Side:
        unseen = len(images.pairs) - len({shot.pair for shot in shots if shot.side is side})
        if unseen:
            print(f"{unseen} pairs are in no {side.value} frame", file=sys.stderr)
    if index is not None:
        write_whole(index, _index(images, shots).encode())
    return counts


def _truth(
    folder: Path, stems: Sequence[str], labels: str | Path, file: Path | None, announce: bool
) -> Callable[[int], PairTruth]:
    """What gives the truth about each pair, by its number."""
    vocabulary = load_vocabulary(file or config_path("vocabulary.yaml"))
    given = None if labels == FOUND else Path(labels)
    annotations, files = find_annotations(folder, stems, vocabulary, given)
    if announce:
        known = sum(stem in annotations.pairs for stem in stems)
        print(f"labels of {known} of {len(stems)} pairs: {', '.join(map(str, files))}")
    return lambda pair: pair_truth(annotations, vocabulary, stems[pair])


def _messages(
    images: PairImages,
    shots: list[Shot],
    cameras: PairCameras,
    truth: Callable[[int], PairTruth] | None,
    progress: bool,
) -> Iterator[BagMessage]:
    every: Any = shots
    if progress:
        from tqdm import tqdm

        every = tqdm(shots, desc="writing", unit="frame")
    rng = np.random.default_rng((cameras.seed, 12))
    for bag_time, side, stamp, pair in every:
        topic, frame_id = _IMAGES[side]
        image = images.thermal(pair) if side is Side.THERMAL else images.visible(pair)
        image = add_noise(image, cameras.noise, rng)
        yield BagMessage(topic, IMAGE, bag_time, image_message(image, stamp, frame_id))
        if truth is not None and side is Side.VISIBLE:
            size = image.shape[1], image.shape[0]
            known, whole = truth(pair)
            message = truth_message(known, stamp, frame_id, size, WHOLE if whole else PARTIAL)
            yield BagMessage(TRUTH_TOPIC, ENTITIES, bag_time, message)


def _index(images: PairImages, shots: list[Shot]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("side", "stamp", "stem"))
    writer.writerows((s.side.value, s.stamp, images.pairs[s.pair].stem) for s in shots)
    return text.getvalue()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag from-pairs`."""
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="subfolders ir and vi")
    add("out", type=Path, metavar="OUT", help="bag folder to make")
    add("--visible", type=Path, metavar="DIR", help="visible images; DIR then holds thermal ones")
    add("--rate", type=float, default=10.0, metavar="HZ", help="of the pairs; default: 10")
    add("--repeat", type=int, default=1, metavar="N", help="each pair lasts N periods of --rate")
    add(
        "--thermal-rate", type=float, metavar="HZ",
        help="of the thermal camera, which shows the newest pair (default: --rate)",
    )  # fmt: skip
    add("--visible-rate", type=float, metavar="HZ", help="of the visible camera, likewise")
    add(
        "--jitter", type=float, default=0.0, metavar="S",
        help="standard deviation of the stamps, seconds",
    )  # fmt: skip
    add(
        "--offset", type=float, default=0.0, metavar="S",
        help="how much later thermal stamps are than the moment shown, seconds",
    )  # fmt: skip
    add("--drops", type=float, default=0.0, help="share of missing frames, of each camera")
    add("--noise", type=float, default=0.0, help="standard deviation of sensor noise, grey levels")
    add("--seed", type=int, default=0, help="of jitter, drops and noise")
    add(
        "--labels", nargs="?", const=FOUND, metavar="FILE",
        help="write what is in each pair to " + TRUTH_TOPIC + "; without FILE (annotations, "
        "captions or labels): those of the data set, or released with this project",
    )  # fmt: skip
    add(
        "--vocabulary", type=Path, metavar="FILE",
        help="entities to label (default: vocabulary.yaml)",
    )  # fmt: skip
    add("--index", type=Path, metavar="FILE", help="write stamp and pair of each frame, CSV")
    add("--mismatch", choices=MISMATCH, default="error", help="pairs of unequal image sizes")
    add("--storage", choices=["mcap", "sqlite3"], default="mcap")
    add("--compress", action="store_true", help="zstd chunks (mcap)")
    add("--overwrite", action="store_true", help="replace an existing bag")


def run(args: argparse.Namespace) -> int:
    """Make the bag and say what is in it."""
    counts = write_pairs_bag(
        args.folder,
        args.out,
        rate=args.rate,
        repeat=args.repeat,
        mismatch=args.mismatch,
        visible=args.visible,
        cameras=PairCameras(
            thermal_rate=args.thermal_rate,
            visible_rate=args.visible_rate,
            jitter=args.jitter,
            offset=args.offset,
            drops=args.drops,
            noise=args.noise,
            seed=args.seed,
        ),
        labels=args.labels,
        vocabulary=args.vocabulary,
        index=args.index,
        storage=args.storage,
        compress=args.compress,
        overwrite=args.overwrite,
        progress=True,
    )
    print(f"{args.out}: " + ", ".join(f"{n} {t}" for t, n in counts.items()))
    return 0
