"""`egmt bag export`: the pairs of a bag as images, to be annotated and trained on."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from egmt_ros.entities.vocabulary import load_vocabulary
from egmt_ros.errors import DataError
from egmt_ros.evaluation.bags.annotation_skeleton import PairStamps, Skeleton, write_skeleton
from egmt_ros.evaluation.bags.bag_reader import BagSource
from egmt_ros.evaluation.bags.whole_folder import whole_folder
from egmt_ros.evaluation.replay.request import ReplayRequest
from egmt_ros.pipeline.whole_files import write_image
from egmt_ros.resources import config_path

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: Data set.
        pairs: How many were written.
        paired: How many the bag has, as far as it was read.
        repeated: Pairs that have the stamp of an earlier one and were left out.
        refused: Reason -> pairs that were left out for it.
        topics: Thermal and visible.
        truth: Topic of the ground truth; None: there is none.
        skeleton: Annotation files.
        notes: What else to know.
    """

    folder: Path
    pairs: int
    paired: int
    repeated: int
    refused: dict[str, int]
    topics: tuple[str, str]
    truth: str | None
    skeleton: Skeleton
    notes: tuple[str, ...]


def export_pairs(
    bag: Path,
    out: Path,
    *,
    name: str | None = None,
    split: str = "train",
    every: int = 1,
    most: int | None = None,
    thermal_topic: str | None = None,
    visible_topic: str | None = None,
    truth_topic: str | None = None,
    params_file: Path | None = None,
    vocabulary: Path | None = None,
    progress: bool = False,
) -> Exported:
    """Write pairs as OUT/<name>/<split>/{ir,vi}/<stamp>.png, with annotation files beside them.

    Pairs are made, and registered, by the classes and parameters of the node; the stamp, ns, is
    that of its fused image. Thermal images keep their values: 8 and 16 bits are PNG, floats TIFF.

    Args:
        bag: Bag.
        out: Folder of data sets.
        name: Of the data set, which must not be there; None: that of the bag.
        split: Folder in it.
        every: Write each so many-th pair.
        most: Write so many at the most; None: all.
        thermal_topic, visible_topic, params_file: See ReplayRequest.
        truth_topic: Topic of the ground truth; None: found, "": none.
        vocabulary: Entities to annotate; None: those of the default weights.
        progress: Show a progress bar.

    Raises:
        BagError: The bag cannot be read, or lacks a topic.
        ConfigError: A parameter or the vocabulary cannot be used.
        DataError: The data set is there already, an argument is out of its range, no pair can be
            written, or the disk takes no more.
    """
    from egmt_ros.evaluation.bags.bag_pairs import BagPairs
    from egmt_ros.evaluation.offline.setting import settle
    from egmt_ros.evaluation.replay.inputs import fitting_notes
    from egmt_ros.evaluation.replay.truth_of_replay import truth_topic as find_truth
    from egmt_ros.evaluation.replay.truth_sources import truth_from_bag

    name = name or bag.resolve().stem
    _check(name, split, every, most)
    folder = out / name
    _check_free(folder)
    request = ReplayRequest(
        bag, folder, thermal_topic, visible_topic, params_file, metrics=False, progress=progress
    )
    setting = settle(request)
    entities = load_vocabulary(vocabulary or config_path("vocabulary.yaml"))
    found = find_truth(bag, truth_topic)
    truth = None if found is None else truth_from_bag(bag, found.name, entities)
    stamps: dict[str, PairStamps] = {}
    repeated = 0
    with (
        BagSource(bag) as source,
        whole_folder(folder, "data set", DataError, lambda: _check_free(folder)) as made,
    ):
        pairs = BagPairs(source, setting, every)
        for side in ("ir", "vi"):
            (made / split / side).mkdir(parents=True)
        for pair in _shown(pairs, progress):
            stem = str(pair.stamp)
            if stem in stamps:
                repeated += 1
                continue
            suffix = "tif" if pair.thermal.dtype == np.float32 else "png"
            write_image(made / split / "ir" / f"{stem}.{suffix}", pair.thermal)
            write_image(made / split / "vi" / f"{stem}.png", pair.visible)
            stamps[stem] = PairStamps(pair.visible_stamp, pair.thermal_stamp)
            if len(stamps) == most:
                break
        if not stamps:
            raise DataError(_why_none(bag, pairs.refused, setting.topics.values()))
        skeleton = write_skeleton(made, split, entities.names, stamps, truth)
    fitted = {} if params_file else {"registration.mode": setting.parameters.registration.mode}
    notes = [*fitting_notes(fitted), *(truth.notes if truth else ())]
    if pairs.damage is not None:
        notes.append(f"the bag was not read to its end: {pairs.damage}")
    return Exported(
        folder,
        len(stamps),
        pairs.paired,
        repeated,
        pairs.refused,
        (setting.inputs.thermal_topic, setting.inputs.visible_topic),
        found.name if found else None,
        skeleton,
        tuple(notes),
    )


def _check(name: str, split: str, every: int, most: int | None) -> None:
    for what, text in (("--set", name), ("--split", split)):
        if not _NAME.fullmatch(text):
            raise DataError(
                f"{what} is {text!r:.60}; expected letters, digits, _, ., + and -, not . or - first"
            )
    for what, number in (("--every", every), ("--max", 1 if most is None else most)):
        if number < 1:
            raise DataError(f"{what} is {number}; expected at least 1")


def _check_free(folder: Path) -> None:
    if folder.exists():
        raise DataError(
            f"{folder} exists already, and annotations in it are not to be lost; give another"
            " --set, or remove it first"
        )


def _why_none(bag: Path, refused: dict[str, int], topics: Any) -> str:
    names = " and ".join(topics)
    if not refused:
        return (
            f"bag {bag}: no two frames of {names} are a pair; `egmt bag info` tells how far their"
            " stamps are apart, sync.max_gap and sync.thermal_offset in --params allow for it"
        )
    reason, count = max(refused.items(), key=lambda entry: entry[1])
    return f"bag {bag}: none of the pairs of {names} can be used; {count} of them: {reason}"


def _shown(pairs: Any, progress: bool) -> Any:
    if not progress:
        return pairs
    from tqdm import tqdm

    return tqdm(pairs, desc="exporting", unit="pair", disable=None)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `egmt bag export`."""
    add = parser.add_argument
    add("bag", type=Path, metavar="BAG", help="bag folder or file")
    add("out", type=Path, metavar="OUT", help="folder of data sets; OUT/SET is made")
    add("--set", metavar="NAME", help="name of the data set (default: that of the bag)")
    add("--split", default="train", metavar="NAME", help="default: train")
    add("--every", type=int, default=1, metavar="N", help="each so many-th pair (default: 1)")
    add("--max", type=int, metavar="N", help="at the most so many pairs")
    add("--thermal-topic", metavar="T", help="default: found by type and name")
    add("--visible-topic", metavar="V", help="default: found by type and name")
    add(
        "--truth-topic", metavar="T",
        help="what is really there, for the annotations (default: found; '': none)",
    )  # fmt: skip
    add(
        "--params", type=Path, metavar="FILE",
        help="parameters of the node, for pairing and registration (default: fusion.yaml, and what "
        "the images need)",
    )  # fmt: skip
    add(
        "--vocabulary", type=Path, metavar="FILE",
        help="entities to annotate (default: vocabulary.yaml)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Export, and say what comes next."""
    done = export_pairs(
        args.bag,
        args.out,
        name=args.set,
        split=args.split,
        every=args.every,
        most=args.max,
        thermal_topic=args.thermal_topic,
        visible_topic=args.visible_topic,
        truth_topic=args.truth_topic,
        params_file=args.params,
        vocabulary=args.vocabulary,
        progress=True,
    )
    for reason, count in islice(done.refused.items(), 5):
        print(f"{count} pairs were left out: {reason}", file=sys.stderr)
    if done.repeated:
        print(f"{done.repeated} pairs repeat a stamp and were left out", file=sys.stderr)
    for note in done.notes:
        print(f"note: {note}", file=sys.stderr)
    folder, skeleton = done.folder, done.skeleton
    print(f"{folder}: {done.pairs} of {done.paired} pairs of {' and '.join(done.topics)}")
    print(
        f"{', '.join(skeleton.files)}: entities of {skeleton.known} pairs known"
        + (f", by {done.truth}" if done.truth else "")
    )
    print(
        "next: in annotations.json move the entities that an image shows from `unsure` to its "
        "list, remove those that neither shows, and run (see docs/ANNOTATING.md)\n"
        f"  egmt annotate check {folder}"
    )
    return 0
